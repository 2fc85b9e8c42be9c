"""What comes of a sweep's trials, whenever a run of it was killed; nothing is trained, exported or drawn."""

from collections.abc import Callable
from pathlib import Path

import pytest

import stubs
from optimize.conclusion import export_again
from optimize.config import SweepConfig
from optimize.results import Results
from optimize.sweep import SweepResult, run_sweep
from optimize.verdict import read_verdict
from sweeps import POOLING, Witness

Load = Callable[[str], SweepConfig]


class Killed(BaseException):
    pass


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[SweepConfig], SweepResult]:
    monkeypatch.setattr("optimize.conclusion.export_winner", lambda *_: True)
    monkeypatch.setattr("optimize.charts.draw", lambda *_, **__: None)
    monkeypatch.setattr("optimize.report.write", lambda results, _: results.report.touch())
    return lambda config: run_sweep(config, results_dir=tmp_path, observer=Witness(), workers=0, run=stubs.learn)


def test_a_changed_sweep_file_is_judged_by_though_the_run_that_read_it_first_was_killed(
    sweep: Load, run: Callable[[SweepConfig], SweepResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(sweep(POOLING))
    assert first.verdict is not None
    changed = sweep(POOLING.replace("seeds: 2", f"seeds: 2, baseline: {{model.pooling: {first.verdict.winner}}}"))
    written: list[str] = []

    def dying(write: Callable[..., None]) -> Callable[..., None]:
        def write_once(*arguments: object) -> None:
            if written:
                raise Killed
            written.append(write.__name__)
            write(*arguments)

        return write_once

    with monkeypatch.context() as patch:
        for name in ("write_sweep", "write_json"):
            patch.setattr(Results, name, dying(getattr(Results, name)))
        with pytest.raises(Killed):
            run(changed)
    assert written
    last = run(changed)
    assert last.verdict is not None
    assert f"Nothing that was compared ranks above the baseline, {first.verdict.winner}." in last.verdict.warnings


def test_an_export_does_not_end_a_sweep_whose_last_trials_no_run_has_judged(
    sweep: Load, run: Callable[[SweepConfig], SweepResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise Killed

    results = run(sweep(POOLING)).results
    longer = sweep(POOLING.replace("seeds: 2", "seeds: 3"))
    with monkeypatch.context() as patch:
        patch.setattr("optimize.conclusion.Conclusion.reached", die)
        with pytest.raises(Killed):
            run(longer)
    export_again(results)  # of what was judged before
    assert results.provenance()["ended"] is None
    last = run(longer)
    assert last.verdict is not None
    assert [choice.n for choice in last.verdict.choices] == [3, 3, 3]


@pytest.mark.parametrize("damage", ["", "[1]", '{"metric": "val_accuracy"}'])
def test_a_damaged_verdict_is_judged_anew(sweep: Load, run: Callable[[SweepConfig], SweepResult], damage: str) -> None:
    first = run(sweep(POOLING))
    first.results.verdict_file.write_text(damage)
    again = run(sweep(POOLING))
    assert again.trained == 0
    assert again.verdict == first.verdict == read_verdict(first.results)


def test_tables_and_provenance_that_are_missing_are_written_anew(
    sweep: Load, run: Callable[[SweepConfig], SweepResult]
) -> None:
    results = run(sweep(POOLING)).results
    trials = results.trials_file.read_text()
    results.trials_file.unlink()
    results.provenance_file.unlink()
    assert run(sweep(POOLING)).trained == 0
    assert results.trials_file.read_text() == trials
    assert results.provenance()["ended"] is not None
