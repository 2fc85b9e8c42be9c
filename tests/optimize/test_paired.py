import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.multitest import multipletests

from optimize.paired import FloatArray, agreement_p, compare_pairs, fit_additive, holm, mean_interval, overlap_of

NOWHERE = np.nan


def table(choices: int, blocks: int, *, spreads: float | list[float] = 1.0, seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=blocks) + np.broadcast_to(spreads, choices)[:, None] * rng.normal(size=(choices, blocks))


def least_squares(values: FloatArray) -> OLS:
    """Choice + block as statsmodels fits it: dummies of every choice, and of every block but the first."""
    choice, block = np.nonzero(np.isfinite(values))
    design = np.hstack([np.eye(values.shape[0])[choice], np.eye(values.shape[1])[block][:, 1:]])
    return OLS(values[choice, block], design).fit()


# The additive fit


@pytest.mark.parametrize("missing", [[], [(0, 1)], [(0, 1), (2, 3), (2, 0)]])
def test_the_additive_fit_is_that_of_least_squares(missing: list[tuple[int, int]]) -> None:
    values = table(4, 5)
    for cell in missing:
        values[cell] = NOWHERE
    oracle, fit = least_squares(values), fit_additive(values)
    assert fit.df == oracle.df_resid == 12 - len(missing)
    assert fit.mean_square == pytest.approx(oracle.mse_resid)
    assert fit.means - fit.means[0] == pytest.approx(oracle.params[:4] - oracle.params[0])


def test_adjusted_means_of_a_whole_table_are_its_means() -> None:
    values = table(3, 7)
    assert fit_additive(values).means == pytest.approx(values.mean(1))


def test_a_choice_that_missed_the_easy_blocks_is_not_taken_for_worse() -> None:
    easy = np.array([0.0, 0.0, 5.0, 5.0])
    values = np.array([easy, easy + 1.0])
    values[1, 2:] = NOWHERE
    first, second = fit_additive(values).means
    assert np.nanmean(values[1]) < np.nanmean(values[0])
    assert second - first == pytest.approx(1.0)


def test_tables_of_a_stack_are_fitted_one_by_one() -> None:
    stack = np.stack([table(3, 4, seed=seed) for seed in range(5)])
    stack[:, 1, 2] = NOWHERE
    fit = fit_additive(stack)
    for i in range(5):
        assert fit.mean_square[i] == pytest.approx(fit_additive(stack[i]).mean_square)
        assert fit.means[i] == pytest.approx(fit_additive(stack[i]).means)


def test_tables_of_a_stack_that_lack_different_cells_are_refused() -> None:
    stack = np.stack([table(3, 4), table(3, 4)])
    stack[1, 0, 0] = NOWHERE
    with pytest.raises(ValueError, match="same cells"):
        compare_pairs(stack)


# Pairs


@given(seed=st.integers(0, 10_000), blocks=st.integers(2, 12))
def test_two_choices_are_compared_by_the_paired_t_test(seed: int, blocks: int) -> None:
    values = table(2, blocks, seed=seed)
    tests, oracle = compare_pairs(values), stats.ttest_rel(values[0], values[1])
    interval = oracle.confidence_interval()
    assert tests.p == pytest.approx([oracle.pvalue])
    assert [tests.low[0], tests.high[0]] == pytest.approx([interval.low, interval.high])
    assert tests.p_holm == pytest.approx(tests.p)


def test_where_variances_agree_the_error_is_the_residual_mean_square() -> None:
    values = table(4, 5)
    tests, mean_square = compare_pairs(values), least_squares(values).mse_resid
    assert tests.pooled
    t = (values[0].mean() - values[3].mean()) / np.sqrt(2 * mean_square / 5)
    assert tests.p[2] == pytest.approx(2 * stats.t.sf(abs(t), 12))
    assert tests.high[2] - tests.low[2] == pytest.approx(2 * stats.t.isf(0.025, 12) * np.sqrt(2 * mean_square / 5))


def test_where_variances_differ_each_pair_has_its_own_error() -> None:
    values = table(4, 8, spreads=[1, 1, 1, 50])
    tests = compare_pairs(values)
    assert not tests.pooled
    for i, (first, second) in enumerate(zip(tests.first, tests.second, strict=True)):
        assert tests.p[i] == pytest.approx(stats.ttest_rel(values[first], values[second]).pvalue)


def test_pairs_are_compared_over_the_blocks_that_both_have() -> None:
    values = table(3, 6)
    values[1, :2] = values[2, 5] = NOWHERE
    tests = compare_pairs(values)
    assert tests.n.tolist() == [4, 5, 3]
    assert tests.difference[0] == pytest.approx((values[0, 2:] - values[1, 2:]).mean())


@pytest.mark.parametrize("shared", [0, 1])
def test_a_pair_with_fewer_than_two_shared_blocks_cannot_be_told_apart(shared: int) -> None:
    values = np.full((2, 6), NOWHERE)
    values[0, : 3 + shared] = [1.0, 1.1, 1.2, 1.3][: 3 + shared]
    values[1, 3:] = [9.0, 9.1, 9.3]
    tests = compare_pairs(values)
    assert tests.n == [shared]
    assert tests.p == tests.p_holm == [1.0]


def test_no_difference_at_all_is_p_1_even_without_any_error() -> None:
    tests = compare_pairs(np.array([[0.9, 0.8, 0.7], [0.7, 0.8, 0.9], [0.9, 0.8, 0.7]]))
    assert tests.p == pytest.approx([1.0, 1.0, 1.0])
    assert compare_pairs(np.full((2, 3), 0.97)).p == [1.0]


def test_a_difference_that_rounding_makes_is_none() -> None:
    values = np.array([[0.1 + 0.2, 0.5, 0.4], [0.3, 0.5, 0.4]])
    assert values[0, 0] != values[1, 0]
    assert compare_pairs(values).p == [1.0]


def test_the_same_difference_in_every_block_is_certain() -> None:
    tests = compare_pairs(np.array([[0.9, 0.8, 0.7], [0.8, 0.7, 0.6]]))
    assert tests.p == [0.0]
    assert tests.low == tests.high == pytest.approx([0.1])


@pytest.mark.parametrize(("images_apart", "decided"), [(1, False), (20, True)])
def test_the_same_difference_in_steps_of_an_image_is_as_certain_as_rounding_allows(
    images_apart: int, decided: bool
) -> None:
    correct = np.array([[230, 228, 231], [230, 228, 231]])
    correct[1] -= images_apart
    values = correct / 237
    assert bool(compare_pairs(values, resolution=1 / 237).p[0] <= 0.05) is decided


def test_the_resolution_does_not_matter_where_there_is_more_spread() -> None:
    values = table(3, 5)
    assert compare_pairs(values, resolution=1e-3).p == pytest.approx(compare_pairs(values).p)


def test_gaps_do_not_hide_that_variances_differ() -> None:
    values = table(6, 10, spreads=[1, 5, 1, 1, 1, 1])
    values[3, 2:] = NOWHERE
    tests = compare_pairs(values)
    assert not tests.pooled
    assert tests.agreement_p == agreement_p(np.delete(values, 3, axis=0))


def test_where_no_three_blocks_are_complete_the_choices_with_the_fewest_are_left_out_of_the_agreement() -> None:
    values = table(5, 8)
    values[0, 5:] = values[4, :3] = values[2, 2:] = NOWHERE  # the first and the last share two blocks
    assert compare_pairs(values).agreement_p == agreement_p(values[[0, 1, 3], :5])


# Agreement of variances


def test_two_choices_or_two_blocks_are_too_few_to_doubt_the_variances() -> None:
    assert agreement_p(table(2, 9, spreads=[1, 100])) == 1
    assert agreement_p(table(9, 2)) == 1


def test_a_table_without_spread_has_variances_that_agree() -> None:
    assert agreement_p(np.full((4, 4), 0.5)) == 1


@pytest.mark.parametrize(("choices", "blocks"), [(3, 5), (6, 4), (4, 4)])
def test_variances_that_agree_are_doubted_as_often_as_said(choices: int, blocks: int) -> None:
    rng = np.random.default_rng(1)
    p = agreement_p(rng.normal(size=(4000, choices, blocks)) + rng.normal(size=(4000, 1, blocks)))
    for level in (0.05, 0.25, 0.5):
        assert (p <= level).mean() == pytest.approx(level, abs=0.025)


def test_agreement_does_not_change_with_unit_origin_or_blocks() -> None:
    values = table(4, 6)
    moved = 0.01 * (values + 7.0 + np.arange(6.0) ** 2)
    assert agreement_p(moved) == agreement_p(values)


# Corrections and intervals


@settings(max_examples=15)  # statsmodels collects garbage each time
@given(st.lists(st.floats(0, 1), min_size=1, max_size=15))
def test_holm_is_that_of_statsmodels(p: list[float]) -> None:
    assert holm(np.array(p)) == pytest.approx(multipletests(p, method="holm")[1])


def test_the_interval_of_a_mean_is_that_of_scipy() -> None:
    values = table(1, 6)[0]
    deviation, low, high = mean_interval(values)
    oracle = stats.ttest_1samp(values, 0).confidence_interval()
    assert [deviation, low, high] == pytest.approx([values.std(ddof=1), oracle.low, oracle.high])


@pytest.mark.parametrize("overlap", [0.0, overlap_of(5)])
def test_equal_values_in_steps_are_as_certain_as_rounding_allows(overlap: float) -> None:
    deviation, low, high = mean_interval([0.9] * 5, resolution=1 / 237, overlap=overlap)
    assert deviation == pytest.approx(0, abs=1e-12)
    half = stats.t.isf(0.025, 4) / 237 / np.sqrt(12) * np.sqrt(1 / 5 + overlap)
    assert [low, high] == pytest.approx([0.9 - half, 0.9 + half])


def test_the_resolution_does_not_widen_the_interval_of_values_that_spread_more() -> None:
    values = table(1, 6)[0]
    assert mean_interval(values, resolution=1e-3) == mean_interval(values)


# Folds


def test_over_folds_the_interval_is_that_of_the_corrected_resampled_t_test() -> None:
    values = table(2, 10)
    tests = compare_pairs(values, overlap=overlap_of(5))
    differences = values[0] - values[1]
    error = np.sqrt(differences.var(ddof=1) * (1 / 10 + 1 / 4))  # a fifth tests what four fifths train
    half = stats.t.isf(0.025, 9) * error
    assert tests.low[0] == pytest.approx(differences.mean() - half)
    assert tests.high[0] == pytest.approx(differences.mean() + half)
    assert tests.p[0] == pytest.approx(2 * stats.t.sf(abs(differences.mean()) / error, 9))


def test_the_interval_of_a_choice_over_folds_is_widened_alike() -> None:
    values = table(1, 5)[0]
    _, low, high = mean_interval(values)
    _, wide_low, wide_high = mean_interval(values, overlap=overlap_of(5))
    assert (wide_high - wide_low) / (high - low) == pytest.approx(np.sqrt((1 / 5 + 1 / 4) * 5))
