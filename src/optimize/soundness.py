"""What makes a search doubtful, whatever its verdict: a best value on the edge, a space of mostly bad values.

After "Deep Learning Tuning Playbook" (Godbole et al. 2023), whose remedies are the ones that the warnings name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from optimize import wording
from optimize.space import Choices, Parameter, Range, SearchSpace, Values, label
from optimize.trialtable import cell_label, judged_trials, usable
from optimize.verdict import Verdict

if TYPE_CHECKING:
    import pandas as pd

EDGE = 0.05
"""Share of a range, on its own scale, that counts as its edge at either end; of choices, the last one does."""
BAD_ACCURACY = 0.1
"""An accuracy this far below the best is bad."""
BAD_LOSS = 2.0
"""A loss this many times the best is bad."""
MOST_BAD = 0.5
"""Share of trials that may be bad or failed before the space is said to be dominated by them."""
FEWEST_TRIALS = 8
"""Of fewer trials no share is taken."""


def search_warnings(
    trials: pd.DataFrame, space: SearchSpace, verdict: Verdict, allows: Callable[[Values], bool] = lambda _: True
) -> tuple[str, ...]:
    """Why the search behind a verdict may have missed better values.

    Args:
        trials: The table of trials.csv.
        space: What was swept.
        verdict: The verdict on these trials.
        allows: Whether there is a training with such values: no better ones are hoped for where there are none.
    """
    values = verdict.values
    edges = (_edge(p, values, allows) for p in space.parameters if p.path in values)
    return (*filter(None, edges), *_dominated(trials, verdict))


def nothing_learned(trials: pd.DataFrame, verdict: Verdict, chance: float, images: int) -> tuple[str, ...]:
    """A warning where the best choice classifies no better than always naming one class.

    Args:
        trials: The table of trials.csv.
        verdict: The verdict on these trials.
        chance: Accuracy of always naming the most frequent class of the validation images.
        images: How many of those there are.
    """
    from scipy.stats import binom

    rows = judged_trials(trials)[0]
    best = rows[usable(rows, verdict.metric) & (rows[verdict.by].map(cell_label) == verdict.winner)]
    if "val_accuracy" not in rows.columns or best.empty:
        return ()
    reached, highest = float(best["val_accuracy"].mean()), float(binom.ppf(0.975, images, chance)) / images
    if reached > highest:
        return ()
    return (
        f"Nothing was learned: the best choice, {verdict.winner}, reaches {100 * reached:.1f} %, and always naming the "
        f"most frequent class {100 * chance:.1f} % (up to {100 * highest:.1f} % on another {images:,} images).",
    )


def _edge(parameter: Parameter, values: Values, allows: Callable[[Values], bool]) -> str | None:
    """A warning where the best value is the least or greatest that was tried, and not the last that there is."""
    best = values[parameter.path]
    place = _place(parameter, best)
    if place is None or EDGE < place < 1 - EDGE:
        return None
    further = _beyond(parameter, greater=place > EDGE)
    if not any(allows({**values, parameter.path: value}) for value in further):
        return None
    end, extent = ("lower", "smaller") if place <= EDGE else ("upper", "larger")
    return (
        f"{parameter.path}: the best value, {label(best)}, lies on the {end} edge of what was tried ({parameter}); "
        f"{extent} values may be better still."
    )


def _beyond(parameter: Parameter, *, greater: bool) -> tuple[float, ...]:
    """The next values after the least or the greatest that was tried: the next number, and the next whole one."""
    tried = [parameter.low, parameter.high] if isinstance(parameter, Range) else _ordered(parameter)
    last = tried[-1 if greater else 0]
    return math.nextafter(last, math.inf if greater else -math.inf), round(last) + (1 if greater else -1)


def _place(parameter: Parameter, value: Any) -> float | None:
    """Where a value lies between the least (0) and the greatest (1); None where there is no such order."""
    if isinstance(parameter, Range):
        return _along(parameter.low, parameter.high, value, log=parameter.log)
    numbers = _ordered(parameter)
    if value not in numbers:
        return None
    return 0.0 if value == numbers[0] else 1.0 if value == numbers[-1] else 0.5


def _ordered(parameter: Choices) -> list[float]:
    """The choices by size where all are numbers and there are at least three: of two, either is an edge."""
    numbers = [v for v in parameter.values if isinstance(v, int | float) and not isinstance(v, bool)]
    return sorted(numbers) if len(numbers) == len(parameter.values) >= 3 else []


def _along(low: float, high: float, value: float, *, log: bool = False) -> float | None:
    if high <= low:
        return None
    if log:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return (value - low) / (high - low)


def _dominated(trials: pd.DataFrame, verdict: Verdict) -> list[str]:
    """A warning where most of the search's trials failed, or are far worse than the best."""
    searched = trials[trials["purpose"] == "search"] if "purpose" in trials.columns else trials
    ended = searched[searched["state"] != "pruned"]
    counted = usable(ended, verdict.metric)
    if len(ended) < FEWEST_TRIALS or not counted.any():
        return []
    values = ended.loc[counted, verdict.metric].to_numpy(dtype=np.float64)
    means = ended[counted].groupby("configuration")[verdict.metric].mean()  # a lucky seed is no better configuration
    accuracy = wording.is_accuracy(verdict.metric)
    bad = values < means.max() - BAD_ACCURACY if accuracy else values > BAD_LOSS * means.min()
    failed = int((~counted).sum())
    share = (int(bad.sum()) + failed) / len(ended)
    if share <= MOST_BAD:
        return []
    if not bad.any():  # which narrowing may not mend
        return [f"{100 * share:.0f} % of trials failed or diverged; the column reason of trials.csv says why."]
    far = f"{100 * BAD_ACCURACY:.0f} points below" if accuracy else f"{BAD_LOSS:g} times"
    ended_bad = f"failed or ended {far}" if failed else f"ended {far}"
    return [f"{100 * share:.0f} % of trials {ended_bad} the best: the search space is mostly bad; narrow it."]
