"""The page on which one draws, and its API: by real requests, and in a real browser."""

from __future__ import annotations

import base64
import http.client
import io
import json
import math
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from chromium import CHROMIUM, opened
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from main.cli import app
from main.config import DataConfig
from main.data import load_test
from main.live import LiveModel
from main.modelfile import ModelFileError, UnverifiedModelWarning, load_model
from main.predict import Predictor
from main.serve import BODIES_AT_ONCE, LARGEST_BODY, application, listen, server
from main.terminal import BAD_INPUT, DONE

pytestmark = pytest.mark.training
PNG = {"Content-Type": "image/png"}


def png(image: np.ndarray | Image.Image) -> bytes:
    content = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image.squeeze())).save(content, "PNG")
    return content.getvalue()


def ring() -> bytes:
    """A nought, dark on light, as a hand draws it."""
    picture = Image.new("L", (280, 280), 255)
    ImageDraw.Draw(picture).ellipse((80, 50, 200, 230), outline=0, width=22)
    return png(picture)


@pytest.fixture(scope="module")
def live(trained) -> LiveModel:
    return LiveModel(trained.model)


@pytest.fixture(scope="module")
def port(live) -> Iterator[int]:
    with listen(0) as listening:
        running = server(live)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
        thread.start()
        yield listening.getsockname()[1]
        running.should_exit = True
        thread.join(300)
        assert not thread.is_alive()


def ask(port: int, path: str, body: bytes | None = None, headers=None, method: str | None = None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    try:
        connection.request(method or ("GET" if body is None else "POST"), path, body, headers or {})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def test_one_picture_at_a_time_gets_the_answer_that_predict_gives(live, trained) -> None:
    images = load_test(DataConfig(source="digits")).images[:8]
    expected = Predictor(trained.model).probabilities(images)
    for image, row in zip(images, expected, strict=True):
        answer = live.answer(png(image))
        assert list(answer.probabilities.values()) == pytest.approx(row, abs=1e-5)
        assert answer.label == live.classes[row.argmax()]
        assert np.array_equal(answer.seen, image)
        assert answer.stages == []


def test_a_model_whose_outputs_are_no_probabilities_is_refused(trained, tmp_path: Path) -> None:
    import keras

    model = load_model(trained.model)
    logits = keras.Model(model.inputs, model.get_layer("logits").output)
    logits.save(tmp_path / "cnn.h5", include_optimizer=False)
    with pytest.warns(UnverifiedModelWarning), pytest.raises(ModelFileError, match="not probabilities"):
        LiveModel(tmp_path / "cnn.h5")


def test_a_picture_is_prepared_as_told(live, trained) -> None:
    assert LiveModel(trained.model, "plain").answer(ring()).seen[0][0] == [255]
    assert live.answer(ring()).seen[0][0] == [0]


def test_feature_maps_are_those_that_explain_draws(live, trained) -> None:
    from main.explanation import feature_maps

    picture = ring()
    answer = live.answer(picture, maps=True)
    stages = feature_maps(Predictor(trained.model).model, np.array(answer.seen, dtype=np.uint8))
    assert [(found.layer, found.n_maps) for found in answer.stages] == [(s.layer, s.n_maps) for s in stages]
    for found, stage in zip(answer.stages, stages, strict=True):
        assert len(found.maps) == len(stage.maps)
        shown = np.frombuffer(b"".join(map(base64.b64decode, found.maps)), np.uint8).reshape(stage.maps.shape)
        assert (shown.min(), shown.max()) == (0, 255)
        span = stage.maps.max() - stage.maps.min()
        np.testing.assert_allclose(shown / 255 * span + stage.maps.min(), stage.maps, atol=span / 250)


def test_the_api_answers_in_json(port) -> None:
    status, headers, body = ask(port, "/api/predict?maps=true", ring(), PNG)
    answer = json.loads(body)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert answer["confidence"] == max(answer["probabilities"].values())
    assert len(answer["stages"]) > 1


def test_health_and_description(port, trained) -> None:
    status, _, body = ask(port, "/health")
    assert (status, json.loads(body)) == (
        200,
        {
            "status": "ok",
            "model": str(trained.model),
            "classes": [str(digit) for digit in range(10)],
            "input_shape": [28, 28, 1],
            "preparation": "digits",
        },
    )
    described = json.loads(ask(port, "/openapi.json")[2])
    assert set(described["paths"]) == {"/health", "/api/predict"}
    responses = described["paths"]["/api/predict"]["post"]["responses"]
    assert set(responses) == {"200", "408", "413", "415", "422", "500", "503"}


def test_the_page_loads_nothing_from_elsewhere(port) -> None:
    for path, kind in {"/": "text/html", "/draw.css": "text/css", "/draw.js": "text/javascript"}.items():
        status, headers, body = ask(port, path)
        assert status == 200
        assert headers["content-type"].startswith(kind)
        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert b"://" not in body


@pytest.mark.parametrize(
    ("body", "headers", "status", "says"),
    [
        (b"no picture", PNG, 422, "the picture: is no image"),
        (b"", PNG, 422, "the picture: is no image"),
        (png(np.zeros((40, 40), np.uint8)), PNG, 422, "the picture: is blank"),
        (ring()[:200], PNG, 422, "damaged"),
        (ring(), {"Content-Type": "text/plain"}, 415, "Content-Type"),
        (ring(), {}, 415, "Content-Type"),
        (ring(), PNG | {"Host": "evil.example"}, 400, "Invalid host"),
        (b"x" * (LARGEST_BODY + 1), PNG, 413, "at most 8 MiB"),
    ],
)
def test_bad_requests_are_refused_in_words(port, body, headers, status, says) -> None:
    answered, _, text = ask(port, "/api/predict", body, headers)
    assert answered == status
    assert says in text.decode()


def test_a_model_that_has_no_answer_is_said_in_words(port, live, monkeypatch, caplog) -> None:
    def overflows(picture: bytes, *, maps: bool) -> None:
        raise ModelFileError("cnn.h5: its output is not probabilities that sum to 1")

    monkeypatch.setattr(live, "answer", overflows)
    status, _, text = ask(port, "/api/predict", ring(), PNG)
    assert (status, json.loads(text)) == (500, {"detail": "cnn.h5: its output is not probabilities that sum to 1"})
    assert caplog.text == ""


def test_a_body_whose_size_is_not_said_is_not_read_without_end(port) -> None:
    chunks = (b"x" * 2**20 for _ in range(LARGEST_BODY // 2**20 + 2))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    connection.request("POST", "/api/predict", chunks, PNG, encode_chunked=True)
    answer = connection.getresponse()
    assert answer.status == 413
    assert "at most 8 MiB" in answer.read().decode()
    connection.close()


def test_it_listens_to_this_machine_alone() -> None:
    with listen(0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize(("method", "path"), [("POST", "/api/predict"), ("OPTIONS", "/api/predict"), ("GET", "/")])
def test_every_answer_has_its_headers_and_lets_no_other_origin_read_it(port, method, path) -> None:
    origin = {**PNG, "Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    _, headers, _ = ask(port, path, ring() if method == "POST" else None, origin, method=method)
    sent = {name.lower(): value for name, value in dict(headers).items()}
    assert not [name for name in sent if name.startswith("access-control-")]
    assert sent["content-security-policy"] == "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"
    assert (sent["x-content-type-options"], sent["cache-control"]) == ("nosniff", "no-store")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/absent", 404),
        ("GET", "/draw.css/../../serve.py", 404),
        ("GET", "/api/predict", 405),
        ("DELETE", "/health", 405),
        ("POST", "/api/predict?maps=perhaps", 422),
    ],
)
def test_what_is_not_there_is_said(port, method, path, status) -> None:
    assert ask(port, path, headers=PNG, method=method)[0] == status


def test_a_parameter_that_is_wrong_is_refused_in_words_as_all_is(port) -> None:
    """A page shows `detail` as it is, and the API's description says that it is a text."""
    status, _, body = ask(port, "/api/predict?maps=perhaps", ring(), PNG)
    detail = json.loads(body)["detail"]
    assert status == 422
    assert detail.startswith("query.maps: ")
    assert "boolean" in detail


def test_of_a_burst_none_is_lost(port) -> None:
    picture = ring()
    with ThreadPoolExecutor(50) as many:
        answers = list(many.map(lambda _: ask(port, "/api/predict", picture, PNG), range(200)))
    assert {status for status, _, _ in answers} == {200}
    assert len({body for _, _, body in answers}) == 1


def test_a_port_that_is_taken_is_said_in_words(port, trained) -> None:
    answer = CliRunner().invoke(app, ["serve", str(trained.model), "--port", str(port)])
    assert answer.exit_code == BAD_INPUT
    assert "choose another with --port" in answer.output


def test_without_the_extra_it_is_named(trained, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "main.serve", None)
    answer = CliRunner().invoke(app, ["serve", str(trained.model)])
    assert answer.exit_code == BAD_INPUT
    assert "optimize-sweeps[serve]" in answer.output


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_the_command_prints_its_address_and_ends_on_ctrl_c(trained) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "main", "serve", str(trained.model), "--port", "0", "--as", "plain"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        address = process.stdout.readline().split()[0]
        port = int(address.removeprefix("http://127.0.0.1:").rstrip("/"))
        assert process.stdout.readline() == "Pictures are prepared with --as plain.\n"
        assert ask(port, "/api/predict", ring(), PNG)[0] == 200
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, complaints) == (DONE, "")


HEADED = "document.getElementById('maps').checkVisibility()"


@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
def test_strokes_in_a_browser_are_read(port, live, tmp_path: Path) -> None:
    with opened(f"http://127.0.0.1:{port}/", tmp_path / "profile") as page:
        page.wait_for("document.querySelectorAll('#bars li').length === 10")
        assert "prepared with --as digits" in page.value("document.getElementById('model').textContent")
        left, top = page.value(
            "(({left, top}) => [left, top])(document.getElementById('paper').getBoundingClientRect())"
        )
        turn = [2 * math.pi * step / 24 for step in range(25)]
        page.draw([(left + 140 + 60 * math.sin(angle), top + 140 - 90 * math.cos(angle)) for angle in turn])
        page.wait_for("document.getElementById('answer').textContent !== '–' && !asking")
        drawn = page.value("document.getElementById('paper').toDataURL('image/png')")
        expected = live.answer(base64.b64decode(drawn.partition(",")[2]), maps=True)
        assert page.value("document.getElementById('answer').textContent") == expected.label == "0"
        shares = page.value("[...document.querySelectorAll('#bars .share')].map((share) => share.textContent)")
        assert shares == [f"{100 * p:.1f}\N{NO-BREAK SPACE}%" for p in expected.probabilities.values()]
        seen = page.value("[...document.getElementById('seen').getContext('2d').getImageData(0, 0, 28, 28).data]")
        assert np.array_equal(np.reshape(seen, (28, 28, 4))[..., :1], expected.seen)
        assert page.value("document.querySelectorAll('.stage').length") == len(expected.stages)
        assert page.value(HEADED)
        page.photograph(tmp_path / "drawn.png")
        page.value(f"show({expected.model_copy(update={'stages': []}).model_dump_json(by_alias=True)})")
        assert not page.value(HEADED)
        page.value("document.getElementById('clear').click()")
        assert page.value("document.getElementById('answer').textContent") == "–"


SHADE = "pen.getImageData({}, {}, 1, 1).data[0]"
TRACKS = "[...document.querySelectorAll('#bars .track')].map((track) => track.getBoundingClientRect())"


@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
def test_the_first_finger_alone_draws_and_bars_can_be_compared(port, tmp_path: Path) -> None:
    with opened(f"http://127.0.0.1:{port}/", tmp_path / "profile") as page:
        page.wait_for("document.querySelectorAll('#bars li').length === 10")
        left, top = page.value(
            "(({left, top}) => [left, top])(document.getElementById('paper').getBoundingClientRect())"
        )
        page.call("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=2)
        for kind, fingers in [
            ("touchStart", [(60, 60)]),
            ("touchStart", [(60, 60), (240, 240)]),
            ("touchMove", [(60, 200), (220, 240)]),
            ("touchEnd", []),
        ]:
            points = [{"x": left + x, "y": top + y, "id": finger} for finger, (x, y) in enumerate(fingers)]
            page.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)
        page.wait_for(f"{SHADE.format(60, 190)} === 0")
        assert [page.value(SHADE.format(*place)) for place in ((230, 240), (150, 150), (150, 220))] == [255] * 3
        page.call("Emulation.setTouchEmulationEnabled", enabled=False)
        page.value("document.getElementById('clear').click()")
        for kind in ("mousePressed", "mouseReleased"):
            page.call("Input.dispatchMouseEvent", type=kind, x=left + 99, y=top + 99, button="right", clickCount=1)
        assert page.value("blank()")
        page.value("document.querySelector('#bars span').textContent = 'a pullover with a hood and a very long name'")
        tracks = page.value(f"{TRACKS}.map(({{left, right}}) => [Math.round(left), Math.round(right)])")
        assert len({tuple(ends) for ends in tracks}) == 1
        assert tracks[0][1] - tracks[0][0] > 100


def test_an_answer_is_never_given_to_another_origin(live) -> None:
    """No CORS header: a page elsewhere may neither send a picture nor read an answer."""
    assert [middleware.cls.__name__ for middleware in application(live).user_middleware] == [
        "TrustedHostMiddleware",
        "_Limited",
    ]


POST = b"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n"


def test_a_client_that_falls_silent_is_not_waited_for_without_end(port, monkeypatch) -> None:
    monkeypatch.setattr("main.serve.SILENCE_SECONDS", 0.5)
    for length, status in ((1000, b"408"), (LARGEST_BODY + 1, b"413")):
        with socket.create_connection(("127.0.0.1", port), timeout=300) as client:
            client.sendall(POST % length + b"x")
            assert client.recv(4096).split()[1] == status


def test_a_body_that_comes_drop_by_drop_is_not_waited_for_without_end(port, monkeypatch) -> None:
    monkeypatch.setattr("main.serve.BODY_SECONDS", 0.5)
    with socket.create_connection(("127.0.0.1", port), timeout=300) as client:
        client.sendall(POST % 10_000)
        sent = 0
        while not select.select([client], [], [], 0.05)[0] and sent < 2_000:
            sent += client.send(b"x")
        answer = client.recv(4096)
    assert answer.split()[1] == b"408"
    assert b"connection: close" in answer.lower()


@pytest.mark.parametrize("answered", [False, True], ids=["first request", "later request"])
@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "], ids=["nothing", "drop by drop"])
def test_headers_that_do_not_come_are_not_waited_for_without_end(port, monkeypatch, answered, sent) -> None:
    """Connections that nobody speaks on would take all there are, and lock everybody out."""
    monkeypatch.setattr("main.connections.HEADERS_SECONDS", 0.5)
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        if answered:
            client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b""
            while not answer.endswith(b"}"):
                answer += client.recv(4096)
        client.sendall(sent)
        drops = 0
        while not select.select([client], [], [], 0.05)[0] and drops < 1_000:
            drops += client.send(b"x" if sent else b"")
            assert sent or select.select([client], [], [], 60)[0]
        assert client.recv(4096) == b""
        assert drops < 1_000


def test_a_client_that_has_spoken_in_time_is_answered_however_long_that_takes(port, live, monkeypatch) -> None:
    monkeypatch.setattr("main.connections.HEADERS_SECONDS", 0.2)
    answer = live.answer
    monkeypatch.setattr(live, "answer", lambda *given, **how: (time.sleep(0.6), answer(*given, **how))[1])
    assert ask(port, "/api/predict", ring(), PNG)[0] == 200


@pytest.mark.skipif(os.name != "posix", reason="limits are POSIX's")
def test_there_is_room_for_all_connections() -> None:
    code = (
        "import resource as r; from main.connections import OPEN_FILES, make_room; "
        "most = r.getrlimit(r.RLIMIT_NOFILE)[1]; r.setrlimit(r.RLIMIT_NOFILE, (256, most)); make_room(); "
        "wanted = OPEN_FILES if most == r.RLIM_INFINITY else min(OPEN_FILES, most); "
        "assert r.getrlimit(r.RLIMIT_NOFILE) == (wanted, most)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_who_is_still_sending_when_the_server_stops_is_told_so(live, monkeypatch) -> None:
    monkeypatch.setattr("main.serve.STOP_SECONDS", 1)
    with listen(0) as listening:
        running = server(live)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
        thread.start()
        clients = [socket.create_connection(listening.getsockname(), timeout=300) for _ in range(2)]
        for client, length in zip(clients, (1000, LARGEST_BODY + 1), strict=True):
            client.sendall(POST % length + b"x")
        assert ask(listening.getsockname()[1], "/health")[0] == 200  # both are being read by now
        running.should_exit = True
        thread.join(300)
        for client in clients:
            assert client.recv(4096).split()[1] == b"503"
            client.close()


def test_of_bodies_that_come_slowly_only_so_many_are_held(port, monkeypatch) -> None:
    """Others wait, and are read all the same."""
    monkeypatch.setattr("main.serve.SILENCE_SECONDS", 5)
    slow = [socket.create_connection(("127.0.0.1", port), timeout=300) for _ in range(BODIES_AT_ONCE + 5)]
    for client in slow:
        client.sendall(POST % 100 + b"x")
    assert ask(port, "/api/predict", ring(), PNG)[0] == 200
    assert select.select(slow, [], [], 0)[0], "it was read while all places were held"
    assert {client.recv(4096).split()[1] for client in slow} == {b"408"}
    for client in slow:
        client.close()
