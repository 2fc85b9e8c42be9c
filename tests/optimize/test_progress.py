import errno
import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from main.history import Epoch
from optimize.config import SweepConfig
from optimize.engine import Slot
from optimize.finished import Finished
from optimize.progress import Progress, Tally
from optimize.trial import TrialOutcome, TrialTask
from sweeps import POOLING


def ended(trial: int, state: str, accuracy: float = 0.9, reason: str = "") -> Finished:
    history = (Epoch(1, 0.2, 0.8, 0.3, accuracy, 0.3, 1e-3, 1.0),)
    outcome = TrialOutcome(trial, state, reason, history=history, best_epoch=1, seconds=2.5)  # type: ignore[arg-type]
    return Finished({"model.pooling": "max"}, "max", trial, "search", outcome)


def task(config: SweepConfig, trial: int) -> TrialTask:
    values = {"model.pooling": "max"}
    return TrialTask(trial, values, "max", 0, config.concrete(values), "val_accuracy", "float32", "")


@pytest.fixture
def config(sweep) -> SweepConfig:  # type: ignore[no-untyped-def]
    return sweep(POOLING)


def console(*, terminal: bool) -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(file=text, force_terminal=terminal, width=100, color_system=None), text


def test_without_a_terminal_each_trial_is_one_plain_line(config: SweepConfig) -> None:
    where, text = console(terminal=False)
    with Progress(config, where) as progress:
        progress.begin([], 3)
        progress.started(task(config, 0), Slot(0, "here"))
        progress.ended(ended(0, "complete", 0.9132), 2)
        progress.ended(ended(1, "failed", reason="diverged at epoch 1"), 1)
    beginning, first, second = text.getvalue().splitlines()
    assert beginning == "3 trials to go"  # the first may take minutes
    assert first.startswith("trial 0 max, seed 0: val_accuracy 91.32 %, complete in 2.5 s; 2 to go, about ")
    assert "failed (diverged at epoch 1)" in second
    assert "\x1b" not in text.getvalue()


def test_on_a_terminal_running_trials_show_their_epochs_and_the_best_so_far(config: SweepConfig) -> None:
    where, text = console(terminal=True)
    with Progress(config, where) as progress:
        progress.begin([], 3)
        progress.ended(ended(0, "complete", 0.9132), 2)
        progress.started(task(config, 7), Slot(1, "there"))
        progress.epoch(task(config, 7), Epoch(2, 0.2, 0.8, 0.3, 0.8765, 0.3, 1e-3, 1.0))
    shown = text.getvalue()
    assert "Which" in shown or config.question in shown
    assert "best so far: max, seed 0: val_accuracy 91.32 %" in shown
    assert "2/3" in shown
    assert "87.65 %" in shown
    assert "1 complete  of 3" in shown


def test_the_folds_of_a_seed_are_told_apart(sweep, config: SweepConfig) -> None:  # type: ignore[no-untyped-def]
    folded = sweep(POOLING.replace("seeds: 2", "folds: 3"))
    lines, plain = console(terminal=False)
    with Progress(folded, lines) as progress:
        progress.ended(replace(ended(0, "complete", 0.9132), fold=2), 2)
    assert plain.getvalue().startswith("trial 0 max, seed 0, fold 2: val_accuracy 91.32 %")
    where, text = console(terminal=True)
    with Progress(folded, where) as progress:
        progress.begin([replace(ended(0, "complete", 0.9132), fold=2)], 3)
        progress.started(replace(task(folded, 7), fold=1), Slot(1, "there"))
    assert "best so far: max, seed 0, fold 2: val_accuracy 91.32 %" in text.getvalue()
    assert re.search(r"configuration +seed +fold +epoch", text.getvalue())
    assert re.search(r"7 +max +0 +1 +0/3", text.getvalue())


def test_a_sweep_that_goes_on_says_so(config: SweepConfig) -> None:
    where, text = console(terminal=False)
    with Progress(config, where) as progress:
        progress.begin([ended(0, "complete")], 5)
    assert text.getvalue() == "going on: 1 trial is finished, 5 to go\n"


def test_a_last_round_that_is_not_full_takes_as_long_as_a_full_one() -> None:
    tally = Tally("val_accuracy", remaining=9, at_once=8)
    assert tally.seconds_left() is None
    tally.end(ended(0, "complete"), 9)
    assert tally.seconds_left() == 2 * 2.5


def test_a_terminal_that_was_closed_is_told_nothing_more(config: SweepConfig) -> None:
    """SIGHUP asks the sweep to stop at its epochs' end; what cannot be written must not end it before."""

    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

        def isatty(self) -> bool:
            return True

    where = Console(file=Closed(), force_terminal=False)
    with Progress(config, where) as progress:
        progress.note("stopping")
        progress.ended(ended(0, "complete"), 5)
    assert where.quiet


def test_the_best_is_the_best_complete_trial_in_the_metrics_direction() -> None:
    tally = Tally("val_accuracy", remaining=0)
    for trial, (state, accuracy) in enumerate(
        [("complete", 0.8), ("failed", 0.99), ("complete", 0.9), ("pruned", 1.0)]
    ):
        tally.take_up(ended(trial, state, accuracy))
    assert tally.best is not None
    assert tally.best.outcome.trial == 2
    assert dict(tally.states) == {"complete": 2, "failed": 1, "pruned": 1}
