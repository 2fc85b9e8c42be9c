import numpy as np
import pytest
from data_examples import make_split
from hypothesis import given
from hypothesis import strategies as st

from main.config import DataConfig
from main.data.errors import DataError
from main.data.records import Fold, Split, TrainingData
from main.data.source import Header
from main.data.splits import draw_test, hold_out, resample, sizes, stratified_order

HEADER = Header(image_shape=(8, 8, 1), n_images=200, classes=tuple("0123456789"), validation=20, split="last")


@given(
    counts=st.lists(st.integers(1, 40), min_size=2, max_size=6),
    seed=st.integers(0, 2**32 - 1),
    cut=st.floats(0, 1),
)
def test_every_end_of_a_stratified_order_holds_each_class_in_its_share(counts, seed, cut):
    labels = np.repeat(np.arange(len(counts)), counts)
    order = stratified_order(labels, seed)
    assert sorted(order) == list(range(len(labels)))
    taken = order[: round(cut * len(labels))]
    for label, count in enumerate(counts):
        fair = len(taken) * count / len(labels)
        assert abs(np.count_nonzero(labels[taken] == label) - fair) <= 1.5 + 0.5 * len(counts) / 2


def test_the_order_depends_on_the_seed_alone():
    labels = np.arange(100) % 7
    np.testing.assert_array_equal(stratified_order(labels, 3), stratified_order(labels, 3))
    assert not np.array_equal(stratified_order(labels, 3), stratified_order(labels, 4))


def test_a_drawn_test_set_leaves_every_other_image_to_training():
    whole = make_split(100)
    training, test = draw_test(whole, 20)
    images = np.concatenate([training.images, test.images]).reshape(100, -1)
    assert len(np.unique(images, axis=0)) == 100
    assert np.bincount(test.labels).tolist() == [2] * 10


def test_a_class_that_is_not_among_the_images_to_train_on_is_told():
    whole = make_split(200)
    sorted_by_class = whole.take(np.argsort(whole.labels, kind="stable"))
    config = DataConfig(validation=10, train=50, split="last")
    with pytest.raises(DataError, match=r"leaves none of class 3, .* among the 50 to train on; write `split: strat"):
        hold_out(sorted_by_class, HEADER, config, "a")


def test_the_last_images_validate_and_the_first_of_the_rest_train():
    whole = make_split(200)
    train, validation = hold_out(whole, HEADER, DataConfig(validation=50, train=30), "a")
    np.testing.assert_array_equal(validation.images, whole.images[150:])
    np.testing.assert_array_equal(train.images, whole.images[:30])


def test_more_training_images_contain_the_fewer():
    for split in ("last", "stratified"):
        few, held_out = hold_out(make_split(200), HEADER, DataConfig(train=30, split=split), "a")
        many, also_held_out = hold_out(make_split(200), HEADER, DataConfig(train=90, split=split), "a")
        np.testing.assert_array_equal(few.images, many.images[:30])
        np.testing.assert_array_equal(held_out.images, also_held_out.images)


def test_a_stratified_split_draws_both_parts_evenly_by_its_seed():
    whole = make_split(200)
    config = DataConfig(validation=50, train=100, split="stratified", seed=1)
    train, validation = hold_out(whole, HEADER, config, "a")
    assert np.bincount(validation.labels).tolist() == [5] * 10
    assert np.bincount(train.labels).tolist() == [10] * 10
    _, other = hold_out(whole, HEADER, config.model_copy(update={"seed": 2}), "a")
    assert not np.array_equal(validation.images, other.images)


def test_sizes_follow_the_source_unless_written():
    assert sizes(HEADER, DataConfig(), "a") == (180, 20)
    assert sizes(HEADER, DataConfig(validation=199), "a") == (1, 199)
    assert sizes(HEADER, DataConfig(train=150, validation=50), "a") == (150, 50)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (DataConfig(validation=200), "validation: 200, which leaves none"),
        (DataConfig(validation=50, train=151), "validation: 50 and train: 151"),
        (DataConfig(validation=10**9), "validation: 1,000,000,000"),
    ],
)
def test_refuses_more_than_there_is(refuses, config, words):
    refuses(lambda: sizes(HEADER, config, "a.npz"), "a.npz has 200 images", words)


def test_refuses_a_split_that_leaves_nothing_of_a_class_to_train_on(refuses):
    whole = make_split(200)
    by_class = whole.take(np.argsort(whole.labels, kind="stable"))
    refuses(lambda: hold_out(by_class, HEADER, DataConfig(), "a"), "class 9", "`split: stratified`")
    train, _ = hold_out(by_class, HEADER, DataConfig(split="stratified"), "a")
    assert set(train.labels) == set(range(10))


@given(counts=st.lists(st.integers(6, 30), min_size=2, max_size=4), folds=st.integers(2, 6), seed=st.integers(0, 99))
def test_folds_are_of_one_size_and_no_image_validates_twice(counts, folds, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    data = data_of(labels)
    seen = []
    for number in range(folds):
        cut = resample(data, Fold(number, folds, seed), 0)
        held_out, trained = cut.validation.images.ravel().tolist(), cut.train.images.ravel().tolist()
        assert len(held_out) == len(labels) // folds
        assert sorted([*held_out, *trained]) == list(range(len(labels)))
        fair = [count / folds for count in counts]
        assert np.bincount(cut.validation.labels, minlength=len(counts)) == pytest.approx(fair, abs=2.5)
        seen += held_out
    assert len(set(seen)) == len(seen)


def test_each_seed_draws_folds_of_its_own_and_the_same_ones_again():
    data = data_of(np.arange(60) % 3)
    first, again, other = (resample(data, Fold(1, 5, seed), 0).validation.images.ravel() for seed in (3, 3, 4))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()
    assert resample(data, Fold(1, 5, 3), 7).validation.images.ravel().tolist() != first.tolist()


def test_more_folds_than_images_and_a_class_of_one_image_are_refused():
    with pytest.raises(DataError, match="has 4 images outside its test set, too few for 5 folds"):
        resample(data_of(np.arange(4) % 2), Fold(0, 5), 0)
    lonely_labels = np.array([0, 0, 0, 1])
    lonely = data_of(lonely_labels)
    where = int(np.flatnonzero(stratified_order(lonely_labels, (0, 0)) == 3)[0])
    with pytest.raises(DataError, match="leaves none of class 1 to train on; write fewer `folds`"):
        resample(lonely, Fold(where, 4), 0)


def data_of(labels):
    """Training data, a third of which validates, whose images are their places."""
    images = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1, 1)
    whole = Split(images, labels.astype(np.int64))
    cut = len(labels) * 2 // 3
    return TrainingData(
        train=whole.take(slice(cut)),
        validation=whole.take(slice(cut, None)),
        n_classes=int(labels.max()) + 1,
        source="made up",
        checksum="0",
    )
