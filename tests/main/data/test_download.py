import socket
import subprocess
import sys

import pytest
from data_examples import make_split, write_folder

from main.data import MissingData
from main.data import download as module
from main.data.download import download
from main.data.find import find
from main.data.known import FASHION_MNIST, MNIST


@pytest.fixture
def silent_proxy(nowhere, monkeypatch):
    """A proxy that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        for name in ("https_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.getsockname()[1]}")
        yield


def test_no_network_is_missing_data_with_the_reason(nowhere):
    with pytest.raises(MissingData, match="refused"):
        download(MNIST)
    assert not list((nowhere / "keras").iterdir())


def test_a_silent_network_ends_in_bounded_time(silent_proxy, monkeypatch):
    monkeypatch.setattr(module, "SILENCE", 0.5)
    with pytest.raises(MissingData, match="timed out"):
        download(MNIST)


def test_a_download_that_never_ends_is_ended(silent_proxy, monkeypatch):
    monkeypatch.setattr(module, "DEADLINE", 1.0)
    with pytest.raises(MissingData, match="more than 1 s"):
        download(MNIST)


def test_a_folder_that_cannot_be_written(nowhere, monkeypatch):
    (nowhere / "file").touch()
    monkeypatch.setenv("KERAS_HOME", str(nowhere / "file" / "keras"))
    with pytest.raises(MissingData, match=r"file/keras cannot be written"):
        download(MNIST)


def test_what_was_downloaded_is_moved_into_the_cache_as_a_whole(nowhere, monkeypatch):
    """The download itself is played by a script that writes what Keras would."""
    script = nowhere / "fetch.py"
    script.write_text(
        "import os, pathlib, sys\n"
        "folder = pathlib.Path(os.environ['KERAS_HOME'], 'datasets')\n"
        "folder.mkdir()\n"
        "name, silence = sys.argv[1:]\n"
        "print('noise of a progress bar')\n"
        "(folder / f'{name}.npz').write_text('downloaded')\n"
    )
    monkeypatch.setattr(module, "SCRIPT", script)
    download(MNIST)
    assert (nowhere / "keras/datasets/mnist.npz").read_text() == "downloaded"
    assert [path.name for path in (nowhere / "keras").iterdir()] == ["datasets"]


def test_a_folder_replaces_the_files_of_an_interrupted_download(nowhere, monkeypatch):
    target = write_folder(nowhere / "keras/datasets/fashion-mnist", make_split(20), make_split(10))
    (target / "t10k-images-idx3-ubyte.gz").unlink()
    source = write_folder(nowhere / "whole", make_split(200), make_split(50))
    script = nowhere / "fetch.py"
    script.write_text(
        "import os, shutil\n"
        f"shutil.copytree({str(source)!r}, os.path.join(os.environ['KERAS_HOME'], 'datasets', 'fashion-mnist'))\n"
    )
    monkeypatch.setattr(module, "SCRIPT", script)
    assert find(FASHION_MNIST) is None
    download(FASHION_MNIST)
    assert find(FASHION_MNIST).shapes()["train-images"] == (200, 8, 8)


def test_keras_is_asked_where_the_network_answers(nowhere, monkeypatch):
    """With what it asks for in its cache already, Keras needs no more than the first answer."""
    write_folder(nowhere / "keras/datasets/fashion-mnist", make_split(200, side=28), make_split(50, side=28))
    script = (
        "import contextlib, sys, urllib.request\n"
        "sys.argv = ['fetch.py', 'fashion_mnist', '5']\n"
        "urllib.request.urlopen = lambda *_, **__: contextlib.nullcontext()\n"
        "import runpy\n"
        f"runpy.run_path({str(module.SCRIPT)!r}, run_name='__main__')\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_the_reason_is_one_line(nowhere):
    ran = subprocess.run(
        [sys.executable, "-P", str(module.SCRIPT), "mnist", "5"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert len(ran.stdout.splitlines()) == 1
    assert "Traceback" not in ran.stderr
