import pytest

from main.names import valid_name
from optimize.sections import RunConfig, StopConfig


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90s", 90), ("30m", 1800), ("2h", 7200), ("1d", 86_400), ("1.5h", 5400), (45, 45), (0.5, 0.5), (None, None)],
)
def test_durations(written: object, seconds: float | None) -> None:
    stop = StopConfig.model_validate({"time": written})
    assert stop.time == seconds
    assert StopConfig.model_validate(stop.model_dump()) == stop


@pytest.mark.parametrize("written", ["5x", "1:30", "", "30 minutes", "-3s", "0s", 0, -1, True, "1h30m"])
def test_what_is_no_duration(written: object) -> None:
    with pytest.raises(ValueError, match=r"duration|greater than|valid number"):
        StopConfig.model_validate({"time": written})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1800.0, "30m"),
        (90.0, "90s"),
        (5400.0, "90m"),
        (7200.0, "2h"),
        (0.5, "0.5s"),
        (172_800, "2d"),
        (1e-5, "0.00001s"),
    ],
)
def test_a_duration_is_written_in_its_largest_whole_unit_and_read_back(seconds: float, text: str) -> None:
    assert StopConfig(time=seconds).model_dump()["time"] == text
    assert StopConfig.model_validate({"time": text}).time == seconds


@pytest.mark.parametrize(
    ("written", "n_bytes"),
    [("4GB", 4 * 10**9), ("512MB", 512 * 10**6), ("2GiB", 2**31), ("1.5 GB", 15 * 10**8), (1000, 1000), (None, None)],
)
def test_sizes(written: object, n_bytes: int | None) -> None:
    run = RunConfig.model_validate({"memory": written})
    assert run.memory == n_bytes
    assert RunConfig.model_validate(run.model_dump()) == run


@pytest.mark.parametrize("written", ["4 gigs", "4gb", "GB", "-1GB", "0GB", 0, 1.5, True, "9" * 310 + "TB"])
def test_what_is_no_size(written: object) -> None:
    with pytest.raises(ValueError, match=r"size|at least|greater than|valid integer|no memory"):
        RunConfig.model_validate({"memory": written})


@pytest.mark.parametrize("name", ["a", "pooling", "A.b-c_9", "x" * 64, "con-x", "nullable", ".hidden"])
def test_names(name: str) -> None:
    assert valid_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/b", "a\\b", "x" * 65, "a b", "a\n", "\0", "é", "con", "NUL", "nul.txt", "Com1", "lpt9.a", "a."],
)
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match=r"name|device"):
        valid_name(name)


@pytest.mark.parametrize(
    ("engine", "right"),
    [("tcp://10.0.0.1:8786", True), ("tls://head:80", True), ("10.0.0.1:8786", False), ("tcp://u:p@h:1", False)],
)
def test_an_engine_is_an_address_without_a_password(engine: str, right: bool) -> None:
    if right:
        assert RunConfig(engine=engine).engine == engine
    else:
        with pytest.raises(ValueError, match="expected an address such as"):
            RunConfig(engine=engine)
