"""Whether an exported file is far better or worse than its configuration's trainings usually are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from main.card import section_of
from main.history import DIRECTIONS
from main.wording import figure_of


def luck(card: Mapping[str, Any] | None) -> tuple[str, ...]:
    """A sentence where a file is far better or worse than its configuration's trainings usually are; else none.

    Far is outside the 95 % prediction interval of one training more.
    """
    metrics = section_of(card, "metrics")
    name = next((name for name in DIRECTIONS if "mean" in section_of(metrics, name)), "")
    judged, of_file = section_of(metrics, name), section_of(metrics, f"{name} of this file")
    value, mean, n = map(_number, ((of_file or judged).get("value"), judged.get("mean"), judged.get("n")))
    reach = _reach(card or {}, judged)
    if value is None or mean is None or n is None or reach is None:
        return ()
    if abs(value - mean) <= reach or math.isclose(value, mean, rel_tol=1e-9):  # equal ones differ in their last bits
        return ()
    is_above = value > mean
    is_lucky = is_above == (DIRECTIONS[name] == "maximize")
    highest = 1.0 if "accuracy" in name else math.inf
    ends = [figure_of(name, end).removesuffix(" %") for end in (max(mean - reach, 0.0), min(mean + reach, highest))]
    what = "file" if of_file else "training"
    return (
        f"The exported {what}'s {name}, {figure_of(name, value)}, is far {'above' if is_above else 'below'} where one "
        f"training of its configuration ends, going by the {n:.0f} that were judged ({' to '.join(ends)}): "
        + ("it was lucky, and the test accuracy tells more." if is_lucky else "it was unlucky, and others do better."),
    )


def _reach(card: Mapping[str, Any], judged: Mapping[str, Any]) -> float | None:
    """How far from the mean the 95 % prediction interval of one training more reaches; None where nothing tells.

    The mean's own interval, of variance v (1 / n + overlap), is widened to v (1 / n + 1). Its end that lies farther
    from the mean is taken: the other one may have been cut off where the metric ends.
    """
    mean, low, high, n = (_number(judged.get(key)) for key in ("mean", "low", "high", "n"))
    folds = _number(card.get("folds"))
    is_told = folds is None if card.get("fold") is None else folds is not None and folds > 1
    if mean is None or low is None or high is None or n is None or n < 2 or not is_told:
        return None
    overlap = 0.0 if folds is None else 1 / (folds - 1)
    return max(high - mean, mean - low) * math.sqrt((1 / n + 1) / (1 / n + overlap))


def _number(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
    except OverflowError:  # a whole number that no float holds
        return None
