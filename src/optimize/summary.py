"""What commands say of what they have done: of a sweep or a range test that has ended, of charts, of an epoch."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from main.luck import luck
from main.wording import accuracy_of, percent
from optimize.terminal import err, out, say, warn
from optimize.wording import counted

if TYPE_CHECKING:
    from main.history import Epoch
    from optimize.charts import Drawn
    from optimize.config import SweepConfig
    from optimize.rangetest import RangeTested
    from optimize.sweep import SweepResult


def say_resumable(config: SweepConfig) -> None:
    """That an interrupted sweep is not lost."""
    out.print(f"{config.name} can go on: run the same command again")


def summarise(result: SweepResult) -> None:
    """The winner, the files and the next command; what the verdict warns of, and its sentence last."""
    folder = result.results.folder
    if result.ending in ("interrupted", "terminated"):
        out.print(f"stopped with {counted(result.trained, 'trial')} trained; run the same command again to go on")
        return
    if result.trained == 0 and result.ending == "done":
        out.print("every trial is finished already; nothing was trained", highlight=False)
    if result.verdict is None:
        said = f"no trial of {folder} gave a usable result; the reasons are in {result.results.trials_file}"
        err.print(said, highlight=False, markup=False, soft_wrap=True)
        return
    say(f"report   {result.results.report}")
    say(f"tables   {result.results.trials_file}  {result.results.curves_file}")
    card = result.results.card() if result.exported else None
    if card is not None:
        say(f"model    {result.results.model_file}  {card['configuration']}: test accuracy {accuracy_of(card['test'])}")
        say(f"next     python -m main evaluate {shlex.quote(str(result.results.model_file))}")
    else:
        say(f"next     python -m optimize show {shlex.quote(str(folder))}")
    for warning in (*result.verdict.every_warning, *luck(card)):
        warn(warning)
    out.print(result.verdict.sentence, style="bold", highlight=False, markup=False, soft_wrap=True)


def summarise_range_test(tested: RangeTested) -> None:
    """The files, and of each configuration the rate that is suggested."""
    say(f"chart    {tested.results.rates_chart}")
    say(f"tables   {tested.results.rates_file}  {tested.results.rate_curves_file}")
    for reading in tested.readings:
        seeds = counted(reading.seeds, "seed")
        if reading.seeds > 1:
            seeds = f"{reading.suggested_low:.2g} to {reading.suggested_high:.2g} over {seeds}"
        say(f"{reading.configuration}: {reading.suggested:.2g} suggested ({seeds}), steepest at {reading.steepest:.2g}")
        for warning in reading.warnings:
            warn(f"{reading.configuration}: {warning}")


def say_skipped(drawn: Drawn, *, each: bool) -> None:
    """Which charts were not drawn: each with its reason, or their names alone where nobody asked for them."""
    if each:
        for name, reason in drawn.skipped.items():
            err.print(f"{name} is not drawn: {reason}", highlight=False, markup=False, soft_wrap=True)
    elif drawn.skipped:
        said = f"not for this sweep: {', '.join(drawn.skipped)} (--only NAME says why)"
        err.print(said, highlight=False, markup=False, soft_wrap=True)


def say_epoch(epoch: Epoch) -> None:
    """An epoch of a training that is made again."""
    say(
        f"epoch {epoch.epoch}  loss {epoch.loss:.4f}  val_accuracy {percent(epoch.val_accuracy)}  {epoch.seconds:.1f} s"
    )
