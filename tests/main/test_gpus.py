"""GPUs as the driver's own tool lists them; the tool is a script of the test's."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from main import backend, gpus

ONE = "GPU 0: NVIDIA H200 (UUID: GPU-aaaa)\n"
TWO = ONE + "GPU 1: NVIDIA H200 (UUID: GPU-bbbb)\n"
PARTS = (
    "GPU 0: NVIDIA H200 (UUID: GPU-aaaa)\n"
    "  MIG 1g.18gb     Device  0: (UUID: MIG-1111)\n"
    "  MIG 1g.18gb     Device  1: (UUID: MIG-2222)\n"
    "GPU 1: NVIDIA H200 (UUID: GPU-bbbb)\n"
)
Driver = Callable[..., None]


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """A machine whose nvidia-smi answers as told, with CUDA installed."""
    monkeypatch.setattr(gpus, "cuda_is_installed", lambda: True)
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    monkeypatch.setattr(gpus, "DRIVER", tmp_path / "absent")

    def answers(listed: str = "", capability: str = "", status: int = 0) -> None:
        script = tmp_path / "nvidia-smi"
        script.write_text(
            f"#!/bin/sh\ncase $1 in --list-gpus) printf '%s' '{listed}';; *) printf '%s' '{capability}';; esac\n"
            f"exit {status}\n"
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    return answers


@pytest.mark.parametrize(
    ("listed", "names"),
    [
        pytest.param("", (), id="none"),
        pytest.param(ONE, ("GPU-aaaa",), id="one"),
        pytest.param(TWO, ("GPU-aaaa", "GPU-bbbb"), id="two"),
        pytest.param(PARTS, ("MIG-1111", "MIG-2222", "GPU-bbbb"), id="parts"),
    ],
)
def test_every_listed_gpu_counts_and_of_a_divided_one_each_part(
    driver: Driver, listed: str, names: tuple[str, ...]
) -> None:
    driver(listed)
    assert gpus.gpus() == names


@pytest.mark.parametrize(
    ("visible", "names"),
    [("", ()), ("-1", ()), ("1", ("1",)), ("GPU-bbbb, 0", ("GPU-bbbb", "0")), ("0,-1,1", ("0",))],
)
def test_a_person_who_names_gpus_is_heeded(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, visible: str, names: tuple[str, ...]
) -> None:
    driver(TWO)
    monkeypatch.setenv(gpus.VISIBLE, visible)
    assert gpus.gpus() == names


def test_gpus_that_tensorflow_cannot_use_do_not_count(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    driver(TWO)
    monkeypatch.setattr(gpus, "cuda_is_installed", lambda: False)
    assert gpus.gpus() == ()


def test_without_its_tool_the_drivers_own_list_counts(
    driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver(status=9)
    assert gpus.gpus() == ()
    for bus in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / "gpus" / bus).mkdir(parents=True)
    monkeypatch.setattr(gpus, "DRIVER", tmp_path / "gpus")
    assert gpus.gpus() == ("0", "1")


@pytest.mark.parametrize(
    ("capability", "precision"), [("9.0\n", "bfloat16"), ("9.0\n7.5\n", "float32"), ("[N/A]\n", "float32")]
)
def test_on_gpus_the_precision_is_theirs_and_not_the_processors(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, capability: str, precision: str
) -> None:
    driver(TWO, capability)
    monkeypatch.setattr(backend, "supports_bfloat16", lambda: precision == "float32")
    assert backend.choose_precision("auto") == precision
