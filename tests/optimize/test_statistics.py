import json
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats
from trial_tables import METRIC, as_read, grid, noisy, row

from main.history import Direction
from main.luck import luck
from optimize.paired import mean_interval
from optimize.statistics import judge
from optimize.verdict import Verdict

POOLING = {"max": 0.9892, "average": 0.9860, "stride": 0.9849, "blur": 0.9891}


def verdict(trials: pd.DataFrame, *, direction: Direction = "maximize", metric: str = METRIC, **how: object) -> Verdict:
    return judge(trials, metric=metric, direction=direction, **how)  # type: ignore[arg-type]


# What the issue asks for


def test_two_dropouts_that_are_one_are_not_separable() -> None:
    trials = noisy({"0.5": 0.95, "0.500001": 0.95}, seeds=3, spread=0.006, path="model.dropout")
    found = verdict(as_read(trials), validation_images=237)
    assert not found.decided
    assert found.sentence.startswith("0.500001 and 0.5 are not separable at 3 seeds; ")


def test_two_dropouts_with_the_very_same_metrics_are_not_separable() -> None:
    found = verdict(grid({"0.5": [0.95, 0.96, 0.94], "0.500001": [0.95, 0.96, 0.94]}, path="model.dropout"))
    assert found.sentence == (
        "0.5 and 0.500001 are not separable at 3 seeds, over which their means are the same, "
        "on this validation set and these seeds."
    )
    assert found.winner == "0.5"


def test_a_learning_rate_that_does_not_learn_loses_by_name() -> None:
    trials = grid({"0.001": [0.962, 0.970, 0.966], "1e-06": [0.110, 0.152, 0.093]}, path="train.learning_rate")
    found = verdict(as_read(trials), validation_images=237)
    assert found.decided
    assert found.sentence.startswith("0.001 beats 1e-06 by 84.77 points (95 % ")
    assert found.sentence.endswith(", 3 seeds), on this validation set and these seeds.")
    assert (found.winner, found.values) == ("0.001", {"train.learning_rate": 0.001})


# Choices


def test_choices_are_ranked_with_their_own_intervals() -> None:
    trials = noisy(POOLING)
    found = verdict(trials)
    assert found.winner == found.choices[0].choice
    means = trials.groupby("configuration")[METRIC].mean().sort_values(ascending=False)
    assert [(c.choice, c.mean) for c in found.choices] == [(c, pytest.approx(m)) for c, m in means.items()]
    for choice in found.choices:
        oracle = stats.ttest_1samp(list(choice.values.values()), 0).confidence_interval()
        assert (choice.low, choice.high) == (pytest.approx(oracle.low), pytest.approx(oracle.high))
        assert choice.n == len(choice.values) == 5


def test_the_lowest_loss_wins() -> None:
    found = verdict(noisy({"max": 0.10, "average": 0.20}, metric="val_loss"), metric="val_loss", direction="minimize")
    assert found.winner == "max"
    assert found.pairs[0].better == "max"
    assert found.pairs[0].difference == pytest.approx(0.1, abs=0.005)
    assert found.sentence.startswith("max beats average by 0.09")
    assert " in val_loss (95 % " in found.sentence


def test_intervals_end_where_the_metric_ends() -> None:
    found = verdict(grid({"a": [0.99, 1.0, 0.7], "b": [0.01, 0.3, 0.0]}))
    assert (found.choices[0].high, found.choices[1].low) == (1.0, 0.0)
    assert found.pairs[0].high <= 1.0
    loss = verdict(grid({"a": [0.01, 2.0]}, metric="val_loss"), metric="val_loss", direction="minimize")
    assert loss.choices[0].low == 0.0
    assert loss.choices[0].high is not None
    assert loss.choices[0].high > 1.0


def test_the_noise_floor_is_the_spread_over_seeds_within_a_choice() -> None:
    found = verdict(grid({"a": [0.90, 0.92], "b": [0.5, 0.5]}))
    assert found.noise_floor == pytest.approx(np.sqrt((0.0002 + 0) / 2))


def test_equal_accuracies_are_known_to_a_part_of_an_image() -> None:
    found = verdict(grid({"a": [0.9, 0.9, 0.9], "b": [0.8, 0.8, 0.8]}), validation_images=237)
    half = stats.t.isf(0.025, 2) / 237 / np.sqrt(12) / np.sqrt(3)
    for choice in found.choices:
        assert choice.std == pytest.approx(0, abs=1e-12)
        assert [choice.low, choice.high] == pytest.approx([choice.mean - half, choice.mean + half])
    assert found.noise_floor == pytest.approx(0, abs=1e-12)


# Pairs


def test_every_pair_is_compared_the_better_one_first() -> None:
    found = verdict(noisy(POOLING))
    assert len(found.pairs) == 6
    for one, other in combinations(POOLING, 2):
        pair = found.pair(one, other)
        assert pair is not None
        assert pair.difference == pytest.approx(abs(_mean(found, one) - _mean(found, other)))
        assert _mean(found, pair.better) >= _mean(found, pair.worse)
        assert pair.low <= pair.difference <= pair.high


def _mean(found: Verdict, label: str) -> float:
    return next(choice.mean for choice in found.choices if choice.choice == label)


def test_open_pairs_say_how_many_seeds_would_decide() -> None:
    found = verdict(noisy(POOLING))
    closest = found.pair("max", "blur")
    assert closest is not None
    assert not closest.decided
    assert closest.seeds_needed is not None
    assert closest.more_seeds == closest.seeds_needed - 5 > 0
    assert f"; {closest.more_seeds:,} more would probably decide" in found.sentence
    assert [pair.seeds_needed for pair in found.pairs if pair.decided] == [None] * 4


def test_equal_means_are_not_called_equal_seeds() -> None:
    found = verdict(grid({"max": [0.97, 0.96], "blur": [0.96, 0.97]}))
    assert found.pairs[0].low < 0 < found.pairs[0].high
    assert found.sentence.startswith("max and blur are not separable at 2 seeds, over which their means are the same,")


def test_groups_are_runs_of_which_no_two_are_separable() -> None:
    found = verdict(noisy({"max": 0.990, "blur": 0.990, "average": 0.95, "stride": 0.95, "mixed": 0.90}))
    assert [set(group) for group in found.groups] == [{"max", "blur"}, {"average", "stride"}, {"mixed"}]


def test_a_smaller_spread_makes_smaller_differences_detectable() -> None:
    coarse, fine = (verdict(noisy(POOLING, spread=spread)).detectable for spread in (0.01, 0.001))
    assert coarse == pytest.approx(10 * (fine or 0))


def test_of_very_many_choices_only_the_winners_pairs_are_listed() -> None:
    found = verdict(noisy({f"c{i}": 0.9 + i / 1000 for i in range(60)}, seeds=3))
    assert len(found.pairs) == 59
    assert {pair.better for pair in found.pairs} == {found.winner}


# What cannot be judged


def test_one_seed_is_no_verdict() -> None:
    found = verdict(noisy(POOLING, seeds=1))
    assert found.sentence.startswith("No verdict is possible with one seed: ")
    assert (found.decided, found.pairs, found.noise_floor, found.detectable) == (False, (), None, None)
    assert found.winner is not None
    assert found.choices[0].low is None


def test_one_choice_has_a_mean_and_an_interval() -> None:
    found = verdict(noisy({"max": 0.98}))
    assert found.sentence.startswith("max reaches 98.")
    assert found.sentence.endswith("; there is nothing to compare it with.")
    assert (found.decided, found.pairs) == (False, ())


@pytest.mark.parametrize("state", ["failed", "pruned"])
def test_without_a_complete_trial_there_is_no_winner(state: str) -> None:
    found = verdict(grid({"max": [state, state]}))
    assert found.sentence == "There is no verdict: no trial is complete."
    assert (found.winner, found.values, found.choices) == (None, {}, ())


def test_a_choice_whose_trials_all_failed_is_named() -> None:
    found = verdict(grid({"max": [0.9, 0.91, 0.92], "average": [0.8, 0.81, 0.82], "stride": ["failed"] * 3}))
    assert [choice.choice for choice in found.choices] == ["max", "average"]
    assert "stride: no usable trial (3 of 3 trials failed or diverged), so it is not compared." in found.warnings


def test_a_choice_that_failed_on_a_seed_is_compared_over_the_others() -> None:
    found = verdict(grid({"max": [0.90, 0.91, 0.93], "average": [0.85, 0.86, "failed"]}))
    assert found.pairs[0].n == 2
    assert found.pairs[0].difference == pytest.approx(0.05)
    assert found.warnings[0] == "average: 1 of 3 trials failed or diverged; its mean is over the 2 that did not."
    assert any("do not have the same seeds" in warning for warning in found.warnings)


def test_an_infinite_metric_is_a_failure() -> None:
    found = verdict(
        grid({"a": [0.1, 0.2, float("inf")], "b": [0.3, 0.35, 0.4]}, metric="val_loss"),
        metric="val_loss",
        direction="minimize",
    )
    assert found.choices[0].n == 2
    assert found.warnings[0].startswith("a: 1 of 3 trials failed or diverged")


def test_choices_of_which_some_seeds_were_pruned_are_named() -> None:
    found = verdict(grid({"max": [0.9, 0.91, "pruned"], "average": [0.8, 0.82, 0.81], "blur": ["pruned"] * 3}))
    (said,) = (line for line in found.warnings if "survived" in line)
    assert "max (2 of 3)." in said
    assert "average" not in said
    assert "blur" not in said


def test_a_search_with_one_seed_has_no_survivors_to_name() -> None:
    found = verdict(grid({"max": [0.9], "average": ["pruned"]}))
    assert not any("survived" in line for line in found.warnings)


def test_pruned_trials_are_counted_but_in_no_mean() -> None:
    found = verdict(grid({"max": [0.9, 0.91, "pruned"], "average": [0.8, 0.82, 0.81]}))
    assert found.choices[0].n == 2
    assert "1 trial pruned: cut short, and so in no mean." in found.warnings


def test_one_lucky_seed_does_not_win() -> None:
    found = verdict(
        grid({"max": [0.90, 0.91, 0.92], "average": [0.80, 0.82, 0.81], "stride": [0.99, "failed", "failed"]})
    )
    assert found.winner == "max"
    assert found.sentence.endswith(" these seeds. stride has one seed alone, and is not compared.")
    assert not found.decided  # stride may yet be better


def test_choices_that_share_no_seeds_are_not_compared() -> None:
    trials = pd.DataFrame(
        [row("max", s, 0.9 + s / 100) for s in (0, 1)] + [row("average", s, 0.8 + s / 100) for s in (2, 3)]
    )
    found = verdict(trials)
    assert found.sentence == "No verdict is possible: max and average share no two seeds."
    assert (found.pairs, found.decided) == ((), False)


def test_a_choice_that_a_race_dropped_is_compared_over_the_seeds_it_had() -> None:
    rng = np.random.default_rng(0)
    luck = rng.normal(0, 0.003, 10)
    values: dict[str, list[float | str]] = {
        choice: list(mean + luck[:n] + rng.normal(0, 0.0005, n))
        for choice, mean, n in (("max", 0.99, 10), ("blur", 0.9885, 10), ("stride", 0.96, 3))
    }
    found = verdict(grid(values))
    assert found.decided
    assert {pair.n for pair in found.pairs} == {3, 10}
    assert "10 seeds); it also beats stride" in found.sentence


def test_a_runner_up_that_missed_seeds_is_compared_over_those_that_it_has_and_the_sentence_says_so() -> None:
    found = verdict(grid({"max": [0.90, 0.91, 0.92, 0.91], "average": [0.80, 0.82, 0.81, "failed"]}))
    assert "the 3 seeds that both have), on this validation set" in found.sentence


# Purposes, factors and conditions


def test_the_confirmation_alone_is_judged() -> None:
    search = pd.DataFrame([row("max", 0, 0.99), row("average", 0, 0.97), row("stride", 0, 0.96)])
    confirmation = noisy({"average": 0.98, "max": 0.95}).assign(purpose="confirm")
    confirmation["seed"] += 1
    found = verdict(pd.concat([search, confirmation], ignore_index=True))
    assert (found.purpose, found.winner, len(found.choices)) == ("confirm", "average", 2)
    assert found.choices[0].values.keys() == {1, 2, 3, 4, 5}


def test_the_choices_may_be_those_of_one_parameter() -> None:
    trials = noisy({"max relu": 0.99, "average relu": 0.97, "max tanh": 0.98, "average tanh": 0.96})
    trials["model.pooling"] = trials["configuration"].str.split().str[0]
    trials["model.activation"] = trials["configuration"].str.split().str[1]
    found = verdict(trials, by="model.pooling")
    assert (found.winner, found.values, found.by) == ("max", {"model.pooling": "max"}, "model.pooling")
    assert found.choices[0].mean == pytest.approx(0.985, abs=0.002)
    assert found.warnings == ()
    uneven = trials[trials["configuration"] != "average tanh"]
    assert "same other values" in verdict(uneven, by="model.pooling").warnings[0]


def test_a_verdict_says_what_it_is_conditional_on() -> None:
    notice = "mnist could be neither found nor downloaded: trained on digits instead."
    found = verdict(noisy({"max": 0.98, "average": 0.9}, seeds=3), notice=notice, validation_images=237)
    assert found.conditions[0].startswith("Said of these 237 validation images: ")
    assert found.conditions[1] == "Said of 3 seeds (0, 1 and 2), taken as a sample of all seeds."
    assert found.conditions[2] == notice
    assert "on this validation set and these seeds" in found.sentence


def test_a_difference_of_one_validation_image_is_called_that() -> None:
    def steps(values: dict[str, list[float]], images: int | None = 5000, metric: str = "val_accuracy") -> list[str]:
        found = verdict(grid(values, metric=metric), metric=metric, validation_images=images)
        return [said for said in found.warnings if "validation images" in said]

    one_more = {"blur": [0.9902, 0.99, 0.99], "max": [0.99, 0.9898, 0.9898], "stride": [0.9, 0.9, 0.9]}
    assert steps(one_more) == [
        "The best two, blur and max, differ by 1 of 5,000 validation images on average: an accuracy moves in steps of "
        "0.02 points."
    ]
    (of_one_seed,) = steps({"blur": [0.9902], "max": [0.99]})
    assert of_one_seed.startswith("The best two, blur and max, differ by 1 of 5,000 validation images: ")
    assert not steps({"blur": [0.9904], "max": [0.99]})
    assert not steps({"blur": [0.99, 0.98], "max": [0.98, 0.99]})
    assert not steps(one_more, images=None)
    assert not steps({"blur": [0.0302], "max": [0.0301]}, metric="val_loss")


def test_a_difference_in_images_is_that_over_the_seeds_that_both_have() -> None:
    trials = grid({"blur": [0.9902, 0.9902, 0.98], "max": [0.99, 0.99, 0.9798]})
    missed = trials[(trials["configuration"] == "blur") | (trials["seed"] < 2)]  # max, its hard seed
    said = [warning for warning in verdict(missed, validation_images=5000).warnings if "images" in warning]
    assert [warning.split(":")[0] for warning in said] == [
        "The best two, blur and max, differ by 1 of 5,000 validation images on average"
    ]
    apart = grid({"blur": [0.9902], "max": [0.99]}).assign(seed=[0, 1])
    assert not any("validation images" in said for said in verdict(apart, validation_images=5000).warnings)


def test_equal_means_of_many_images_do_not_differ_in_their_last_bits() -> None:
    halves = {"blur": [59_001, 59_006, 59_004], "max": [59_003, 59_003, 59_005]}
    single = {name: [float(np.float32(right / 60_000)) for right in counts] for name, counts in halves.items()}
    assert np.mean(single["blur"]) != np.mean(single["max"])
    assert not any("images" in said for said in verdict(grid(single), validation_images=60_000).warnings)


def test_a_difference_of_one_image_of_a_fold_is_said_to_be_a_fold_s() -> None:
    trials = grid({"blur": [0.92, 0.9, 0.9], "max": [0.91, 0.89, 0.89]})
    found = verdict(trials.assign(fold=trials["seed"], seed=0), validation_images=100, folds=3)
    assert found.warnings[0].startswith("The best two, blur and max, differ by 1 of a fold's 100 validation images on")


def test_a_baseline_that_beats_the_search_is_said() -> None:
    assert verdict(noisy({"max": 0.98, "average": 0.9}), baseline="max").warnings == (
        "Nothing that was compared ranks above the baseline, max.",
    )
    open_ = verdict(noisy({"max": 0.98, "blur": 0.98, "stride": 0.9}))
    baseline = open_.choices[1].choice
    assert verdict(noisy({"max": 0.98, "blur": 0.98, "stride": 0.9}), baseline=baseline).warnings == (
        f"The winner, {open_.winner}, is not separable from the baseline, {baseline}.",
    )
    assert verdict(noisy({"max": 0.98, "average": 0.9}), baseline="average").warnings == ()


def test_a_baseline_is_not_said_to_have_a_better_mean_than_a_lucky_single_run() -> None:
    lucky = verdict(grid({"max": [0.95, 0.951], "blur": [0.94, 0.942], "stride": [0.99, "failed"]}), baseline="max")
    assert lucky.warnings[1:] == ("Nothing that was compared ranks above the baseline, max.",)


def test_spreads_that_differ_are_said() -> None:
    rng = np.random.default_rng(3)
    spreads = {"a": 0.001, "b": 0.001, "c": 0.001, "d": 0.05}
    found = verdict(grid({c: (0.9 + rng.normal(0, s, 8)).tolist() for c, s in spreads.items()}))
    assert not found.pooled
    assert any(warning.startswith("The choices' spreads differ (p = ") for warning in found.warnings)


def test_metrics_that_no_seed_changes_are_said_to_be_taken_as_certain() -> None:
    found = verdict(grid({"a": [0.9, 0.9, 0.9], "b": [0.8, 0.8, 0.8]}))
    assert found.decided
    assert found.pairs[0].p == 0
    assert any("exactly the same in every seed" in warning for warning in found.warnings)
    assert not verdict(grid({"a": [0.9, 0.9, 0.9], "b": [0.8, 0.8, 0.8]}), validation_images=10).decided


# On disk


@pytest.mark.parametrize(
    "trials",
    [
        noisy(POOLING), noisy(POOLING, seeds=1), noisy({"max": 0.9}), grid({"max": ["failed"]}),
        grid({"max": [0.9, 0.9], "b": [0.8, 0.8]}), noisy({"[32, 64]": 0.9, "[8]": 0.8}, path="model.filters"),
    ],
)  # fmt: skip
def test_a_verdict_is_kept_whole_as_json(trials: pd.DataFrame) -> None:
    found = verdict(trials)
    text = json.dumps(found.to_dict(), allow_nan=False)
    read = Verdict.from_dict(json.loads(text))
    assert json.dumps(read.to_dict()) == text
    assert read.choices == found.choices
    assert read.pairs == found.pairs


def test_verdict_json_names_the_winner_and_its_values() -> None:
    content = verdict(noisy({"[32, 64]": 0.9, "[8]": 0.8}, path="model.filters")).to_dict()
    assert content["winner"] == "[32, 64]"
    assert content["values"] == {"model.filters": [32, 64]}


def test_what_is_no_verdict_is_refused() -> None:
    with pytest.raises(ValidationError, match="winner"):
        Verdict.from_dict({"metric": METRIC})


@given(
    st.dictionaries(
        st.sampled_from("abcdef"),
        st.lists(st.sampled_from([0.0, 0.5, 0.9, 0.91, 0.95, 1.0, "failed", "pruned"]), min_size=1, max_size=4),
        min_size=1,
    )
)
def test_every_table_has_a_verdict_that_hangs_together(values: dict[str, list[float | str]]) -> None:
    found = verdict(grid(values), validation_images=100)
    json.dumps(found.to_dict(), allow_nan=False)
    labels = [choice.choice for choice in found.choices]
    usable = {label for label, by_seed in values.items() if any(not isinstance(value, str) for value in by_seed)}
    assert set(labels) == usable
    assert found.winner == (labels[0] if labels else None)
    compared = {choice.choice for choice in found.choices if choice.n > 1}
    assert {label for group in found.groups for label in group} == (compared if len(compared) > 1 else set())
    for pair in found.pairs:
        assert pair.difference >= 0
        assert pair.low <= pair.difference <= pair.high
        assert 0 <= pair.p <= pair.p_holm <= 1
        assert (pair.seeds_needed is None) or (not pair.decided and pair.seeds_needed > pair.n)
    if found.decided:
        beaten = {pair.worse for pair in found.pairs if pair.decided and pair.better == found.winner}
        assert beaten == set(labels) - {found.winner}
        assert f"{found.winner} beats " in found.sentence


# Folds


def over_folds(trials: pd.DataFrame) -> pd.DataFrame:
    return trials.rename(columns={"seed": "fold"}).assign(seed=0)


def test_over_folds_the_words_say_folds_and_the_interval_is_wider() -> None:
    trials = noisy({"max": 0.99, "average": 0.98}, seeds=5)
    seeds, folds = verdict(trials), verdict(over_folds(trials), folds=5)
    assert "5 seeds" in seeds.sentence
    assert "5 folds), on these folds of the images." in folds.sentence
    assert "seed" not in folds.sentence + " ".join((*folds.conditions, *folds.warnings))
    width = (folds.pairs[0].high - folds.pairs[0].low) / (seeds.pairs[0].high - seeds.pairs[0].low)
    assert width == pytest.approx(np.sqrt((1 / 5 + 1 / 4) * 5))
    assert folds.detectable is not None
    assert seeds.detectable is not None
    assert folds.detectable > seeds.detectable


def test_choices_of_which_some_folds_were_pruned_are_named() -> None:
    trials = grid({"max": [0.9, 0.91, "pruned"], "average": [0.8, 0.82, 0.81], "blur": ["pruned"] * 3})
    (said,) = (line for line in verdict(over_folds(trials), folds=3).warnings if "survived" in line)
    assert said.startswith("Only some folds survived the pruner: max (2 of 3). Those are the folds that went well, ")


def test_where_no_number_of_folds_would_decide_the_verdict_says_so() -> None:
    trials = over_folds(noisy({"max": 0.9801, "average": 0.98}, seeds=5))
    assert "not separable at 5 folds; probably not even 1,000 would decide" in verdict(trials, folds=5).sentence


@pytest.mark.parametrize(("seeds", "share"), [(10, 0.01), (30, 0.43)])  # as docs/statistics.md says
def test_the_best_of_few_seeds_is_hardly_ever_called_lucky_and_of_many_often(seeds: int, share: float) -> None:
    lucky = 0
    for sample in np.random.default_rng(0).normal(0.5, 0.01, (1_000, seeds)):
        _, low, high = mean_interval(sample)
        judged = {"value": float(sample.max()), "mean": float(sample.mean()), "low": low, "high": high, "n": seeds}
        lucky += bool(luck({"metrics": {"val_accuracy": judged}}))
    assert lucky / 1_000 == pytest.approx(share, abs=0.02)
