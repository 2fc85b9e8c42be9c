"""What a verdict says: plain frozen records that verdict.json keeps, and that the report and the charts read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from pydantic import TypeAdapter

from main.history import Direction
from optimize.tables import DamagedFile
from optimize.trial import Purpose

if TYPE_CHECKING:
    from optimize.results import Results

SEEDS_LIMIT = 1_000
"""No forecast goes beyond this many seeds."""


@dataclass(frozen=True)
class ChoiceSummary:
    """One choice over its seeds, in the metric's own unit (accuracies as fractions)."""

    choice: str
    """Its label, as in the tables."""
    n: int
    """Seeds with a complete trial."""
    mean: float
    std: float | None
    """Standard deviation over seeds; None with one seed."""
    low: float | None
    """Lower end of the mean's 95 % t interval; None with one seed."""
    high: float | None
    values: dict[int, float]
    """The metric by seed; a mean where several trials of the choice share a seed."""


@dataclass(frozen=True)
class PairComparison:
    """Two choices, compared over the seeds that both have."""

    better: str
    worse: str
    difference: float
    """By how much `better` is better, whichever way the metric runs: never negative."""
    low: float
    """Lower end of the difference's 95 % interval, of this pair on its own."""
    high: float
    p: float
    """Of the two-sided paired t test."""
    p_holm: float
    """`p` after Holm's correction over all pairs of the sweep."""
    n: int
    """Seeds that both have."""
    decided: bool
    """Whether the two are separable: `p_holm` is at most 0.05."""
    seeds_needed: int | None
    """Seeds in all that would decide an open pair with probability 0.8, if it differs by as much as it now seems to;
    None where it is decided, and where not even 1,000 seeds would."""

    @property
    def more_seeds(self) -> int | None:
        """Seeds to add to those it has; None as in `seeds_needed`."""
        return None if self.seeds_needed is None else self.seeds_needed - self.n


@dataclass(frozen=True)
class TunedChoice:
    """One choice of the factor, at its best over the nuisances."""

    choice: str
    n: int
    """Configurations tried with it, those that failed or were pruned included."""
    usable: int
    """How many of them have a complete trial."""
    best: float
    """Metric of the best of them: the luckiest, and so too good."""
    best_configuration: str
    expected_best: float
    """Mean metric of the best of `budget` configurations drawn from those tried: what the choices are ranked by."""
    low: float
    """Lower end of the 95 % interval of the best of `budget`."""
    high: float
    probability_best: float
    """Share of the bootstrap's replicates in which this choice is the best."""


@dataclass(frozen=True)
class TunedPair:
    """Two choices of the factor, each at its best over the nuisances."""

    better: str
    worse: str
    difference: float
    """Difference of the expected bests: never negative."""
    low: float
    high: float
    p: float
    """Two-sided, from the bootstrap."""
    p_holm: float
    decided: bool


@dataclass(frozen=True)
class FactorVerdict:
    """The choices of one swept parameter, every other one tuned within each choice."""

    factor: str
    """Its full path."""
    choices: tuple[TunedChoice, ...]
    """Best first."""
    pairs: tuple[TunedPair, ...]
    budget: int
    """Configurations whose best is compared: half of what the least tried choice has."""
    winner: str | None
    decided: bool
    """Whether the winner beats every other choice."""
    sentence: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """Which choice is best, by how much, and how sure that is."""

    metric: str
    direction: Direction
    by: str
    """Column whose values are the choices: `configuration`, or a swept path."""
    purpose: Purpose
    """Which trials it rests on: those of the confirmation alone, where there are any."""
    choices: tuple[ChoiceSummary, ...]
    """Best first."""
    pairs: tuple[PairComparison, ...]
    """All pairs; of more than 40 choices those of the winner alone."""
    groups: tuple[tuple[str, ...], ...]
    """Runs of choices, best first, of which no two are separable; a choice may be in several."""
    noise_floor: float | None
    """Standard deviation over the seeds of one configuration, pooled over all; None with one seed."""
    detectable: float | None
    """Smallest true difference that the pairs' test detects with probability 0.8, at its strictest Holm step."""
    pooled: bool
    """Whether the error is pooled over all choices rather than each pair's own."""
    agreement_p: float | None
    """P of the test that the variances of all differences agree."""
    winner: str | None
    """Label of the best mean; None where no trial is complete."""
    values: dict[str, Any]
    """The winner's swept values by full path."""
    decided: bool
    """Whether the winner beats every other choice; of a sweep that compares a factor, whether the factor's does."""
    sentence: str
    conditions: tuple[str, ...]
    """What the verdict is conditional on, a sentence each."""
    warnings: tuple[str, ...] = ()
    factor: FactorVerdict | None = None
    """Where the sweep compares a factor: its choices, each at its best."""

    @property
    def every_warning(self) -> tuple[str, ...]:
        """Its own warnings, and those of its factor."""
        return self.warnings + (self.factor.warnings if self.factor else ())

    def pair(self, one: str, other: str) -> PairComparison | None:
        """The comparison of two choices, in either order; None where there is none."""
        return next((pair for pair in self.pairs if {pair.better, pair.worse} == {one, other}), None)

    def to_dict(self) -> dict[str, Any]:
        """What verdict.json holds."""
        return dict(_adapter().dump_python(self, mode="json"))

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """The verdict that these fields describe.

        Raises:
            pydantic.ValidationError: it is no verdict; the message names what is missing or wrong.
        """
        verdict: Self = _adapter().validate_python(content)
        return verdict


def read_verdict(results: Results) -> Verdict | None:
    """The verdict that a sweep's folder keeps; None while there is none.

    Raises:
        DamagedFile: the file holds no verdict, or one of another version.
    """
    stored = results.verdict()
    if stored is None:
        return None
    try:
        return Verdict.from_dict(stored)
    except ValueError as error:  # pydantic's
        raise DamagedFile(results.verdict_file, "no verdict, or another version's") from error


@cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(Verdict)
