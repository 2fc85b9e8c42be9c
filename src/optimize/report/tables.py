"""The report's tables, every cell as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from optimize import wording
from optimize.charts.evidence import MOST_CHOICES, Evidence
from optimize.effects import marginal_effects
from optimize.power import POWER
from optimize.replay import replay
from optimize.trialtable import has_folds, is_empty
from optimize.verdict import ChoiceSummary, FactorVerdict, PairComparison, TunedPair, Verdict

if TYPE_CHECKING:
    import pandas as pd

STATES = {"complete": "✓ complete", "pruned": "✂ pruned", "failed": "✗ failed"}
PURPOSES = {"search": "Search", "confirm": "Confirmation"}
NOTHING = "–"
DIFFERENCES = "Differences between choices"
_FORECAST = f" So many more decide an open pair with probability {POWER:g}, if it differs as much as it now seems to."


class Table(NamedTuple):
    """Rows of text under their titles."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    """How many of the first columns hold words; numbers follow, and are set flush right."""
    note: str = ""


class TrialTable(NamedTuple):
    """The trials of one purpose: a table whose last two columns, state and reason, are words again."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    """Each with the trial's state before its cells."""


def evidence_tables(evidence: Evidence) -> tuple[Table, ...]:
    """What the verdict rests on: the choices, their differences, and the single effects where several were swept."""
    verdict = evidence.verdict
    if verdict is None:
        return ()
    tables: list[Table] = []
    if verdict.factor:
        tables += _factor_tables(verdict.factor, evidence)
    if not verdict.factor or verdict.purpose == "confirm":
        tables += _choice_tables(verdict, evidence)
    return (*tables, *_effects_table(evidence), *_pruning_table(evidence))


def trial_tables(evidence: Evidence) -> tuple[TrialTable, ...]:
    """Every trial, those of the search and of the confirmation apart."""
    by_purpose = ((title, evidence.trials[evidence.trials["purpose"] == name]) for name, title in PURPOSES.items())
    return tuple(_trial_table(title, rows, evidence) for title, rows in by_purpose if len(rows))


# Choices


def _choice_tables(verdict: Verdict, evidence: Evidence) -> Iterable[Table]:
    shown = verdict.choices[:MOST_CHOICES]
    rest = len(verdict.choices) - len(shown)
    precision = _usual([(choice.low, choice.high) for choice in shown])
    yield Table(
        "Finalists, trained again on fresh seeds" if verdict.purpose == "confirm" else "Choices",
        ("choice", f"{evidence.noun}s", "mean", f"standard deviation{evidence.metric.unit}", "95 % interval"),
        tuple(_choice_row(choice, evidence, precision) for choice in shown),
        note=f"The best {len(shown)}; trials.csv has {wording.counted(rest, 'other')}." if rest else "",
    )
    if verdict.pairs:
        rows = tuple((*_pair_row(pair, evidence), _seeds_to_decide(pair)) for pair in verdict.pairs)
        yield _pair_table(
            rows,
            evidence.metric.unit,
            f"{evidence.noun}s to decide it",
            note="" if all(pair.decided for pair in verdict.pairs) else _FORECAST,
            title="Differences between finalists" if verdict.purpose == "confirm" else DIFFERENCES,
        )


def _choice_row(choice: ChoiceSummary, evidence: Evidence, precision: float | None) -> tuple[str, ...]:
    metric = evidence.metric
    return (
        _name(choice.choice, evidence),
        str(choice.n),
        metric.value(choice.mean, precision),
        NOTHING if choice.std is None else metric.bare(choice.std, precision or choice.std),
        _values(choice.low, choice.high, evidence, precision),
    )


def _factor_tables(factor: FactorVerdict, evidence: Evidence) -> Iterable[Table]:
    metric = evidence.metric
    precision = _usual([(choice.low, choice.high) for choice in factor.choices])
    yield Table(
        "Choices, each at its best",
        ("choice", "configurations", "usable", "best", "expected best", "95 % interval", "probability of being best"),
        tuple(
            (
                _name(choice.choice, evidence),
                f"{choice.n:,}",
                f"{choice.usable:,}",
                metric.value(choice.best, precision),
                metric.value(choice.expected_best, precision),
                _values(choice.low, choice.high, evidence, precision),
                f"{100 * choice.probability_best:.0f} %",
            )
            for choice in factor.choices
        ),
        note=f"Expected best: of {wording.counted(factor.budget, 'configuration')} drawn from those that were tried.",
    )
    if factor.pairs:
        yield _pair_table(tuple(_pair_row(pair, evidence) for pair in factor.pairs), evidence.metric.unit)


def _pair_table(
    rows: tuple[tuple[str, ...], ...], unit: str, *more: str, note: str = "", title: str = DIFFERENCES
) -> Table:
    columns = ("better", "worse", "separable", f"difference{unit}", "95 % interval", "p (Holm)", *more)
    note = f"Each interval stands on its own; p is corrected over all pairs.{note}"
    return Table(title, columns, rows, words=3, note=note)


def _pair_row(pair: PairComparison | TunedPair, evidence: Evidence) -> tuple[str, ...]:
    precision = (pair.high - pair.low) / 2 or pair.difference
    difference, low, high = (evidence.metric.bare(x, precision) for x in (pair.difference, pair.low, pair.high))
    return (
        _name(pair.better, evidence),
        _name(pair.worse, evidence),
        "yes" if pair.decided else "open",
        difference,
        f"{low} to {high}",
        "< 0.001" if pair.p_holm < 0.001 else f"{pair.p_holm:.3f}",
    )


def _seeds_to_decide(pair: PairComparison) -> str:
    if pair.decided:
        return ""
    return f"{pair.more_seeds:,} more" if pair.more_seeds else "out of reach"


def _name(label: str, evidence: Evidence) -> str:
    choice = evidence.choice(label)
    return choice.short if choice else wording.short(label)


def _usual(intervals: Sequence[tuple[float | None, float | None]]) -> float | None:
    """Half of the usual interval, whose two digits every number of a table gets; None without any."""
    halves = [(high - low) / 2 for low, high in intervals if low is not None and high is not None]
    return float(np.median(halves)) if halves else None


def _values(low: float | None, high: float | None, evidence: Evidence, precision: float | None) -> str:
    if low is None or high is None:
        return NOTHING
    return " to ".join(evidence.metric.value(end, precision).removesuffix(" %") for end in (low, high))


def _effects_table(evidence: Evidence) -> Iterable[Table]:
    effects = marginal_effects(evidence.searched, evidence.space, metric=evidence.metric.name)
    if effects["path"].nunique() < 2:
        return
    names = {parameter.path: parameter.name for parameter in evidence.parameters}
    # Where too few trials leave no intervals, the largest effect says how many digits all of them have.
    precision = _usual(list(effects[["low", "high"]].dropna().itertuples(index=False))) or effects["effect"].abs().max()
    yield Table(
        "What each value adds, all others held as they are",
        ("parameter", "value", "trials", f"effect{evidence.metric.unit}", "standard error", "95 % interval"),
        tuple(_effect_row(row, names[str(row.path)], evidence, precision) for row in effects.itertuples()),
        words=2,
        note=f"Least squares over all complete trials{evidence.of_search}; the effects of a parameter sum to zero.",
    )


def _effect_row(row: Any, name: str, evidence: Evidence, precision: float) -> tuple[str, ...]:
    effect, error, low, high = (
        NOTHING if is_empty(x) else evidence.metric.bare(x, precision)
        for x in (row.effect, row.standard_error, row.low, row.high)
    )
    return name, row.level, f"{row.n:,}", effect, error, NOTHING if low == NOTHING else f"{low} to {high}"


# Pruning


def _pruning_table(evidence: Evidence) -> Iterable[Table]:
    """What the pruners would have done to the complete trials of the search, where their curves can tell."""
    metric = evidence.metric
    rows = evidence.curves[evidence.curves["trial"].isin(evidence.searched["trial"])]
    found = replay([group.tolist() for _, group in rows.groupby("trial")[metric.name]], maximize=metric.maximize)
    if not found:
        return
    cut = " Trials that were pruned or failed left no whole curve and are left out."
    yield Table(
        "What each pruner would have done",
        ("pruner", "stops the best trial", "stops one of the best three", "epochs saved"),
        tuple((r.rule, *(f"{100 * x:.0f} %" for x in (r.dropped_best, r.dropped_finalist, r.saved))) for r in found),
        note=f"At their defaults, replayed on the curves of {wording.counted(len(evidence.searched), 'complete trial')}"
        f"{evidence.of_search}, one after the other, in {wording.counted(found[0].orders, 'random order')}; "
        "shares are of these orders." + (cut if len(evidence.searched) < len(evidence.search) else ""),
    )


# Trials


def _trial_table(title: str, rows: pd.DataFrame, evidence: Evidence) -> TrialTable:
    swept = (parameter.name for parameter in evidence.parameters)
    figures = (
        "seed",
        *(("fold",) if has_folds(evidence.trials) else ()),
        evidence.metric.text,
        "best epoch",
        "epochs",
        "time",
        "attempts",
    )
    return TrialTable(
        f"{title}: {wording.counted(len(rows), 'trial')}",
        ("trial", *swept, *figures, "state", "reason"),
        tuple((str(row["state"]), _trial_row(row, evidence)) for _, row in rows.iterrows()),
    )


def _trial_row(row: pd.Series[Any], evidence: Evidence) -> tuple[str, ...]:
    value, epoch, attempts = row[evidence.metric.name], row["epoch"], int(row["attempts"])
    state = str(row["state"])
    return (
        str(row["trial"]),
        *(parameter.short_label(row) or NOTHING for parameter in evidence.parameters),
        str(row["seed"]),
        *((f"{row['fold']:.0f}",) if has_folds(evidence.trials) else ()),
        NOTHING if is_empty(value) else evidence.metric.value(float(value)),
        NOTHING if is_empty(epoch) else f"{epoch:.0f}",
        str(row["epochs"]),
        f"{row['seconds']:.1f} s",
        f"{attempts} ↻" if attempts > 1 else str(attempts),
        STATES.get(state, state),
        "" if is_empty(row["reason"]) else str(row["reason"]),
    )
