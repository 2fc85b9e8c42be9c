"""optuna-dashboard over a sweep's study, by real requests, while the sweep writes and after."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest
from PIL import Image
from typer.testing import CliRunner

import stubs
from optimize.cli import app
from optimize.config import load_config
from optimize.dashboard import NoStudy, PortTaken, dashboard_app, read_only_storage, serve_dashboard
from optimize.loopback import LoopbackServer
from optimize.results import Results
from optimize.storage import StudyUnreadable
from sweeps import POOLING, Bench

CHROMIUM = shutil.which("chromium")
Open = Callable[[str], Bench]


@pytest.fixture
def finished(bench: Open) -> Results:
    """The results of a sweep of stub trials that has ended."""
    sweep = bench(POOLING)
    sweep.results.write_sweep(sweep.config.resolved())
    assert sweep.run(stubs.learn) == "done"
    return sweep.results


@contextmanager
def served(results: Results) -> Iterator["Visitor"]:
    application, page = dashboard_app(results)
    with LoopbackServer(application, 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield Visitor(server.server_port, page)
        finally:
            server.shutdown()
            thread.join()


class Visitor:
    """Asks the dashboard as a browser does."""

    def __init__(self, port: int, page: str) -> None:
        self.port, self.page = port, page
        self.study = int(page.rpartition("/")[2])

    def ask(self, path: str, method: str = "GET", body: Any = None) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def trials(self) -> list[dict[str, Any]]:
        status, _, body = self.ask(f"/api/studies/{self.study}?after=0")
        assert status == 200, body
        return list(json.loads(body)["trials"])


def test_a_sweep_of_a_group_is_found_by_the_name_that_its_study_has(tmp_path: Path) -> None:
    """configs/study/loss.yaml is `study/loss` to the storage, where `loss` may be another sweep."""
    file = tmp_path / "configs" / "study" / "pooling.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(POOLING)
    sweep = Bench(load_config(file), Results(tmp_path / "results" / "study" / "pooling"))
    sweep.results.write_sweep(sweep.config.resolved())
    data = {"source": "digits", "checksum": "ab" * 32, "notice": None, "train": 1200, "validation": 237}
    sweep.results.write_json(sweep.results.provenance_file, {"study": "study/pooling", "data": data})
    sweep.run(stubs.learn)
    with served(sweep.results) as visitor:
        status, _, content = visitor.ask(f"/api/studies/{visitor.study}")
    assert status == 200
    assert len(json.loads(content)["trials"]) == 6


def test_the_address_leads_to_the_study(finished: Results) -> None:
    with served(finished) as visitor:
        status, headers, _ = visitor.ask("/")
        assert (status, headers["Location"]) == (302, visitor.page)
        status, _, body = visitor.ask(visitor.page)
        assert status == 200
        assert b"<title>Optuna Dashboard</title>" in body
        assert {trial["state"] for trial in visitor.trials()} == {"Complete"}
        assert len(visitor.trials()) == 6
        [study] = json.loads(visitor.ask("/api/studies")[2])["study_summaries"]
        assert study["study_name"] == "pooling"
        status, _, table = visitor.ask(f"/csv/{visitor.study}")
        assert (status, table.count(b"COMPLETE")) == (200, 6)


def test_it_may_be_open_while_the_sweep_writes_and_follows_it(bench: Open) -> None:
    sweep = bench(POOLING)
    sweep.results.write_sweep(sweep.config.resolved())
    seen: list[int] = []
    with served(sweep.results) as visitor:
        sweep.witness.on_end = lambda: seen.append(visitor.ask(f"/csv/{visitor.study}")[2].count(b"COMPLETE"))
        assert sweep.run(stubs.learn) == "done"
        assert seen == sorted(seen)
        assert seen[-1] >= 5  # whether the last is told before or after the observer hears of it
        assert visitor.ask(f"/csv/{visitor.study}")[2].count(b"COMPLETE") == 6


def test_a_reader_in_the_middle_of_its_reading_keeps_no_writer_waiting(finished: Results) -> None:
    storage = read_only_storage(finished)
    with storage.engine.connect() as reader:
        reader.exec_driver_sql("begin")
        before = reader.exec_driver_sql("select count(*) from trials").scalar()
        writer = optuna.load_study(storage=f"sqlite:///{finished.study_file}", study_name="pooling")
        writer.add_trial(optuna.trial.create_trial(state=optuna.trial.TrialState.FAIL))
        assert reader.exec_driver_sql("select count(*) from trials").scalar() == before == 6
    storage.engine.dispose()
    assert len(read_only_storage(finished).get_all_trials(1)) == 7


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "/api/studies/{study}", {}),
        ("POST", "/api/studies", {"study_name": "another", "directions": ["maximize"]}),
        ("POST", "/api/studies/{study}/rename", {"study_name": "another"}),
        ("PUT", "/api/studies/{study}/note", {"version": 1, "body": "a note"}),
        ("POST", "/api/trials/1/tell", {"state": "fail"}),
        ("POST", "/api/trials/1/user-attrs", {"user_attrs": {"seed": 7}}),
        ("POST", "/incompatible-rdb-schema", None),
    ],
)
def test_nothing_that_would_change_the_study_is_let_through(
    finished: Results, method: str, path: str, body: Any
) -> None:
    before = finished.study_file.read_bytes()
    with served(finished) as visitor:
        status, _, answer = visitor.ask(path.format(study=visitor.study), method, body)
        assert (status, json.loads(answer)["reason"]) == (405, "this page only shows")
        assert len(visitor.trials()) == 6
    assert finished.study_file.read_bytes() == before


def test_the_database_itself_refuses_a_change(finished: Results) -> None:
    storage = read_only_storage(finished)
    with pytest.raises(optuna.exceptions.StorageInternalError):
        storage.set_study_user_attr(1, "seed", 7)
    with pytest.raises(optuna.exceptions.StorageInternalError):
        storage.delete_study(1)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/absent", 404),
        ("/api/studies/999", 404),
        ("/api/studies/one", 404),
        ("/api/studies/999/plot/slice", 404),
        ("/api/studies/-1/plot/slice", 404),
        ("/api/studies/99999999999999999999/param_importances", 404),
        ("/api/studies/999/param_importances/", 404),
        ("/api/studies/{study}/plot/pareto_front", 400),
        ("/api/studies/{study}/plot/absent", 404),
        ("/csv/99999999999999999999", 404),
        ("/csv/999", 404),
        ("/api/studies/{study}?after=-1", 400),
        ("/api/studies/{study}?after=x", 400),
        ("/api/studies/{study}?after=", 400),
        ("/api/studies/{study}?after=%31%30%30%30%30%30%30%30%30%30", 400),
        ("/static/../../../../etc/passwd", 403),
        ("/static/%2e%2e/%2e%2e/index.html", 403),
        ("/artifacts/1/abc", 400),
        ("/csv/1?trial_ids=a", 400),
    ],
)
def test_bad_requests_are_answered_with_4xx(
    finished: Results, path: str, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    with served(finished) as visitor:
        answered, _, body = visitor.ask(path.format(study=visitor.study))
        assert answered == status, body
    assert capfd.readouterr().err == ""


def test_parameters_in_a_body_are_refused(finished: Results, capfd: pytest.CaptureFixture[str]) -> None:
    """optuna-dashboard would read `after` there too, and fail at what is no number."""
    with served(finished) as visitor:
        status, _, answer = visitor.ask(f"/api/studies/{visitor.study}", body="&after=x&")
    assert (status, json.loads(answer)["reason"]) == (
        400,
        "what is asked for stands in the address: a body is not read",
    )
    assert capfd.readouterr().err == ""


def test_charts_of_plotlys_are_refused_where_it_is_not_installed(
    finished: Results, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("optimize.dashboard.find_spec", lambda name: None)
    with served(finished) as visitor:
        status, _, answer = visitor.ask(f"/api/studies/{visitor.study}/plot/slice")
    assert (status, json.loads(answer)["reason"]) == (
        404,
        "the page draws its charts itself: plotly is not installed here",
    )
    assert capfd.readouterr().err == ""


def test_a_sweep_that_lost_its_study_is_told_so(finished: Results, bench: Open) -> None:
    other = Results(finished.folder)
    finished.study_file.unlink()
    with pytest.raises(NoStudy, match=r"study\.db is missing"):
        dashboard_app(other)
    finished.study_file.write_bytes(b"not a database" * 100)
    with pytest.raises(StudyUnreadable, match=r"study\.db"):
        dashboard_app(other)


def test_a_study_of_another_name_is_no_study_of_this_sweep(finished: Results) -> None:
    finished.write_sweep(finished.sweep_file.read_text().replace("name: pooling", "name: renamed"))
    with pytest.raises(NoStudy, match="no study named renamed"):
        dashboard_app(finished)


def test_a_port_that_is_taken_is_said_in_words(finished: Results) -> None:
    with served(finished) as visitor:
        with pytest.raises(PortTaken, match=f"port {visitor.port} of 127.0.0.1: .*--port"):
            serve_dashboard(finished, visitor.port, lambda _: None)
        answer = CliRunner().invoke(app, ["dashboard", str(finished.folder), "--port", str(visitor.port)])
        assert answer.exit_code == 2
        assert "choose another with --port" in answer.output


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_the_command_prints_its_address_and_ends_on_ctrl_c(finished: Results) -> None:
    command = [sys.executable, "-m", "optimize", "dashboard", str(finished.folder), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().split()[0]
        assert address.startswith("http://127.0.0.1:")
        port, _, path = address.removeprefix("http://127.0.0.1:").partition("/")
        visitor = Visitor(int(port), f"/{path}")
        assert len(visitor.trials()) == 6
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, complaints) == (0, "")


@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
def test_the_study_is_drawn_in_a_browser(finished: Results, tmp_path: Path) -> None:
    picture = tmp_path / "dashboard.png"
    with served(finished) as visitor:
        address = f"http://127.0.0.1:{visitor.port}{visitor.page}"
        answer = photograph(address, picture, tmp_path)
    assert picture.exists(), answer.stderr
    with Image.open(picture) as image:
        colours = image.convert("RGB").getcolors(maxcolors=2**24)
    assert colours is not None
    assert len(colours) > 200, "an empty page has a handful of colours"
    assert "pooling" in answer.stdout


def photograph(address: str, picture: Path, scratch: Path) -> subprocess.CompletedProcess[str]:
    """Chromium's picture of a page, and the page's DOM as its scripts left it."""
    assert CHROMIUM is not None
    return subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1400,1200",
            f"--user-data-dir={scratch / 'profile'}", "--virtual-time-budget=15000", f"--screenshot={picture}",
            "--dump-dom", address,
        ],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
