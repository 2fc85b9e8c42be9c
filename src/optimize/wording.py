"""A verdict in words: accuracies in per cent and their differences in points, losses in their own unit."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from main.wording import counted as counted
from optimize.verdict import SEEDS_LIMIT, ChoiceSummary, PairComparison, TunedPair

CONDITION = "on this validation set and these seeds"
ON_FOLDS = "on these folds of the images"
_LONG_NUMBER = re.compile(r"\b\d+\.\d{7,}(e[-+]?\d+)?\b")
_LONGEST_NAME = 24
"""A longer label is not repeated in one sentence."""


def value_text(metric: str, value: float, *, precision: float | None = None) -> str:
    """A value of the metric with its unit: `98.91 %`, `0.0312`."""
    if is_accuracy(metric):
        return f"{number(100 * value, _decimals(100 * precision if precision else None))} %"
    return number(value, _decimals(precision or abs(value) / 10))


def difference_text(metric: str, difference: float, *, precision: float | None = None) -> str:
    """A difference with its unit: `0.31 points`, `0.0031 in val_loss`.

    Args:
        metric: Name of the metric.
        difference: In the metric's own unit: accuracies as fractions.
        precision: How exactly it is known, such as half the width of its interval, which is shown with two digits;
            None shows the difference itself with two digits.
    """
    number_, unit = _difference(metric, difference, precision or abs(difference))
    return f"{number_} {unit}"


def interval_text(metric: str, difference: float, low: float, high: float) -> tuple[str, str]:
    """A difference with its unit, and its interval: `("0.31 points", "95 % 0.12 to 0.50")`."""
    precision = (high - low) / 2 or abs(difference)
    ends = [_difference(metric, end, precision)[0] for end in (low, high)]
    return difference_text(metric, difference, precision=precision), f"95 % {ends[0]} to {ends[1]}"


def number(value: float, decimals: int) -> str:
    """A number with so many decimals, a true minus, and no minus before zero."""
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def is_accuracy(metric: str) -> bool:
    """Whether a metric is a fraction that is read in per cent."""
    return metric.endswith("accuracy")


def duration(seconds: float) -> str:
    """Seconds in words: `8 s`, `9 min 20 s`, `14 h 3 min`, `2 d 4 h`."""
    whole = round(seconds)
    for size, name, smaller, small in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {name}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def limit(seconds: float) -> str:
    """A limit of time in words: below a minute to the fraction that was written, `0.5 s`."""
    return duration(seconds) if seconds >= 60 else f"{seconds:g} s"


def trained_on(seed: int, fold: int | None) -> str:
    """What told one training of a configuration from the next: `seed 1`, or `seed 1, fold 2` where there are folds."""
    return f"seed {seed}" if fold is None else f"seed {seed}, fold {fold}"


def listed(items: Sequence[str], most: int = 5) -> str:
    """`max`, `max and blur`, `max, blur and stride`; of more than `most`, how many others there are."""
    shown = list(items) if len(items) <= most else [*items[:most], counted(len(items) - most, "other")]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def short(label: str) -> str:
    """A choice's label as a sentence can bear it: numbers of seven decimals or more with four digits."""
    return _LONG_NUMBER.sub(lambda found: f"{float(found[0]):.4g}", label)


def no_trial() -> str:
    """The sentence of a sweep without any complete trial."""
    return "There is no verdict: no trial is complete."


def no_verdict(complete: int) -> str:
    """The sentence of a sweep that has no verdict, of whose trials so many are complete."""
    if not complete:
        return no_trial()
    ended = f"{counted(complete, 'trial')} {'is' if complete == 1 else 'are'} complete"
    return f"No verdict yet: {ended}; run the sweep again, and it goes on to its end."


def one_choice(metric: str, choice: ChoiceSummary, noun: str = "seed") -> str:
    """The sentence of a sweep with a single choice."""
    if choice.low is None or choice.high is None:
        reached = value_text(metric, choice.mean)
        return f"{short(choice.choice)} reaches {reached} with one {noun}; there is nothing to compare it with."
    precision = (choice.high - choice.low) / 2
    mean, low, high = (value_text(metric, v, precision=precision) for v in (choice.mean, choice.low, choice.high))
    ends = f"{low.removesuffix(' %')} to {high.removesuffix(' %')}"
    return (
        f"{short(choice.choice)} reaches {mean} (95 % {ends}, {counted(choice.n, noun)}), {_condition(noun)}; "
        "there is nothing to compare it with."
    )


def one_seed(metric: str, choices: Sequence[ChoiceSummary], noun: str = "seed") -> str:
    """The sentence where every choice, best first, has a single seed, or fold."""
    best = choices[0].mean
    level = [short(choice.choice) for choice in choices if choice.mean == best]
    behind = counted(len(choices) - len(level), "other")
    if len(level) == 1:
        stand = f"{level[0]} is ahead of {behind} with {value_text(metric, best)}"
    else:
        stand = f"{listed(level)} are level at {value_text(metric, best)}"
        stand += f", ahead of {behind}" if len(level) < len(choices) else ""
    return f"No verdict is possible with one {noun}: {stand}, but how much {noun}s alone change that is not known."


def too_few_seeds(single: Sequence[str], noun: str = "seed") -> str:
    """The sentence where all choices but one have a single seed, or fold."""
    have = "has" if len(single) == 1 else "have"
    return (
        f"No verdict is possible: {listed([short(label) for label in single], most=3)} {have} one {noun} alone, "
        f"and how much {noun}s change that is not known."
    )


def no_shared_seed(winner: str, runner_up: str, noun: str = "seed") -> str:
    """The sentence where the best two have too few seeds, or folds, in common."""
    return f"No verdict is possible: {short(winner)} and {short(runner_up)} share no two {noun}s."


def verdict_sentence(
    metric: str,
    winner: str,
    pair: PairComparison,
    *,
    beaten: Sequence[str],
    open_: Sequence[str],
    single: Sequence[str] = (),
    alike: bool = True,
    noun: str = "seed",
) -> str:
    """The winner against the next best, and what of the others.

    Args:
        metric: Name of the metric.
        winner: Label of the choice with the best mean.
        pair: The winner and the next best.
        beaten: Of the other choices, those that the winner beats.
        open_: Of the other choices, those that it is not separable from.
        single: The choices with a single seed, or fold, which are compared with none.
        alike: Whether the two have the same seeds, and not just some in common.
        noun: What the pair was compared over: `seed`, or `fold`.
    """
    said = _verdict(metric, winner, pair, beaten, open_, alike, noun)
    return f"{said}, {_condition(noun)}.{_beside_single(single, noun)}"


def _verdict(
    metric: str,
    winner: str,
    pair: PairComparison,
    beaten: Sequence[str],
    open_: Sequence[str],
    alike: bool,
    noun: str,
) -> str:
    """What `verdict_sentence` says, without its condition."""
    better, worse = short(pair.better), short(pair.worse)
    shared = counted(pair.n, noun) if alike else f"the {counted(pair.n, noun)} that both have"
    first, second = (better, worse) if pair.better == winner else (worse, better)
    if not pair.decided:
        lead = f"{first} and {second} are not separable at {shared}{_what_would_decide(pair, noun)}"
        return f"{lead}{_beside_an_open_pair(first, beaten, open_)}"
    difference, interval = interval_text(metric, pair.difference, pair.low, pair.high)
    if first == worse:
        lead = f"{better} beats {worse} by {difference} ({interval}, {counted(pair.n, noun)})"
        return f"{first} has the best mean, but over the {noun}s that both have {lead}"
    return f"{better} beats {worse} by {difference} ({interval}, {shared}){_beside_a_decided_pair(beaten, open_)}"


def tuned_sentence(
    metric: str,
    closest: TunedPair,
    *,
    tried: str,
    beaten: Sequence[str],
    open_: Sequence[str],
    noun: str = "seed",
) -> str:
    """The winner among the choices of a factor, each at its expected best over the others' values.

    Args:
        metric: Name of the metric.
        closest: The winner and the next best.
        tried: Of what each is the best: `10 of its 20 configurations`.
        beaten: Of the other choices, those that the winner beats.
        open_: Of the other choices, those that it is not separable from.
        noun: What each configuration was trained on: `seed`, or `fold`.
    """
    winner, other = short(closest.better), short(closest.worse)
    if not closest.decided:
        lead = f"{winner} and {other}, each at the best to be expected of {tried}, are not separable"
        return f"{lead}{_beside_an_open_pair(winner, beaten, open_)}, {_condition(noun)}."
    difference, interval = interval_text(metric, closest.difference, closest.low, closest.high)
    lead = f"{winner} beats {other} by {difference} ({interval}), each at the best to be expected of {tried}"
    return f"{lead}{_beside_a_decided_pair(beaten, open_)}, {_condition(noun)}."


def _beside_single(single: Sequence[str], noun: str) -> str:
    if not single:
        return ""
    have, are = ("has", "is") if len(single) == 1 else ("have", "are")
    return f" {listed([short(label) for label in single], most=3)} {have} one {noun} alone, and {are} not compared."


def _condition(noun: str) -> str:
    return ON_FOLDS if noun == "fold" else CONDITION


def _what_would_decide(pair: PairComparison, noun: str) -> str:
    if pair.p == 1:
        return ", over which their means are the same"
    if pair.more_seeds is None:
        return f"; probably not even {SEEDS_LIMIT:,} would decide"
    anew = ", drawn with other seeds," if noun == "fold" else ""
    return f"; {pair.more_seeds:,} more{anew} would probably decide"


def _beside_a_decided_pair(beaten: Sequence[str], open_: Sequence[str]) -> str:
    if open_:
        return f", but is not separable from {listed([short(label) for label in open_])}"
    return f"; it also beats {_others(beaten, 'each')}" if beaten else ""


def _beside_an_open_pair(winner: str, beaten: Sequence[str], open_: Sequence[str]) -> str:
    name = winner if len(winner) <= _LONGEST_NAME else "the first"
    if beaten and open_:
        return f"; {name} beats {len(beaten):,} of the {len(beaten) + len(open_):,} others"
    if beaten:
        return f"; {name} beats {_others(beaten, 'each')}"
    return f"; {name} is not separable from {_others(open_, 'any')} either" if open_ else ""


def _others(labels: Sequence[str], every: str) -> str:
    if len(labels) > 1:
        return f"{every} of the {len(labels):,} others"
    name = short(labels[0])
    return name if len(name) <= _LONGEST_NAME else "the one other choice"


def _difference(metric: str, difference: float, precision: float) -> tuple[str, str]:
    if is_accuracy(metric):
        return number(100 * difference, _decimals(100 * precision)), "points"
    return number(difference, _decimals(precision)), f"in {metric}"


def _decimals(precision: float | None) -> int:
    """Decimals that show two digits of `precision`; two at least, eight at most."""
    if not precision or not math.isfinite(precision):
        return 2
    return min(8, max(2, 1 - math.floor(math.log10(abs(precision)))))
