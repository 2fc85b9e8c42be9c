from pathlib import Path

import pytest
from start import Case, Timed, heavy_imports, seconds_to_first_epoch, stored_sweeps, times_table

from optimize.results import Results


def test_heavy_packages_are_found_in_what_python_says_it_imported() -> None:
    said = "import time: self [us] | cumulative | imported package\nimport time:   1 |   2 |   tensorflow\n"
    assert heavy_imports(said) == ("tensorflow",)
    assert heavy_imports("import time:   1 |   2 |   numpy\nimport time:  1 | 1 | keras_hub\n") == ()


def test_a_median_is_held_against_what_it_may_take() -> None:
    quick = Timed(Case("plan", (), 2.0), (1.0, 1.5, 9.0), (1.0, 1.0, 1.0), ())
    slow = Timed(Case("plot", (), 2.0), (3.0, 1.0, 4.0), (2.0, 2.0, 2.0), ("keras",))
    plan, plot = times_table([quick, slow]).splitlines()[-2:]
    assert [cell.strip() for cell in plan.split("|")[2:-1]] == ["1.50", "1.00 to 9.00", "1.00", "2.0", "yes", "neither"]
    assert [cell.strip() for cell in plot.split("|")[2:-1]] == ["3.00", "1.00 to 4.00", "2.00", "2.0", "no", "keras"]


def test_the_first_trial_to_end_counts(tmp_path: Path) -> None:
    (tmp_path / "trials.csv").write_text(
        "trial,ended\n0,1970-01-01T00:01:50.500+00:00\n1,1970-01-01T00:01:49.500+00:00\n"
    )
    assert seconds_to_first_epoch(tmp_path, started=100.0) == pytest.approx(9.5)


def test_the_stored_sweeps_have_as_many_trials_as_asked_for(tmp_path: Path) -> None:
    for folder in stored_sweeps(tmp_path, 12):
        searched = Results(folder).trials().query("purpose == 'search'")
        assert len(searched) == 12
