"""What every command shares: where it speaks, which sweeps it is given, and how it refuses."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from main.terminal import BAD_INPUT

if TYPE_CHECKING:
    from optimize.results import Results

COMPARISON = "comparison"  # the folder of a comparison's charts, beside the sweeps

out = Console(emoji=False)
err = Console(stderr=True, emoji=False)


def say(text: str) -> None:
    """A line as it stands: neither wrapped nor read as markup."""
    out.print(text, highlight=False, markup=False, soft_wrap=True)


def warn(text: str) -> None:
    """What a reader of a result must mind."""
    out.print(f"warning: {text}", style="yellow", highlight=False, markup=False, soft_wrap=True)


@contextlib.contextmanager
def bad_input() -> Iterator[None]:
    """Turn what a person can mend into one message and exit status 2; anything else is a fault of ours, and shown."""
    from main.complaints import ConfigError, render
    from main.errors import UserError, told

    try:
        yield
    except ConfigError as error:
        err.print(render(error.complaints), soft_wrap=True)
        raise typer.Exit(BAD_INPUT) from None
    except BrokenPipeError:  # whoever reads us has read enough
        raise
    except (UserError, OSError) as error:
        err.print(f"error: {told(error)}", style="red", highlight=False, markup=False, soft_wrap=True)
        raise typer.Exit(BAD_INPUT) from None


def results_for(config: Path, given: Path | None) -> Path:
    """The folder that is to hold a sweep's own: `given`, else results/study for configs/study/loss.yaml."""
    if given is not None:
        return given
    from optimize.config import RESULTS, group_of

    return RESULTS / group_of(config)


def existing_sweep(sweep: Path) -> Results:
    """A sweep that has been run, by its folder or its name; `bad_input` says it where there is none."""
    from main.errors import UserError
    from optimize.results import Results

    results = Results.existing(sweep)
    if results.is_range_test:
        raise UserError(f"{results.folder} holds a range test: see {results.rates_chart} and {results.rates_file}")
    results.refuse_cut_trials()
    return results


def existing_sweeps(sweeps: list[Path]) -> list[Results]:
    """The sweeps among `results/study/*`, where earlier comparisons and range tests stand beside them.

    A folder of sweeps stands for those directly in it. It is a mistake to name none.
    """
    from main.errors import UserError
    from optimize.results import Results

    if len(sweeps) == 1 and not _sweeps_within(sweeps[0]):
        return [existing_sweep(sweeps[0])]
    named = [sweep for sweep in sweeps if sweep.name != COMPARISON or (sweep / "sweep.yaml").exists()]
    existing = [Results.existing(one) for sweep in named for one in _sweeps_within(sweep) or [sweep]]
    for results in existing:
        if results.is_range_test:
            said = f"{results.folder} is left out: a range test has rates, and no verdict"
            err.print(said, highlight=False, markup=False, soft_wrap=True)
    found = [results for results in existing if not results.is_range_test]
    if not found:
        raise UserError(f"no sweep is left of {' '.join(map(str, sweeps))}")
    for results in found:
        results.refuse_cut_trials()
    return found


def _sweeps_within(folder: Path) -> list[Path]:
    """The sweeps directly in a folder that is none itself, without those that `--fresh` has set aside.

    As of a sweep, the folder's name under `results` will do.
    """
    from optimize.results import SET_ASIDE

    for place in (folder, Path("results") / folder):
        if (place / "sweep.yaml").exists():
            return []
        if files := sorted(place.glob("*/sweep.yaml")):
            return [file.parent for file in files if SET_ASIDE not in file.parent.name]
    return []
