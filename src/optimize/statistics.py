"""Verdicts: from a table of trials, which choice is best, by how much, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from main.history import Direction
from optimize import wording
from optimize.contest import Contest, resolution_of
from optimize.factor import factor_verdict
from optimize.paired import AGREEMENT_LEVEL, fit_additive, mean_interval, overlap_of
from optimize.soundness import nothing_learned, search_warnings
from optimize.space import SearchSpace, Value, Values
from optimize.trialtable import (
    blocks_of,
    by_choice_and_block,
    cell_label,
    judged_trials,
    own_label,
    swept_paths,
    usable,
    values_of,
)
from optimize.verdict import ChoiceSummary, FactorVerdict, PairComparison, Verdict

if TYPE_CHECKING:
    import pandas as pd

    from optimize.config import SweepConfig
    from optimize.proposals import Elimination

ABOUT_ONE = 1.5
"""A difference of fewer images than this is that of one."""
LAST_BITS = 0.01
"""Images by which equal means may differ, accuracies being of 32 bits."""

__all__ = ["ChoiceSummary", "FactorVerdict", "PairComparison", "Verdict", "judge", "judge_sweep"]


def judge(
    trials: pd.DataFrame,
    *,
    metric: str,
    direction: Direction,
    by: str = "configuration",
    notice: str | None = None,
    validation_images: int | None = None,
    baseline: str | None = None,
    folds: int | None = None,
) -> Verdict:
    """The verdict on a sweep's trials.

    Only complete trials with a finite metric count: pruned and failed ones are in no mean. Where there are complete
    trials of a confirmation, the verdict rests on them alone. Choices are compared in pairs, each over the seeds that
    both have; `optimize.paired` says how. The winner is the choice with the best mean, adjusted for the seeds that
    it missed; a choice with a single seed wins only where no choice has more.

    Args:
        trials: The table of trials.csv.
        metric: Which of its columns is compared.
        direction: Whether more of it is better.
        by: Column whose values are the choices: `configuration`, or a swept path, whose other swept parameters are
            then averaged over.
        notice: What must be said about the data, such as that they are not those asked for; repeated in `conditions`.
        validation_images: How many images an accuracy is a fraction of. It comes in steps of one image, and the same
            value in a few seeds is then no proof that there is no spread.
        baseline: The choice to beat; a warning says so where the sweep does not.
        folds: Into how many folds each seed's images were cut; the trials are then paired by seed and fold.
    """
    judged, purpose = judged_trials(trials)
    counted, noun = judged[usable(judged, metric)], "fold" if folds else "seed"
    choices, contest = _compared(judged, metric, direction, by, validation_images, folds)
    winner = choices[0].choice if choices else None
    return Verdict(
        metric=metric,
        direction=direction,
        by=by,
        purpose=purpose,
        choices=choices,
        pairs=contest.pairs if contest else (),
        groups=contest.groups() if contest else (),
        noise_floor=_noise_floor(choices),
        detectable=contest.detectable() if contest else None,
        pooled=bool(contest and contest.tests.pooled),
        agreement_p=float(contest.tests.agreement_p) if contest else None,
        winner=winner,
        values=values_of(counted, by, winner),
        decided=bool(contest and len(contest.labels) == len(choices) and contest.winner_beats.all()),
        sentence=_sentence(metric, choices, contest, noun),
        conditions=_conditions_of(counted, folds, validation_images, notice),
        warnings=(
            *_trial_warnings(judged, metric, by, noun),
            *_comparison_warnings(choices, contest, noun),
            *_baseline_warnings(baseline, choices, contest),
            *_step_warnings(metric, choices, validation_images, noun),
        ),
    )


def _compared(
    judged: pd.DataFrame,
    metric: str,
    direction: Direction,
    by: str,
    validation_images: int | None,
    folds: int | None,
) -> tuple[tuple[ChoiceSummary, ...], Contest | None]:
    """The choices, best first, and the contest of those that have more than one seed."""
    overlap, resolution = overlap_of(folds), resolution_of(metric, validation_images)
    values = _ranked(by_choice_and_block(judged, metric, by), direction)
    choices = tuple(_summary(str(label), row, metric, resolution, overlap) for label, row in values.iterrows())
    several = values[values.count(axis=1) > 1]
    return choices, Contest.of(several, direction, resolution=resolution, largest=_largest(metric), overlap=overlap)


def judge_sweep(
    trials: pd.DataFrame,
    config: SweepConfig,
    *,
    notice: str | None = None,
    validation_images: int | None = None,
    chance: float | None = None,
    eliminations: Sequence[Elimination] = (),
) -> Verdict:
    """The verdict on a sweep as its file asks for it: with its baseline, its factor, and doubts about its search.

    Args:
        trials: The table of trials.csv.
        config: The sweep.
        notice: What must be said about the data.
        validation_images: How many images an accuracy is a fraction of.
        chance: Accuracy on them of always naming their most frequent class.
        eliminations: The choices that have left its race.
    """
    metric, direction = config.study.metric, config.study.direction
    baseline = config.study.baseline
    verdict = judge(
        trials,
        metric=metric,
        direction=direction,
        notice=notice,
        validation_images=validation_images,
        baseline=None if baseline is None else config.space.configuration_label(config.space.complete(baseline)),
        folds=config.study.folds,
    )
    verdict = replace(verdict, values=_in_space(verdict.values, config.space))
    doubts = search_warnings(trials, config.space, verdict, config.allows)
    if chance is not None and validation_images:
        doubts = (*nothing_learned(trials, verdict, chance, validation_images), *doubts)
    verdict = replace(verdict, warnings=(*verdict.warnings, *_race_warnings(eliminations), *doubts))
    if config.study.compare is None or not verdict.choices:
        return verdict
    return _of_factor(verdict, trials, config, notice, validation_images)


def _of_factor(
    verdict: Verdict, trials: pd.DataFrame, config: SweepConfig, notice: str | None, validation_images: int | None
) -> Verdict:
    """The verdict on a factor, which rests on the search; after it stands that of a confirmation, on configurations."""
    study = config.study
    path = str(study.compare)
    column = trials[path].map(partial(own_label, config.space[path]), na_action="ignore")
    factor = factor_verdict(trials.assign(**{path: column}), path, metric=study.metric, direction=study.direction)
    noun = "fold" if study.folds else "seed"
    of_steps = _step_warnings(study.metric, verdict.choices, validation_images, noun)
    rest = tuple(said for said in verdict.warnings if said not in of_steps)
    if verdict.purpose == "search":  # which says nothing of single configurations
        return replace(verdict, factor=factor, decided=factor.decided, sentence=factor.sentence, warnings=rest)
    searched = trials[trials["purpose"] == "search"]
    pruned = _survivors(searched, study.metric, "configuration", noun)
    of_search = _conditions_of(searched, study.folds, validation_images, notice)
    of_finalists = [said for said in verdict.conditions if said not in of_search]
    return replace(
        verdict,
        factor=replace(factor, warnings=(*factor.warnings, *pruned)),
        decided=factor.decided,
        sentence=f"{factor.sentence} Among the finalists: {verdict.sentence}",
        warnings=(*rest, *(f"Among the finalists: {said[0].lower()}{said[1:]}" for said in of_steps)),
        conditions=(
            *of_search,
            *(f"Among the finalists: {said[0].lower()}{said[1:]}" for said in of_finalists),
        ),
    )


def _in_space(values: Values, space: SearchSpace) -> dict[str, Value]:
    """Values as the sweep file has them: a table has 7.0 where a whole number's column has gaps."""
    return {
        path: space[path].own(value) if path in space and value in space[path] else value
        for path, value in values.items()
    }


def _ranked(values: pd.DataFrame, direction: Direction) -> pd.DataFrame:
    """The rows, best first; those with a single seed after those with more."""
    if values.empty:
        return values
    means = fit_additive(values.to_numpy(dtype=np.float64)).means
    single = values.count(axis=1).to_numpy() == 1
    return values.iloc[np.lexsort((-means if direction == "maximize" else means, single))]


def _summary(label: str, values: pd.Series[float], metric: str, resolution: float, overlap: float) -> ChoiceSummary:
    """One choice, its mean's interval cut off where the metric ends."""
    present = values.dropna()
    mean, by_block = float(present.mean()), {int(str(block)): float(value) for block, value in present.items()}
    if len(present) == 1:
        return ChoiceSummary(label, 1, mean, None, None, None, by_block)
    deviation, low, high = mean_interval(present, resolution=resolution, overlap=overlap)
    return ChoiceSummary(label, len(present), mean, deviation, max(low, 0.0), min(high, _largest(metric)), by_block)


def _largest(metric: str) -> float:
    """The largest value of a metric, all of which start at zero."""
    return 1.0 if wording.is_accuracy(metric) else math.inf


def _noise_floor(choices: Sequence[ChoiceSummary]) -> float | None:
    """Standard deviation over the seeds of one choice, pooled over the choices by their degrees of freedom."""
    spreads = [(choice.n - 1, choice.std) for choice in choices if choice.std is not None]
    df = sum(n for n, _ in spreads)
    return math.sqrt(sum(n * std**2 for n, std in spreads) / df) if df else None


# Words


def _sentence(metric: str, choices: Sequence[ChoiceSummary], contest: Contest | None, noun: str) -> str:
    if not choices:
        return wording.no_trial()
    if len(choices) == 1:
        return wording.one_choice(metric, choices[0], noun)
    if contest is None and choices[0].n > 1:
        return wording.too_few_seeds([choice.choice for choice in choices if choice.n == 1], noun)
    if contest is None:
        return wording.one_seed(metric, choices, noun)
    if contest.closest is None:
        return wording.no_shared_seed(contest.labels[0], contest.labels[1], noun)
    rest = list(zip(contest.labels[2:], contest.winner_beats[1:], strict=True))
    own = {choice.choice: choice.n for choice in choices}
    return wording.verdict_sentence(
        metric,
        contest.labels[0],
        contest.closest,
        beaten=[label for label, beats in rest if beats],
        open_=[label for label, beats in rest if not beats],
        single=[label for label, n in own.items() if n == 1],
        alike=all(own[label] == contest.closest.n for label in contest.labels[:2]),
        noun=noun,
    )


def _conditions_of(
    trials: pd.DataFrame, folds: int | None, validation_images: int | None, notice: str | None
) -> tuple[str, ...]:
    """What is said of these trials alone."""
    seeds = sorted(set(trials["seed"]))
    if folds:
        return _fold_conditions(folds, seeds, validation_images, notice)
    return _conditions(seeds, validation_images, notice)


def _conditions(seeds: Sequence[int], validation_images: int | None, notice: str | None) -> tuple[str, ...]:
    images = f"these {validation_images:,} validation images" if validation_images else "this validation set"
    conditions = [f"Said of {images}: how another sample of images would rank the choices is not tested."]
    if seeds:
        drawn = wording.listed([str(seed) for seed in seeds], most=12)
        conditions.append(f"Said of {wording.counted(len(seeds), 'seed')} ({drawn}), taken as a sample of all seeds.")
    return (*conditions, notice) if notice else tuple(conditions)


def _fold_conditions(
    folds: int, seeds: Sequence[int], validation_images: int | None, notice: str | None
) -> tuple[str, ...]:
    size = f" of {validation_images:,} images each" if validation_images else ""
    drawn = f", drawn anew for each of {wording.counted(len(seeds), 'seed')}" if len(seeds) > 1 else ""
    conditions = [
        f"Said of {folds} stratified folds{size}{drawn}, each of which validated what the others trained.",
        "The folds' training images overlap; every interval of a mean or of a difference is widened for it by Nadeau "
        f"and Bengio's factor, 1 / n + 1 / {folds - 1} in place of 1 / n.",
    ]
    return (*conditions, notice) if notice else tuple(conditions)


def _trial_warnings(trials: pd.DataFrame, metric: str, by: str, noun: str) -> list[str]:
    """What became of the trials that are in no mean."""
    rows = trials[trials[by].notna()]
    found = []
    counts = usable(rows, metric)
    lost = rows[~counts & (rows["state"] != "pruned")]
    labels = rows[by].map(cell_label)
    for label, n in lost[by].map(cell_label).value_counts(sort=False).items():
        all_ = int((labels == label).sum())
        left = int((labels[counts] == label).sum())
        tried = f"{n:,} of {wording.counted(all_, 'trial')}"
        found.append(
            f"{label}: {tried} failed or diverged; its mean is over the {left:,} that did not."
            if left
            else f"{label}: no usable trial ({tried} failed or diverged), so it is not compared."
        )
    pruned = int((rows["state"] == "pruned").sum())
    if pruned:
        found.append(f"{wording.counted(pruned, 'trial')} pruned: cut short, and so in no mean.")
        found += _survivors(rows, metric, by, noun)
    if by != "configuration" and _differently_set(rows[counts], by):
        found.append(f"The choices of {by} were not trained with the same other values, over which their means run.")
    return found


def _survivors(rows: pd.DataFrame, metric: str, by: str, noun: str) -> list[str]:
    """A warning for choices that kept only some of their seeds, or folds: those on which they went well."""
    states = rows.assign(label=rows[by].map(cell_label), usable=usable(rows, metric), cut=rows["state"] == "pruned")
    by_label = states.groupby("label", sort=False)[["usable", "cut"]].sum()
    kept = by_label[(by_label["usable"] > 0) & (by_label["cut"] > 0)]
    if kept.empty or blocks_of(rows).nunique() < 2:
        return []
    named = [f"{label} ({row.usable} of {row.usable + row.cut})" for label, row in kept.iterrows()]
    return [
        f"Only some {noun}s survived the pruner: {wording.listed(named)}. Those are the {noun}s that went well, so "
        "that these choices look better than they are; `confirm` trains the finalists on fresh seeds."
    ]


def _differently_set(trials: pd.DataFrame, by: str) -> bool:
    others = [path for path in swept_paths(trials) if path != by]
    if not others:
        return False
    settings = {frozenset(map(tuple, rows[others].astype(str).to_numpy())) for _, rows in trials.groupby(by)}
    return len(settings) > 1


def _comparison_warnings(choices: Sequence[ChoiceSummary], contest: Contest | None, noun: str) -> list[str]:
    """What a reader must know of how the choices were compared."""
    if contest is None:
        return []
    found = []
    if len({frozenset(choice.values) for choice in choices if choice.n > 1}) > 1:
        found.append(f"The choices do not have the same {noun}s; each pair is compared over those that both have.")
    if contest.tests.agreement_p < AGREEMENT_LEVEL:
        found.append(
            f"The choices' spreads differ (p = {contest.tests.agreement_p:.2g}); each pair is judged by its own."
        )
    if ((contest.tests.spread == 0) & (contest.tests.difference != 0)).any():
        found.append(f"Some pairs differ by exactly the same in every {noun}; their error is taken to be zero.")
    return found


def _step_warnings(metric: str, choices: Sequence[ChoiceSummary], images: int | None, noun: str) -> list[str]:
    """Whether no more than about one of the images that an accuracy counts is between the best two choices.

    They are compared over the seeds or folds that both have, as pairs are.
    """
    if images is None or len(choices) < 2 or not wording.is_accuracy(metric):
        return []
    best, next_best = choices[:2]
    shared = best.values.keys() & next_best.values.keys()
    if not shared:
        return []
    between = images * abs(math.fsum(best.values[block] - next_best.values[block] for block in shared)) / len(shared)
    if not LAST_BITS < between < ABOUT_ONE:
        return []
    both = wording.listed([wording.short(choice.choice) for choice in (best, next_best)])
    counted = f"{images:,} validation images" if noun == "seed" else f"a fold's {images:,} validation images"
    on_average = " on average" if len(shared) > 1 else ""
    return [
        f"The best two, {both}, differ by {between:.2g} of {counted}{on_average}: an accuracy moves in steps of "
        f"{100 / images:.2g} points."
    ]


def _race_warnings(eliminations: Sequence[Elimination]) -> list[str]:
    """Which choices have fewer trials than others because they left a race, and what that spared."""
    if not eliminations:
        return []
    named = wording.listed([f"{elimination.choice} after {elimination.after}" for elimination in eliminations], most=10)
    spared = wording.counted(sum(elimination.spared for elimination in eliminations), "training")
    return [f"Out of the race, beaten by its leader: {named}. That spared {spared}."]


def _baseline_warnings(baseline: str | None, choices: Sequence[ChoiceSummary], contest: Contest | None) -> list[str]:
    """Whether the search was worth it."""
    labels = [choice.choice for choice in choices]
    if baseline is not None and labels and baseline not in labels:
        return [f"The baseline, {baseline}, is not compared: no trial of it is complete."]
    if baseline is None or len(labels) < 2:
        return []
    if labels[0] == baseline:
        return [f"Nothing that was compared ranks above the baseline, {baseline}."]
    if contest and baseline in contest.labels and not contest.winner_beats[contest.labels.index(baseline) - 1]:
        return [f"The winner, {labels[0]}, is not separable from the baseline, {baseline}."]
    return []
