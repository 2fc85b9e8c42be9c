"""Simulated sweeps, to see that verdicts err as seldom as they say: `python tests/optimize/statistics_simulation.py`.

Each scenario draws 10,000 sweeps with a fixed seed (value = choice + seed + one training's noise) and puts them through
`optimize.paired.compare_pairs`, all at once; for a factor's verdict it is 1,000 sweeps, one by one. The figures in
docs/statistics.md are what this prints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from optimize.factor import factor_verdict
from optimize.paired import LEVEL, FloatArray, IntArray, PairedTests, compare_pairs, overlap_of
from optimize.power import detectable_difference, power, seeds_needed

REPLICATES = 10_000
SEED = 0


@dataclass(frozen=True)
class Scenario:
    """How the values of a simulated sweep come about."""

    name: str
    means: Sequence[float]
    """True mean of each choice, in standard deviations of one training."""
    seeds: int
    spreads: Sequence[float] = (1.0,)
    """Standard deviation of one training, of each choice or of all."""
    missing: Sequence[tuple[int, int]] = ()
    """Choice and seed of trials that failed."""
    heavy_tails: bool = False
    """Noise with Student's t distribution of 4 degrees of freedom, rather than normal."""

    def values(self) -> FloatArray:
        """(10,000, choices, seeds)."""
        rng = np.random.default_rng(SEED)
        shape = (REPLICATES, len(self.means), self.seeds)
        noise = rng.standard_t(4, shape) / np.sqrt(2) if self.heavy_tails else rng.standard_normal(shape)
        seed_effects = rng.standard_normal((REPLICATES, 1, self.seeds))
        spreads = np.broadcast_to(self.spreads, len(self.means))[:, None]
        values = np.asarray(self.means)[:, None] + seed_effects + spreads * noise
        for choice, seed in self.missing:
            values[:, choice, seed] = np.nan
        return np.asarray(values, dtype=np.float64)


@dataclass(frozen=True)
class Figures:
    """What came of a scenario, as shares of its replicates."""

    false_decisions: float
    """At least one pair of choices that are equal is called different, or one in the wrong direction."""
    coverage: float
    """The interval of a pair holds the true difference; mean over the pairs."""
    closest_coverage: float
    """The interval between the choice that looks best and the next best holds their true difference."""
    pooled: float
    """The error is pooled over all choices."""


EQUAL = tuple(
    Scenario(f"{choices} equal choices, {seeds} seeds", (0.0,) * choices, seeds)
    for choices, seeds in ((2, 3), (2, 5), (3, 3), (3, 5), (4, 3), (4, 5), (6, 5), (6, 10), (10, 5))
)
UNEQUAL = (
    Scenario("4 choices, each 0.5 behind the one before", (0.0, -0.5, -1.0, -1.5), 5),
    Scenario("two equal choices ahead of two that lag by 3", (0.0, 0.0, -3.0, -3.0), 5),
    Scenario("4 equal choices, a trial failed", (0.0,) * 4, 5, missing=((1, 2),)),
    Scenario("4 equal choices, two dropped after 3 of 8 seeds", (0.0,) * 4, 8,
             missing=tuple((choice, seed) for choice in (2, 3) for seed in range(3, 8))),
    Scenario("4 equal choices, 5 seeds, heavy tails", (0.0,) * 4, 5, heavy_tails=True),
    Scenario("6 equal choices, 3 seeds, heavy tails", (0.0,) * 6, 3, heavy_tails=True),
)  # fmt: skip
SPREAD = (
    Scenario("2 choices, spreads 1 and 10, 3 seeds", (0.0,) * 2, 3, (1.0, 10.0)),
    Scenario("3 choices, spreads 1 1 3, 3 seeds", (0.0,) * 3, 3, (1.0, 1.0, 3.0)),
    Scenario("4 choices, spreads 1 1 1 3, 5 seeds", (0.0,) * 4, 5, (1.0, 1.0, 1.0, 3.0)),
    Scenario("4 choices, spreads 1 1 1 10, 5 seeds", (0.0,) * 4, 5, (1.0, 1.0, 1.0, 10.0)),
    Scenario("4 choices, spreads 1 1 1 3, 10 seeds", (0.0,) * 4, 10, (1.0, 1.0, 1.0, 3.0)),
    Scenario("6 choices, spreads 1 1 1 1 1 5, 3 seeds", (0.0,) * 6, 3, (1.0,) * 5 + (5.0,)),
    Scenario("6 choices, spreads 1 1 1 1 1 5, 5 seeds", (0.0,) * 6, 5, (1.0,) * 5 + (5.0,)),
)  # fmt: skip


@cache
def figures(scenario: Scenario) -> Figures:
    """Errors and coverage of a scenario."""
    tests = compare_pairs(scenario.values())
    means = np.asarray(scenario.means)
    true = means[tests.first] - means[tests.second]
    decided = tests.p_holm <= LEVEL
    wrong = decided & ((true == 0) | (np.sign(true) != np.sign(tests.difference)))
    covered = (tests.low <= true) & (true <= tests.high)
    return Figures(
        false_decisions=float(wrong.any(-1).mean()),
        coverage=float(covered.mean()),
        closest_coverage=float(np.take_along_axis(covered, _closest(tests), -1).mean()),
        pooled=float(tests.pooled.mean()),
    )


def _closest(tests: PairedTests) -> IntArray:
    """(replicates, 1): index of the pair of the best mean and the next best."""
    order = np.argsort(-tests.fit.means, axis=-1)[:, :2]
    low, high = np.sort(order, axis=-1).T
    pair: IntArray = np.argmax((tests.first == low[:, None]) & (tests.second == high[:, None]), axis=-1)
    return pair[:, None]


@dataclass(frozen=True)
class Forecast:
    """A forecast of power, and what came of it."""

    name: str
    seeds: int
    forecast: float
    at_its_level: float
    """Share of replicates in which the pair's p is below the level that the forecast was made for."""
    decided: float
    """Share in which the pair is decided, with all of Holm's correction."""


def forecast_of_seeds(choices: int, difference: float) -> Forecast:
    """One choice leads the others, which are equal, by a true difference: the seeds said to decide do so."""
    level = LEVEL / (choices * (choices - 1) // 2)
    spread, per_block = np.sqrt(2.0), choices - 1
    seeds = int(seeds_needed(difference, spread=spread, df_per_block=per_block, level=level))
    forecast = float(power(difference, spread=spread, n=seeds, df_per_block=per_block, level=level))
    return _forecast(f"{choices} choices, ahead by {difference:g}", choices, difference, seeds, forecast, level)


def forecast_of_difference(choices: int, seeds: int) -> Forecast:
    """One choice leads the others by exactly the difference that is said to be detectable."""
    level = LEVEL / (choices * (choices - 1) // 2)
    difference = detectable_difference(spread=np.sqrt(2.0), n=seeds, df_per_block=choices - 1, level=level)
    name = f"{choices} choices, {seeds} seeds, the detectable difference {difference:.2f}"
    return _forecast(name, choices, difference, seeds, 0.8, level)


def _forecast(name: str, choices: int, difference: float, seeds: int, forecast: float, level: float) -> Forecast:
    tests = compare_pairs(Scenario("", (difference,) + (0.0,) * (choices - 1), seeds).values())
    return Forecast(
        name, seeds, forecast, float((tests.p[:, 0] <= level).mean()), float((tests.p_holm[:, 0] <= LEVEL).mean())
    )


def forecasts() -> list[Forecast]:
    """Every forecast of docs/statistics.md."""
    needed = [forecast_of_seeds(k, d) for k, d in ((2, 1.5), (2, 0.8), (3, 1.5), (4, 1.0), (6, 2.0))]
    return needed + [forecast_of_difference(k, n) for k, n in ((2, 3), (2, 5), (4, 3), (4, 5), (6, 10))]


def false_factor_decisions(choices: int, configurations: int, sweeps: int) -> float:
    """Share of sweeps in which a factor's equal choices are told apart; 4 in 10 configurations do not learn."""
    labels = np.repeat([f"choice {i}" for i in range(choices)], configurations)
    found = 0
    for seed in range(sweeps):
        rng = np.random.default_rng((SEED, seed))
        accuracy = np.where(rng.random(len(labels)) < 0.4, 0.1, rng.normal(0.98, 0.003, len(labels)))
        trials = pd.DataFrame({"factor": labels, "configuration": range(len(labels)), "accuracy": accuracy})
        verdict = factor_verdict(trials.assign(state="complete"), "factor", metric="accuracy", direction="maximize")
        found += any(pair.decided for pair in verdict.pairs)
    return found / sweeps


FACTORS = ((2, 4), (2, 5), (2, 10), (2, 20), (2, 50), (4, 10), (4, 30), (6, 6), (10, 7), (10, 8))


@dataclass(frozen=True)
class Folding:
    """How two equally good learners are compared over folds of one drawn set of images."""

    name: str
    folds: int
    draws: int
    """How often the folds are drawn; a seed each."""

    def values(self, sets: int = 2_000, images: int = 200, features: int = 5) -> FloatArray:
        """(sets, 2, folds · draws): accuracies of nearest-mean classifiers, each on features of its own.

        The features are drawn alike, so that neither learner is better but by its luck with the set.
        """
        found = np.empty((sets, 2, self.folds * self.draws))
        size = images // self.folds
        for number in range(sets):
            rng = np.random.default_rng((SEED, number))
            labels = rng.permutation(np.arange(images) % 2)
            points = rng.standard_normal((2, images, features)) + 0.5 * labels[:, None]
            for draw in range(self.draws):
                order = rng.permutation(images)
                for fold in range(self.folds):
                    held_out = order[fold * size : (fold + 1) * size]
                    train = np.setdiff1d(order, held_out)
                    means = [points[:, train[labels[train] == label]].mean(1, keepdims=True) for label in (0, 1)]
                    distances = [((points[:, held_out] - mean) ** 2).sum(-1) for mean in means]
                    found[number, :, draw * self.folds + fold] = (
                        (distances[1] < distances[0]) == labels[held_out]
                    ).mean(-1)
        return found

    def false_decisions(self) -> tuple[float, float]:
        """Share of sets in which the two are called different: by the naive test, by the corrected one."""
        values = self.values()
        naive, corrected = (compare_pairs(values, overlap=o).p_holm <= LEVEL for o in (0.0, overlap_of(self.folds)))
        return float(naive.mean()), float(corrected.mean())


FOLDINGS = (Folding("5 folds, drawn once", 5, 1), Folding("5 folds, drawn 4 times", 5, 4))


def tables() -> str:
    """The tables of docs/statistics.md."""
    rows = [_row("scenario", "false decisions", "coverage", "coverage, best two", "pooled"), _row(*["---"] * 5)]
    for scenario in (*EQUAL, *UNEQUAL, *SPREAD):
        found = figures(scenario)
        shares = (found.false_decisions, found.coverage, found.closest_coverage, found.pooled)
        rows.append(_row(scenario.name, *map(_percent, shares)))
    rows += ["", _row("forecast", "seeds", "power said", "power found", "decided, with Holm"), _row(*["---"] * 5)]
    for forecast in forecasts():
        shares_ = (forecast.forecast, forecast.at_its_level, forecast.decided)
        rows.append(_row(forecast.name, str(forecast.seeds), *map(_percent, shares_)))
    rows += ["", _row("choices of a factor", "configurations of each", "false decisions"), _row(*["---"] * 3)]
    for choices, configurations in FACTORS:
        share = false_factor_decisions(choices, configurations, sweeps=1_000)
        rows.append(_row(str(choices), str(configurations), _percent(share)))
    rows += ["", _row("folds", "naive test", "corrected test"), _row(*["---"] * 3)]
    rows += [_row(folding.name, *map(_percent, folding.false_decisions())) for folding in FOLDINGS]
    return "\n".join(rows)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


if __name__ == "__main__":
    print(tables())
