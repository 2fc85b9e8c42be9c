"""Which cores and GPUs this machine's workers get; the GPUs are made up."""

import os
from pathlib import Path

import pytest

import stubs
from optimize import cores, workers
from optimize.cores import machine_cores, places
from optimize.workers import local_engine


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (workers, cores):
        monkeypatch.setattr(module, "gpus", lambda: ("GPU-a", "GPU-b"))


def test_without_gpus_there_is_a_place_per_so_many_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "gpus", lambda: ())
    monkeypatch.setattr(cores, "machine_cores", lambda: [0, 1, 2, 3, 4])
    assert [places(threads) for threads in (1, 2, 4, 8)] == [5, 2, 1, 1]


@pytest.mark.parametrize(
    ("content", "count"),
    [("max 100000", 5), ("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1), (None, 5)],
)
def test_a_containers_limit_counts_as_so_many_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, count: int
) -> None:
    file = tmp_path / "cpu.max"
    if content is not None:
        file.write_text(content + "\n")
    monkeypatch.setattr(cores, "_QUOTAS", ((file, file),))
    monkeypatch.setattr(cores, "gpus", lambda: ())
    monkeypatch.setattr(cores, "machine_cores", lambda: [0, 1, 2, 3, 4])
    assert (cores.core_count(), places(1)) == (count, count)


@pytest.mark.usefixtures("two_gpus")
def test_with_gpus_there_is_a_place_per_gpu_however_many_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "machine_cores", lambda: [0, 1, 2, 3, 4])
    assert [places(threads) for threads in (1, 8)] == [2, 2]


@pytest.mark.usefixtures("two_gpus")
def test_workers_take_turns_on_the_gpus_and_share_out_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    engine = local_engine(stubs.learn, workers=3)
    try:
        seen = engine._client.run(lambda: (os.environ["CUDA_VISIBLE_DEVICES"], os.environ[workers.CORES_VARIABLE]))
    finally:
        engine.close()
    assert sorted(gpu for gpu, _ in seen.values()) == ["GPU-a", "GPU-a", "GPU-b"]
    share = max(1, len(machine_cores()) // 3)
    assert {len(cores.split(",")) for _, cores in seen.values()} == {share}
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_where_cores_are_left_over_the_least_busy_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers.psutil, "cpu_percent", lambda **_: [90.0, 0.0, 50.0, 0.0, 99.0])
    chosen = workers._least_busy([0, 1, 2, 4])
    assert chosen == [1, 2, 0, 4]


def test_without_gpus_a_workers_devices_are_left_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "gpus", lambda: ())
    assert "CUDA_VISIBLE_DEVICES" not in workers._worker_environment(0, 1, [0, 1], (), None)
