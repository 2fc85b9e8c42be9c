"""What the charts show, held against the same figures worked out another way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake_results
import numpy as np
import pandas as pd
import pytest
from fake_results import FAKES
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from optimize.charts.drawing.landscape import draw_parallel
from optimize.charts.evidence import MOST_CHOICES, Evidence, read_evidence
from optimize.charts.numbers.choices import choice_rows
from optimize.charts.numbers.common import NotForThisSweep
from optimize.charts.numbers.differences import differences
from optimize.charts.numbers.effects import effects, marginal, strength
from optimize.charts.numbers.history import history
from optimize.charts.numbers.importances import importances
from optimize.charts.numbers.landscape import contour, parallel, rank, slices
from optimize.charts.numbers.learning import learning_curves
from optimize.charts.numbers.progress import epochs_saved, intermediate_values, timeline
from optimize.charts.numbers.spread import edf, front, pareto
from optimize.charts.page import Page, drawing_rules
from optimize.statistics import judge

Read = Callable[..., Evidence]
Compute = Callable[[Evidence], Any]

FLAT = {"accuracy": lambda values, rng: 0.97}
TWO_RANGES = {
    "train.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
    "model.dropout": {"low": 0.0, "high": 0.6},
}
RANDOM = {"sampler": "random", "trials": 40, "confirm": None}
FACTOR = {**FAKES["joint"].study, "compare": "model.pooling"}


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    """Reads one of the made-up sweeps, changed where asked."""
    kept: dict[str, Evidence] = {}

    def of(name: str, **changes: object) -> Evidence:
        if changes:
            return read_evidence(fake_results.made(tmp_path_factory.mktemp("sweep"), name, **changes))
        if name not in kept:
            kept[name] = read_evidence(fake_results.made(tmp_path_factory.mktemp("sweep"), name))
        return kept[name]

    return of


def dropouts(n: int) -> dict[str, object]:
    return {"model.dropout": {"choices": [round(i / 50, 2) for i in range(n)]}}


SLOPED = {
    "model.activation": {"choices": ["relu", "leaky_relu"]},
    "model.leaky_relu_slope": {"choices": [0.01, 0.3], "when": {"model.activation": "leaky_relu"}},
    "model.dropout": {"choices": [0.1, 0.2]},
}


class TestEvidence:
    def test_numeric_choices_are_ordered_by_value_and_others_as_the_file_has_them(self, read: Read) -> None:
        shuffled = {"train.learning_rate": {"choices": [1e-2, 1e-4, 1e-3]}}
        evidence = read("learning_rate", swept=shuffled, **FLAT)
        assert [choice.label for choice in evidence.choices] == ["0.0001", "0.001", "0.01"]
        assert [choice.label for choice in read("pooling").choices] == ["max", "average", "stride", "blur"]

    def test_configurations_are_shortened_to_their_values(self, read: Read) -> None:
        choice = read("cube").choices[0]
        assert choice.label == "pooling=max dropout=0.0 learning_rate=0.001"
        assert choice.short == "max · 0.0 · 0.001"
        assert read("cube").compared == "pooling · dropout · learning_rate"
        assert read("cube").shortened(f"{choice.label} wins") == "max · 0.0 · 0.001 wins"

    def test_so_are_those_in_which_one_parameter_is_on(self, read: Read) -> None:
        when = {
            "model.activation": {"choices": ["relu", "leaky_relu"]},
            "model.leaky_relu_slope": {"choices": [0.01, 0.1], "when": {"model.activation": "leaky_relu"}},
        }
        evidence = read("pooling", swept=when, **FLAT)
        said = "activation=relu and activation=leaky_relu leaky_relu_slope=0.1 are not separable"
        assert evidence.shortened(said) == "relu and leaky_relu · 0.1 are not separable"

    def test_a_value_keeps_its_place_where_the_one_before_it_is_off(self, read: Read) -> None:
        evidence = read("pooling", swept=SLOPED, **FLAT)
        names = {"relu · –", "leaky_relu · 0.01", "leaky_relu · 0.3"}
        assert {choice.short for choice in evidence.choices} == {f"{n} · {d}" for n in names for d in (0.1, 0.2)}
        assert evidence.compared == "activation · leaky_relu_slope · dropout"
        plain = evidence.trials["model.activation"] == "relu"
        alike = replace(evidence, trials=evidence.trials[plain])
        assert {choice.short for choice in alike.choices} == {"relu · 0.1", "relu · 0.2"}
        assert alike.compared == "activation · dropout"

    def test_so_are_those_that_are_not_compared(self, read: Read) -> None:
        cube = read("cube")
        lost = cube.trials["configuration"] == "pooling=max dropout=0.5 learning_rate=0.01"
        trials = cube.trials.assign(state=np.where(lost, "failed", cube.trials["state"]))
        evidence = replace(cube, trials=trials)
        assert "max · 0.5 · 0.01" not in [choice.short for choice in evidence.choices]
        said = "pooling=max dropout=0.5 learning_rate=0.01: no usable trial"
        assert evidence.shortened(said) == "max · 0.5 · 0.01: no usable trial"

    def test_a_confirmation_is_judged_alone(self, read: Read) -> None:
        evidence = read("joint")
        assert evidence.confirmed
        assert len(evidence.choices) == 3
        assert set(evidence.judged["purpose"]) == {"confirm"}
        assert len(evidence.complete) > len(evidence.judged)

    def test_a_factor_is_compared_over_every_configuration_of_the_search(self, read: Read) -> None:
        evidence = read("joint", study=FACTOR)
        assert [choice.label for choice in evidence.choices] == ["max", "average", "stride"]
        assert set(evidence.judged["purpose"]) == {"search"}
        assert len(evidence.judged) == len(evidence.complete) - 15
        assert not evidence.confirmed

    def test_too_many_configurations_are_no_choices(self, read: Read) -> None:
        assert len(read("pooling", swept=dropouts(MOST_CHOICES), study={"seeds": 1}, **FLAT).choices) == MOST_CHOICES
        assert read("pooling", swept=dropouts(MOST_CHOICES + 1), study={"seeds": 1}, **FLAT).choices == ()

    def test_the_best_trial_is_the_one_with_the_best_metric(self, read: Read) -> None:
        evidence = read("pooling", study={"seeds": 2, "metric": "val_loss"})
        assert evidence.best is not None
        assert evidence.best["val_loss"] == evidence.trials["val_loss"].min()

    def test_the_best_trial_is_one_of_the_search(self, read: Read) -> None:
        evidence = read("joint")
        values = evidence.trials["val_accuracy"].where(evidence.trials["purpose"] == "search", 1)
        best = replace(evidence, trials=evidence.trials.assign(val_accuracy=values)).best
        assert best is not None
        assert best["val_accuracy"] == evidence.searched["val_accuracy"].max() < 1


class TestSearchBesideConfirmation:
    """Finalists that are trained again are no draws: what describes the search is as if they were not there."""

    @pytest.mark.parametrize(
        "compute",
        [
            importances, marginal, effects, slices, rank, contour, parallel, history, intermediate_values, edf,
            pareto, choice_rows, learning_curves,
        ],
    )  # fmt: skip
    def test_of_a_factor_every_chart_is_that_of_the_search(self, read: Read, compute: Compute) -> None:
        evidence = read("joint", study=FACTOR)
        assert said_of(compute(evidence)) == said_of(compute(without_confirmation(evidence)))

    @pytest.mark.parametrize("compute", [marginal, effects, slices, rank, parallel, edf])
    def test_of_configurations_so_is_every_chart_of_parameters(self, read: Read, compute: Compute) -> None:
        evidence = read("joint")
        assert said_of(compute(evidence)) == said_of(compute(without_confirmation(evidence)))

    def test_captions_say_whose_trials_they_are(self, read: Read) -> None:
        for compute in (importances, effects, slices, rank, contour, parallel, history, intermediate_values, edf):
            assert " of the search" in compute(read("joint")).caption
            assert " of the search" not in compute(without_confirmation(read("joint"))).caption

    def test_costs_of_finalists_are_those_of_their_confirmation(self, read: Read) -> None:
        evidence = read("joint")
        for cost in pareto(evidence).costs:
            assert len(cost.trials[0]) == 15
            for choice, _, value in cost.groups:
                assert choice is not None
                own = evidence.judged[evidence.judged["choice"] == choice.label]
                assert value == pytest.approx([own["val_accuracy"].mean()])


def without_confirmation(evidence: Evidence) -> Evidence:
    curves = evidence.curves[evidence.curves["trial"].isin(evidence.search["trial"])]
    return replace(evidence, trials=evidence.search, curves=curves)


def said_of(numbers: object) -> str:
    """All that a chart shows, to the last digit, but for the words that tell a search from its confirmation."""
    with np.printoptions(threshold=10_000, floatmode="unique"):
        return repr(numbers).replace(" of the search", "")


class TestLearningCurves:
    def test_lines_are_means_over_seeds(self, read: Read) -> None:
        evidence = read("pooling")
        accuracy = learning_curves(evidence).panels[0]
        assert accuracy.metric.name == "val_accuracy"
        for curve in accuracy.curves:
            rows = evidence.curves[evidence.curves["model.pooling"] == curve.choice.label]
            np.testing.assert_allclose(curve.mean, rows.groupby("epoch")["val_accuracy"].mean())
            assert curve.seeds == 5

    def test_bands_are_t_intervals_of_three_seeds_and_more(self, read: Read) -> None:
        evidence = read("pooling")
        curve = learning_curves(evidence).panels[1].curves[0]
        rows = evidence.curves[evidence.curves["model.pooling"] == "max"]
        last = rows[rows["epoch"] == 6]["val_loss"]
        low, high = stats.t.interval(0.95, 4, last.mean(), stats.sem(last))
        assert (curve.low[-1], curve.high[-1]) == pytest.approx((low, high))

    def test_bands_of_folds_are_as_wide_as_the_intervals_of_their_choices(self, read: Read) -> None:
        evidence = replace(read("pooling"), folds=5)
        curve, plain = (learning_curves(e).panels[1].curves[0] for e in (evidence, read("pooling")))
        wider = np.sqrt((1 / 5 + 1 / 4) / (1 / 5))
        np.testing.assert_allclose(curve.high - curve.mean, wider * (plain.high - plain.mean))

    def test_bands_end_where_the_metric_does(self, read: Read) -> None:
        numbers = learning_curves(read("pooling", study={"seeds": 3}, noise=0.05))
        accuracy, loss = numbers.panels
        assert max(curve.high.max() for curve in accuracy.curves) == 1.0
        assert min(curve.low.min() for curve in loss.curves) == 0.0

    def test_bands_reach_from_the_lowest_to_the_highest_of_two_seeds(self, read: Read) -> None:
        evidence = read("pooling", study={"seeds": 2})
        numbers = learning_curves(evidence)
        rows = evidence.curves[evidence.curves["model.pooling"] == "max"].groupby("epoch")["val_accuracy"]
        np.testing.assert_allclose(numbers.panels[0].curves[0].low, rows.min())
        np.testing.assert_allclose(numbers.panels[0].curves[0].high, rows.max())
        assert "lowest to the highest" in numbers.caption

    def test_one_seed_says_that_it_has_no_interval(self, read: Read) -> None:
        single = learning_curves(read("pooling", study={"seeds": 1})).caption
        assert single == "Lines: the one seed of each, with which no interval can be given."

    def test_curves_cut_short_are_in_no_mean(self, read: Read) -> None:
        evidence = read("pooling", pruned=0.3, study={"seeds": 8})
        cut = evidence.curves["state"] == "pruned"
        assert cut.any()
        without = replace(evidence, curves=evidence.curves[~cut])
        for ours, theirs in zip(
            learning_curves(evidence).panels[0].curves, learning_curves(without).panels[0].curves, strict=True
        ):
            np.testing.assert_array_equal(ours.mean, theirs.mean)
            assert len(ours.mean) == 6

    def test_a_seed_that_stopped_early_ends_the_mean_for_all(self, read: Read) -> None:
        evidence = read("pooling")
        early = evidence.curves["trial"].eq(0) & evidence.curves["epoch"].gt(4)
        curves = learning_curves(replace(evidence, curves=evidence.curves[~early])).panels[0].curves
        assert [len(curve.mean) for curve in curves] == [4, 6, 6, 6]

    def test_a_swept_loss_is_shown_by_the_common_crossentropy(self, read: Read) -> None:
        swept = {"train.loss": {"choices": ["crossentropy", "mse"]}}
        assert learning_curves(read("pooling", swept=swept, **FLAT)).panels[1].metric.name == "val_crossentropy"
        assert learning_curves(read("pooling")).panels[1].metric.name == "val_loss"

    def test_many_choices_go_without_bands(self, read: Read) -> None:
        numbers = learning_curves(read("pooling", swept=dropouts(11), study={"seeds": 3}, **FLAT))
        curve = numbers.panels[0].curves[0]
        np.testing.assert_array_equal(curve.low, curve.mean)
        assert "hide" in numbers.caption

    def test_says_who_leads_at_the_end(self, read: Read) -> None:
        evidence = read("learning_rate")
        last = evidence.curves[evidence.curves["epoch"] == 6].groupby("train.learning_rate")["val_accuracy"].mean()
        first, second = last.sort_values(ascending=False)[:2]
        assert learning_curves(evidence).says.startswith("At the last epoch 0.001 leads 0.003 by")
        assert evidence.metric.difference(first - second) in learning_curves(evidence).says

    def test_nobody_leads_its_equal(self, read: Read) -> None:
        evidence = read("pooling")
        level = replace(evidence, curves=evidence.curves.assign(val_accuracy=0.97))
        assert learning_curves(level).says == "At the last epoch max and average are level at 97.00 %"

    def test_one_epoch_is_no_curve(self, read: Read) -> None:
        with pytest.raises(NotForThisSweep, match="two epochs"):
            learning_curves(read("pooling", epochs=1))


class TestChoices:
    def test_rows_hold_what_the_verdict_says(self, read: Read) -> None:
        evidence = read("pooling")
        numbers = choice_rows(evidence)
        assert evidence.verdict is not None
        for row in numbers.rows:
            said = next(choice for choice in evidence.verdict.choices if choice.choice == row.choice.label)
            assert (row.mean, row.low, row.high) == (said.mean, said.low, said.high)
            assert sorted(row.values) == sorted(said.values.values())
        assert numbers.rows[numbers.best].choice.label == evidence.verdict.winner
        assert numbers.says == evidence.verdict.sentence

    def test_the_best_of_a_loss_is_the_lowest(self, read: Read) -> None:
        numbers = choice_rows(read("pooling", study={"seeds": 3, "metric": "val_loss"}))
        assert numbers.rows[numbers.best].mean == min(row.mean for row in numbers.rows)

    def test_a_choice_that_is_best_on_its_only_seed_is_not_marked(self, read: Read) -> None:
        evidence = read("pooling")
        trials = evidence.trials.copy()
        lucky = trials["model.pooling"] == "average"
        trials.loc[lucky, "val_accuracy"] = 0.999
        trials.loc[lucky & (trials["seed"] > 0), "state"] = "failed"
        verdict = judge(trials, metric="val_accuracy", direction="maximize")
        numbers = choice_rows(replace(evidence, trials=trials, verdict=verdict))
        assert max(numbers.rows, key=lambda row: row.mean).choice.label == "average"
        assert numbers.rows[numbers.best].choice.label == verdict.winner != "average"

    def test_one_seed_has_no_interval(self, read: Read) -> None:
        numbers = choice_rows(read("pooling", study={"seeds": 1}))
        assert all(np.isnan(row.low) for row in numbers.rows)
        assert numbers.precision is None
        assert "no interval" in numbers.caption

    def test_a_factors_choices_are_shown_at_their_best(self, read: Read) -> None:
        evidence = read("joint", study=FACTOR)
        assert evidence.verdict is not None
        assert evidence.verdict.factor is not None
        rows = {row.choice.label: row for row in choice_rows(evidence).rows}
        for tuned in evidence.verdict.factor.choices:
            assert rows[tuned.choice].mean == tuned.expected_best
            assert len(rows[tuned.choice].values) == (evidence.searched["choice"] == tuned.choice).sum()

    def test_no_complete_trial_is_said(self, read: Read) -> None:
        with pytest.raises(NotForThisSweep, match="no trial is complete"):
            choice_rows(read("pooling", failed=1.0))


class TestDifferences:
    def test_pairs_are_the_verdicts_largest_first(self, read: Read) -> None:
        evidence = read("pooling")
        assert evidence.verdict is not None
        pairs = differences(evidence).pairs
        assert [pair.difference for pair in pairs] == sorted(
            (p.difference for p in evidence.verdict.pairs), reverse=True
        )
        for pair in pairs:
            said = evidence.verdict.pair(pair.better.label, pair.worse.label)
            assert said is not None
            assert (pair.low, pair.high, pair.decided) == (said.low, said.high, said.decided)

    def test_of_many_pairs_only_those_of_the_best_choice_are_shown(self, read: Read) -> None:
        rising = {"accuracy": lambda values, rng: 0.95 + values["model.dropout"] / 10}
        numbers = differences(read("pooling", swept=dropouts(8), study={"seeds": 3}, **rising))
        assert len(numbers.pairs) == 7
        assert {pair.better.label for pair in numbers.pairs} == {"0.14"}
        assert "of 28" in numbers.caption

    def test_the_best_choice_is_the_verdicts_though_another_wins_more_pairs(self, read: Read) -> None:
        evidence = read("pooling", swept=dropouts(8), study={"seeds": 3}, **FLAT)
        assert evidence.verdict is not None
        last = evidence.verdict.choices[-1].choice  # as where the best mean is that of a choice that missed hard seeds
        numbers = differences(replace(evidence, verdict=replace(evidence.verdict, winner=last)))
        assert len(numbers.pairs) == 7
        assert all(last in (pair.better.label, pair.worse.label) for pair in numbers.pairs)

    def test_says_how_many_are_decided(self, read: Read) -> None:
        far = {"max": 0.99, "average": 0.90, "stride": 0.80, "blur": 0.70}
        apart = read("pooling", accuracy=lambda values, rng: far[values["model.pooling"]])
        assert differences(apart).says == "All 6 pairs differ"
        two = {"model.pooling": {"choices": ["max", "average"]}}
        alike = read("pooling", swept=two, accuracy=lambda values, rng: 0.97, noise=0.0)
        assert differences(alike).says == "The choices are not separable"

    def test_one_seed_has_no_pairs(self, read: Read) -> None:
        with pytest.raises(NotForThisSweep):
            differences(read("pooling", study={"seeds": 1}))


class TestHistory:
    def test_the_best_so_far_never_falls(self, read: Read) -> None:
        evidence = read("joint")
        numbers, best = history(evidence).best
        np.testing.assert_array_equal(best, evidence.searched["val_accuracy"].cummax())
        np.testing.assert_array_equal(numbers, evidence.searched["trial"])

    def test_the_best_so_far_of_a_loss_never_rises(self, read: Read) -> None:
        evidence = read("pooling", study={"seeds": 2, "metric": "val_loss"})
        np.testing.assert_array_equal(history(evidence).best[1], evidence.complete["val_loss"].cummin())

    def test_every_trial_of_the_search_is_somewhere(self, read: Read) -> None:
        evidence = read("joint")
        numbers = history(evidence)
        shown = sum(len(trials) for _, trials, _ in numbers.groups) + len(numbers.pruned[0]) + len(numbers.failed)
        assert shown == len(evidence.search)
        assert numbers.groups[0][0] is None  # what was not confirmed beside the finalists

    def test_counts_and_marks_are_explained(self, read: Read) -> None:
        caption = history(read("joint")).caption
        assert "pruned" in caption
        assert "failed" in caption
        assert "failed" not in history(read("pooling")).caption


class TestImportances:
    def test_the_parameter_that_matters_comes_first(self, read: Read) -> None:
        numbers = importances(read("joint"))
        first = numbers.importances[0]
        assert first.name == "learning_rate"
        assert first.mean > 0.5
        assert all(found.low <= found.mean <= found.high for found in numbers.importances)
        assert sum(found.mean for found in numbers.importances) == pytest.approx(1)

    def test_the_same_trials_give_the_same_shares(self, read: Read) -> None:
        assert importances(read("cube")) == importances(read("cube"))

    def test_a_range_that_is_switched_off_is_left_out_and_named(self, read: Read) -> None:
        swept = {
            "model.activation": {"choices": ["relu", "leaky_relu"]},
            "model.leaky_relu_slope": {"low": 0.01, "high": 0.3, "when": {"model.activation": "leaky_relu"}},
            "model.dropout": {"low": 0.0, "high": 0.6},
        }
        numbers = importances(read("pooling", swept=swept, study=RANDOM, **FLAT))
        assert {found.name for found in numbers.importances} == {"activation", "dropout"}
        assert "leaky_relu_slope" in numbers.caption

    @pytest.mark.parametrize("changes", [{}, {"swept": TWO_RANGES, "study": {**RANDOM, "trials": 5}, **FLAT}])
    def test_one_parameter_or_a_handful_of_trials_are_not_weighed(self, read: Read, changes: dict[str, object]) -> None:
        with pytest.raises(NotForThisSweep):
            importances(read("pooling", **changes))

    def test_trials_of_one_value_are_not_weighed(self, read: Read) -> None:
        evidence = read("pooling", swept=TWO_RANGES, study=RANDOM, **FLAT)
        with pytest.raises(NotForThisSweep, match="all complete trials have the same value"):
            importances(replace(evidence, trials=evidence.trials.assign(val_accuracy=0.9)))

    def test_a_single_trial_unlike_the_others_is_weighed_though_some_draws_miss_it(self, read: Read) -> None:
        evidence = read("pooling", swept=TWO_RANGES, study={**RANDOM, "trials": 20}, **FLAT)
        trials = evidence.trials.assign(val_accuracy=0.9)
        trials.loc[0, "val_accuracy"] = 0.5
        numbers = importances(replace(evidence, trials=trials))
        assert [found.low for found in numbers.importances] == [0, 0]
        assert 0 < sum(found.mean for found in numbers.importances) < 1


class TestEffects:
    def test_cells_are_means_against_the_mean_of_all(self, read: Read) -> None:
        evidence = read("cube")
        heat = next(h for h in effects(evidence).heats if {h.row, h.column} == {"dropout", "learning_rate"})
        trials = evidence.complete
        by = [f"{'model' if name == 'dropout' else 'train'}.{name}" for name in (heat.row, heat.column)]
        table = trials.pivot_table(index=by[0], columns=by[1], values="val_accuracy") - trials["val_accuracy"].mean()
        np.testing.assert_allclose(heat.cells, table.to_numpy())
        assert heat.counts.tolist() == [[6, 6], [6, 6]]

    def test_an_interaction_is_found_and_comes_first(self, read: Read) -> None:
        numbers = effects(read("cube"))
        assert {numbers.heats[0].row, numbers.heats[0].column} == {"dropout", "learning_rate"}
        assert numbers.heats[0].p < 0.01
        assert "depend on each other:" in numbers.says

    def test_p_is_that_of_a_two_way_analysis_of_variance(self, read: Read) -> None:
        import statsmodels.api as sm
        from statsmodels.formula.api import ols

        evidence = read("cube")
        table = evidence.complete.rename(columns=lambda name: name.split(".")[-1])
        heat = next(h for h in effects(evidence).heats if {h.row, h.column} == {"dropout", "learning_rate"})
        expected = sm.stats.anova_lm(ols("val_accuracy ~ C(dropout) * C(learning_rate)", table).fit())
        assert heat.p == pytest.approx(expected.loc["C(dropout):C(learning_rate)", "PR(>F)"])

    def test_no_interaction_is_claimed_where_there_is_none(self, read: Read) -> None:
        assert effects(read("cube", **FLAT)).says == "No two parameters are seen to depend on each other"

    def test_a_search_that_tried_unlike_combinations_only_hints(self, read: Read) -> None:
        together = {"max": 3, "average": 5, "stride": 7}
        numbers = effects(
            read("joint", accuracy=lambda v, _: 0.95 + 0.02 * (together[v["model.pooling"]] == v["model.kernel_size"]))
        )
        hint = "pooling and kernel_size hint most at depending on each other"
        assert numbers.says == f"Not every combination was tried alike; {hint}"

    def test_unlike_combinations_without_an_interaction_hint_at_none(self, read: Read) -> None:
        numbers = effects(read("joint", **FLAT))
        assert not numbers.heats[0].balanced
        assert numbers.says == "No two parameters are seen to depend on each other"

    def test_a_parameter_and_the_only_choice_it_counts_with_are_no_pair(self, read: Read) -> None:
        swept = {
            "model.activation": {"choices": ["relu", "leaky_relu"]},
            "model.leaky_relu_slope": {"choices": [0.1, 0.3], "when": {"model.activation": "leaky_relu"}},
        }
        with pytest.raises(NotForThisSweep, match="no two swept parameters took several values beside one another"):
            effects(read("pooling", swept=swept, study={"seeds": 3}, **FLAT))

    def test_a_map_has_the_levels_alone_that_both_parameters_have_where_they_count(self, read: Read) -> None:
        swept = {
            "model.activation": {"choices": ["relu", "tanh", "elu"]},
            "model.dropout": {"choices": [0.0, 0.5], "when": {"model.activation": ["relu", "tanh"]}},
        }
        (heat,) = effects(read("pooling", swept=swept, study={"seeds": 3}, **FLAT)).heats
        assert (heat.row, heat.rows, heat.columns) == ("activation", ("relu", "tanh"), ("0.0", "0.5"))
        assert heat.counts.tolist() == [[3, 3], [3, 3]]
        assert heat.balanced

    def test_single_effects_name_the_parameter_that_moves_most(self, read: Read) -> None:
        numbers = marginal(read("cube"))
        assert numbers.says.startswith("learning_rate moves validation accuracy most")
        assert [found.level for found in numbers.effects] == ["max", "average", "0.0", "0.5", "0.001", "0.01"]
        assert all(found.low < found.effect < found.high for found in numbers.effects)

    def test_no_single_effect_is_claimed_where_there_is_none(self, read: Read) -> None:
        assert marginal(read("cube", **FLAT)).says.startswith("No parameter is seen to move it")

    def test_many_parameters_are_not_searched_for_one_that_chance_moved(self, read: Read) -> None:
        """Of six that do nothing one in four sweeps has one with an interval beyond zero."""
        inert = {f"model.{name}": {"choices": ["max", "average"]} for name in ("pooling",)} | {
            "model.batch_norm": {"choices": [False, True]}, "model.dropout": {"choices": [0.0, 0.1]},
            "model.activation": {"choices": ["relu", "elu"]}, "model.padding": {"choices": ["same", "valid"]},
            "train.batch_size": {"choices": [64, 128]},
        }  # fmt: skip
        numbers = marginal(read("cube", swept=inert, study={"seeds": 1}, **FLAT))
        assert len(numbers.effects) == 12
        assert numbers.says.startswith("No parameter is seen to move it")

    def test_parts_of_a_range_are_written_briefly(self, read: Read) -> None:
        parts = [found.level for found in marginal(read("joint")).effects if found.parameter == "learning_rate"]
        assert parts == ["0.0001–0.00056", "0.00056–0.0032", "0.0032–0.018", "0.018–0.1"]

    def test_strength_is_the_share_of_variance_between_levels(self, read: Read) -> None:
        evidence = read("pooling")
        values = evidence.complete["val_accuracy"]
        groups = evidence.complete.groupby("model.pooling")["val_accuracy"]
        between = ((groups.mean() - values.mean()) ** 2 * groups.size()).sum()
        expected = between / ((values - values.mean()) ** 2).sum()
        found = strength(evidence.parameters[0], evidence.complete, values.to_numpy())
        assert found == pytest.approx(expected)


class TestLandscape:
    def test_a_contour_of_equal_values_is_flat_and_blank_out_of_reach(self, read: Read) -> None:
        evidence = read("pooling", swept=TWO_RANGES, study=RANDOM, **FLAT)
        trials = evidence.trials.assign(val_accuracy=0.9)
        corner = trials["train.learning_rate"].lt(3e-3) & trials["model.dropout"].lt(0.3)
        surface = contour(replace(evidence, trials=trials[corner])).surfaces[0]
        np.testing.assert_allclose(surface.height[~np.isnan(surface.height)], 0.9)
        x_is_rate = surface.pair.x.name == "learning_rate"
        far = surface.height[-1, -1]
        assert np.isnan(far), "the corner far from every trial"
        assert (surface.x.max() == pytest.approx(0.1)) == x_is_rate

    def test_a_parameter_is_not_set_against_the_one_choice_that_it_waits_for(self, read: Read) -> None:
        pairs = rank(read("pooling", swept=SLOPED, **FLAT)).pairs
        crossed = {frozenset((pair.x.name, pair.y.name)) for pair in pairs}
        assert crossed == {frozenset(("activation", "dropout")), frozenset(("leaky_relu_slope", "dropout"))}

    def test_lines_of_trials_in_which_a_parameter_is_off_pass_below_its_axis(self, read: Read) -> None:
        numbers = parallel(read("pooling", swept=SLOPED, **FLAT))
        assert numbers.caption.endswith("Through “off”: trials without that parameter.")
        with drawing_rules([]):
            page = Page()
            draw_parallel(numbers, page)
        (ax,) = page.figure.axes
        assert [text.get_text() for text in ax.texts].count("off") == 1
        lines = [path for some in ax.collections for path in some.get_paths()]
        assert all(len(path.vertices) == len(numbers.parameters) + 1 for path in lines)
        (slope,) = (i for i, p in enumerate(numbers.parameters) if p.name == "leaky_relu_slope")
        below = sum(path.vertices[slope, 1] < -0.1 for path in lines)
        assert 0 < below < len(lines)
        assert "off" not in parallel(read("cube")).caption

    def test_a_contour_keeps_choices_apart(self, read: Read) -> None:
        swept = {"model.pooling": {"choices": ["max", "average"]}, "model.dropout": {"low": 0.0, "high": 0.6}}
        evidence = read("pooling", swept=swept, study=RANDOM, **FLAT)
        levels = {"max": 0.9, "average": 0.5}
        trials = evidence.trials.assign(val_accuracy=evidence.trials["model.pooling"].map(levels))
        surface = contour(replace(evidence, trials=trials)).surfaces[0]
        assert surface.pair.x.name == "pooling"
        for strip, value in zip(surface.height.T, levels.values(), strict=True):
            np.testing.assert_allclose(strip[~np.isnan(strip)], value)

    def test_a_contour_needs_a_range(self, read: Read) -> None:
        with pytest.raises(NotForThisSweep, match="range"):
            contour(read("cube"))

    def test_ranks_run_from_the_best_to_the_worst(self, read: Read) -> None:
        pair = rank(read("joint")).pairs[0]
        assert pair.values[pair.order.argmin()] == pair.values.max()
        assert pair.values[pair.order.argmax()] == pair.values.min()
        assert (pair.order.min(), pair.order.max()) == (0, 1)

    def test_ranks_of_a_loss_run_the_other_way(self, read: Read) -> None:
        pair = rank(read("cube", study={"seeds": 2, "metric": "val_loss"})).pairs[0]
        assert pair.values[pair.order.argmin()] == pair.values.min()

    def test_the_pairs_shown_are_those_of_the_strongest_parameters(self, read: Read) -> None:
        pairs = rank(read("joint")).pairs
        assert len(pairs) == 4
        assert all("learning_rate" in {pair.x.name, pair.y.name} for pair in pairs)

    def test_parallel_lines_go_from_worst_to_best(self, read: Read) -> None:
        numbers = parallel(read("joint"))
        assert (np.diff(numbers.values) >= 0).all()
        assert numbers.places.min() >= 0
        assert numbers.places.max() <= 1

    def test_a_parameter_that_is_off_has_no_place(self, read: Read) -> None:
        swept = {
            "model.activation": {"choices": ["relu", "leaky_relu"]},
            "model.leaky_relu_slope": {"low": 0.01, "high": 0.3, "when": {"model.activation": "leaky_relu"}},
        }
        evidence = read("pooling", swept=swept, study=RANDOM, **FLAT)
        numbers = parallel(evidence)
        off = evidence.complete["model.activation"].eq("relu").sum()
        assert off > 0
        assert np.isnan(numbers.places[:, 1]).sum() == off

    def test_slices_mark_the_best_trial(self, read: Read) -> None:
        evidence = read("learning_rate")
        numbers = slices(evidence)
        assert evidence.best is not None
        assert numbers.slices[0].best == evidence.best["train.learning_rate"]
        assert numbers.best == evidence.complete["val_accuracy"].max()
        assert "0.001" in numbers.says

    def test_a_single_parameter_without_a_scale_needs_no_slice(self, read: Read) -> None:
        with pytest.raises(NotForThisSweep):
            slices(read("pooling"))

    def test_says_where_the_best_trials_are(self, read: Read) -> None:
        evidence = read("joint")
        best = evidence.searched.nlargest(len(evidence.searched) // 10, "val_accuracy")["train.learning_rate"]
        assert f"The best {len(best)} trials have learning_rate from 0.00" in rank(evidence).says

    def test_one_of_the_best_trials_has_what_the_others_have_not(self, read: Read) -> None:
        swept = {**FAKES["pooling"].swept, "model.dropout": {"choices": [0.0, 0.25, 0.5]}}
        evidence = read("pooling", study={"seeds": 1}, swept=swept, **FLAT)
        best = list(zip(evidence.trials["model.pooling"], evidence.trials["model.dropout"], strict=True))
        ahead = [0.99 if cell in {("max", 0.0), ("average", 0.25), ("stride", 0.5)} else 0.97 for cell in best]
        unlike = replace(evidence, trials=evidence.trials.assign(val_accuracy=ahead))
        assert rank(unlike).says in ("1 of the best 3 trials has pooling max", "1 of the best 3 trials has dropout 0.0")


class TestSpread:
    def test_shares_count_the_trials_at_or_below(self, read: Read) -> None:
        evidence = read("pooling")
        for found in edf(evidence).distributions:
            assert found.choice is not None
            own = evidence.complete.loc[evidence.complete["choice"] == found.choice.label, "val_accuracy"]
            assert [float((own <= value).mean()) for value in found.values] == pytest.approx(list(found.shares))

    def test_single_trials_are_one_distribution_and_no_means(self, read: Read) -> None:
        evidence = read("pooling", study={"seeds": 1})
        (found,) = edf(evidence).distributions
        assert (found.choice, len(found.values)) == (None, 4)
        assert pareto(evidence).caption.startswith("Marks: the one seed of each. Line: ")
        assert pareto(read("pooling")).caption.startswith("Marks: means over seeds. Dots: single trials. Line: ")

    def test_a_search_is_one_distribution(self, read: Read) -> None:
        (found,) = edf(read("joint")).distributions
        assert found.choice is None
        assert len(found.values) == len(read("joint").searched)

    @given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12))
    def test_the_front_holds_what_nothing_beats(self, points: list[tuple[int, int]]) -> None:
        cost, gain = (np.array(column, dtype=np.float64) for column in zip(*points, strict=True))
        kept = {points[i] for i in front(cost, gain)}
        unbeaten = {(c, g) for c, g in points if not any((a <= c and b >= g) and (a, b) != (c, g) for a, b in points)}
        assert kept == unbeaten

    def test_parameters_are_a_cost_where_they_differ(self, read: Read) -> None:
        assert [cost.name for cost in pareto(read("pooling")).costs] == ["training time (s)"]
        assert [cost.name for cost in pareto(read("cube")).costs] == ["parameters", "training time (s)"]

    def test_points_are_means_of_choices_or_single_trials(self, read: Read) -> None:
        evidence = read("cube")
        cost = pareto(evidence).costs[0]
        choice, x, y = cost.groups[0]
        assert choice is not None
        own = evidence.complete[evidence.complete["choice"] == choice.label]
        assert (x[0], y[0]) == pytest.approx((own["parameters"].mean(), own["val_accuracy"].mean()))
        many = read("pooling", swept=dropouts(MOST_CHOICES + 1), study={"seeds": 1}, **FLAT)
        ((none, x, _),) = pareto(many).costs[0].groups
        assert none is None
        assert len(x) == MOST_CHOICES + 1
        alike = replace(many, trials=many.trials.assign(val_accuracy=0.97))
        assert pareto(alike).says.startswith(f"1 of {MOST_CHOICES + 1} trials is beaten by none")

    def test_means_are_over_what_choices_are_compared_over(self, read: Read) -> None:
        assert pareto(read("pooling")).caption.startswith("Marks: means over seeds.")
        assert pareto(replace(read("pooling"), folds=5)).caption.startswith("Marks: means over folds.")

    def test_a_factors_choices_stand_at_their_best_and_at_what_that_costs(self, read: Read) -> None:
        evidence = read("joint", study={**FAKES["joint"].study, "compare": "model.pooling"})
        assert evidence.verdict is not None
        assert evidence.verdict.factor is not None
        found = pareto(evidence)
        parameters, _ = found.costs
        for tuned in evidence.verdict.factor.choices:
            rows = evidence.complete[evidence.complete["configuration"] == tuned.best_configuration]
            ((_, x, y),) = [group for group in parameters.groups if group[0] and group[0].label == tuned.choice]
            assert (x[0], y[0]) == (rows["parameters"].mean(), tuned.expected_best)
        assert found.caption.startswith("Marks: the best to be expected of each, at the cost of its best.")


class TestProgress:
    def test_bars_keep_their_length_and_order(self, read: Read) -> None:
        evidence = read("pooling")
        numbers = timeline(evidence)
        assert numbers.pauses == ()
        assert [bar.end - bar.start for bar in numbers.bars] == pytest.approx(
            list(evidence.trials["seconds"]), abs=0.01
        )
        assert {bar.lane for bar in numbers.bars} == {0, 1}
        assert "20 trials" in numbers.says
        assert "2 workers" in numbers.says

    def test_a_pause_is_cut_out_and_told(self, read: Read) -> None:
        numbers = timeline(read("joint"))
        ((place, length),) = numbers.pauses
        assert length == pytest.approx(14 * 3600, abs=120)
        assert numbers.bars[69].end <= place + 60
        assert numbers.bars[70].start == pytest.approx(place)
        assert max(bar.end for bar in numbers.bars) < 3600

    def test_a_sweep_without_a_night_between_keeps_its_times(self, read: Read) -> None:
        assert timeline(read("joint", pause_before=None)).pauses == ()

    def test_bars_too_short_for_a_hatch_are_pale_and_said_to_be(self, read: Read) -> None:
        few, many = (
            timeline(read("joint", study={**FAKES["joint"].study, "trials": n}, pruned=0.9)) for n in (20, 300)
        )
        assert (few.crowded, "Hatched: pruned." in few.caption) == (False, True)
        assert (many.crowded, "Pale: pruned." in many.caption) == (True, True)

    def test_grey_is_explained_where_there_is_any(self, read: Read) -> None:
        assert "Grey: complete" in timeline(read("joint")).caption
        assert "Grey" not in timeline(read("pooling")).caption

    def test_every_curve_is_a_path(self, read: Read) -> None:
        evidence = read("joint")
        numbers = intermediate_values(evidence)
        assert sum(len(path.epochs) for path in numbers.paths) == evidence.search["epochs"].sum()
        states = dict(zip(evidence.trials["trial"], evidence.trials["state"], strict=True))
        assert all(path.state == states[path.trial] for path in numbers.paths)
        assert evidence.best is not None
        assert numbers.best == evidence.best["trial"]

    def test_says_what_pruning_saved(self, read: Read) -> None:
        evidence = read("joint")
        pruned = evidence.trials[evidence.trials["state"] == "pruned"]
        saved, trained = (9 - pruned["epochs"]).sum(), evidence.search["epochs"].sum()
        assert intermediate_values(evidence).says == (
            f"{len(pruned)} trials of 100 pruned, which saved {saved} epochs of training "
            f"({100 * saved / (saved + trained):.0f} %); {(evidence.search['state'] == 'failed').sum()} failed"
        )
        assert intermediate_values(evidence).caption.endswith("Thick: the best. Grey ×: pruned. Orange ×: failed.")
        assert "×" not in intermediate_values(read("pooling")).caption
        failed = evidence.trials.loc[evidence.trials["state"] == "failed", "trial"]
        at_once = replace(evidence, curves=evidence.curves[~evidence.curves["trial"].isin(failed)])
        assert intermediate_values(at_once).caption.endswith("Thick: the best. Grey ×: pruned.")

    def test_a_pruned_trial_would_have_trained_its_own_epochs(self, read: Read) -> None:
        swept = {"train.epochs": {"choices": [5, 12]}, "model.dropout": {"low": 0.0, "high": 0.6}}
        evidence = read("pooling", swept=swept, study=RANDOM, pruned=0.4, **FLAT)
        pruned = evidence.trials[evidence.trials["state"] == "pruned"]
        assert set(pruned["train.epochs"]) == {5, 12}
        saved = epochs_saved(evidence)
        assert (saved.epochs, saved.exact) == ((pruned["train.epochs"] - pruned["epochs"]).sum(), True)

    def test_where_trials_stop_early_a_pruned_one_is_taken_to_stop_as_early(self, read: Read) -> None:
        evidence = read("joint")
        complete = evidence.trials["state"] == "complete"
        early = evidence.trials.assign(epochs=evidence.trials["epochs"].mask(complete, 6))
        pruned = early[early["state"] == "pruned"]
        saved = epochs_saved(replace(evidence, trials=early))
        assert saved.epochs == (6 - pruned["epochs"]).clip(lower=0).sum()
        assert saved.words == f"about {saved.epochs} epochs"


def test_a_sweep_without_a_complete_trial_still_has_its_timeline(read: Read, tmp_path: Path) -> None:
    evidence = read("pooling", failed=1.0)
    assert evidence.verdict is None
    assert {bar.state for bar in timeline(evidence).bars} == {"failed"}
    for compute in (history, importances, effects, marginal, slices, rank, contour, parallel, edf, pareto):
        with pytest.raises(NotForThisSweep):
            compute(evidence)


def test_tables_are_read_in_the_order_of_the_trials(read: Read) -> None:
    evidence = read("cube")
    assert evidence.trials["trial"].is_monotonic_increasing
    assert isinstance(evidence.complete, pd.DataFrame)
