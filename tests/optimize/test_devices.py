"""What `devices` says: of this machine, of GPUs that are not used, and of a TensorFlow that cannot be imported."""

import json
import os
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from main import gpus
from optimize import devices
from optimize.cli import app
from optimize.devices import Devices, Seen, find_devices, gpu_advice

SEEN = Seen((), {"float32": 100.0, "bfloat16": 400.0})


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without any; returns the folder of its PCI devices."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices, "DRIVER", tmp_path / "driver")
    monkeypatch.setattr(devices, "PCI", tmp_path / "pci")
    monkeypatch.setattr(devices, "cuda_is_installed", lambda: False)
    (tmp_path / "pci").mkdir()
    return tmp_path / "pci"


def plug_in(pci: Path, maker: str, kind: str = "0x030000") -> None:
    device = pci / f"device-{maker}"
    device.mkdir()
    (device / "class").write_text(f"{kind}\n")
    (device / "vendor").write_text(f"{maker}\n")


@pytest.mark.training
def test_the_command_says_what_trains_here_and_times_it() -> None:
    ran = CliRunner().invoke(app, ["devices", "--json"])
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.output)
    assert told["cores"] == len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert told["fault"] is None
    assert all(speed > 0.1 for speed in told["speeds"].values())
    assert set(told["speeds"]) == {"float32", "bfloat16"}
    found = Devices(**{**told, "instruction_sets": tuple(told["instruction_sets"])})
    text = "\n".join(found.lines())
    assert f"precision   {told['precision']}" in text
    assert "core" in text


@pytest.mark.parametrize(("maker", "advice"), [(devices.NVIDIA, "driver"), (devices.AMD, "tensorflow-rocm")])
def test_a_gpu_that_is_plugged_in_and_not_used_is_named_with_its_remedy(no_gpu: Path, maker: str, advice: str) -> None:
    assert gpu_advice() is None
    plug_in(no_gpu, maker)
    assert advice in str(gpu_advice())


def test_a_makers_other_devices_are_no_gpus(no_gpu: Path) -> None:
    plug_in(no_gpu, devices.NVIDIA, kind="0x020000")  # a network card
    assert gpu_advice() is None


def test_with_a_driver_what_is_missing_is_told(no_gpu: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "driver").mkdir()
    assert "pip install 'tensorflow[and-cuda]==" in str(gpu_advice())
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")  # as a batch system sets it
    assert "pip install 'tensorflow[and-cuda]==" in str(gpu_advice())
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    for module in (devices, gpus):
        monkeypatch.setattr(module, "cuda_is_installed", lambda: True)
    assert "it says why" in str(gpu_advice())
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert gpu_advice() == "CUDA_VISIBLE_DEVICES=-1 hides this machine's"


def test_a_gpu_that_cannot_be_timed_is_still_named(no_gpu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_ask_tensorflow", lambda: Seen(("NVIDIA H200",), {}))
    found = find_devices()
    assert found.fault is None
    assert "GPU         NVIDIA H200" in found.lines()
    assert any("could not be measured" in line for line in found.lines())


def test_a_tensorflow_that_cannot_be_imported_is_said_and_the_rest_still_is(
    no_gpu: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    monkeypatch.setattr(sys, "executable", str(python))
    for script, fault in [("echo 'ImportError: no AVX' >&2; exit 1", "no AVX"), ("kill -ILL $$", "signal 4")]:
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
        found = find_devices()
        assert fault in str(found.fault)
        assert found.speeds == {}
        assert any(fault in line for line in found.lines())
    ran = CliRunner().invoke(app, ["devices"])
    assert ran.exit_code == 1
    assert "processor" in ran.output


def test_gpus_are_named_and_nothing_is_advised(no_gpu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(no_gpu, devices.NVIDIA)
    monkeypatch.setattr(devices, "_ask_tensorflow", lambda: Seen(("NVIDIA H200",), SEEN.speeds))
    lines = list(find_devices().lines())
    assert "GPU         NVIDIA H200" in lines
    assert any("a GPU each" in line for line in lines)
    assert not any("driver" in line for line in lines)
