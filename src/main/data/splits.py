"""Which images train and which validate, and the test set that some sources need drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from main.config import DataConfig
from main.data.errors import DataError
from main.data.records import Fold, Labels, Split, TrainingData
from main.data.source import Header

TEST_SEED = 0
"""Seed of every drawn test set: it must be the same whatever a sweep file says."""


def stratified_order(labels: Labels, seed: int | Sequence[int]) -> Labels:
    """A shuffled order, (n,), in which every stretch holds each class in its share, to within one image.

    The images of a class are shuffled and then spread evenly over the whole, so that the last images
    of the order are a stratified draw, and so are the first of what they leave.
    """
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    positions = np.empty(len(labels), dtype=np.float64)
    for value in np.unique(labels):
        members = labels[shuffled] == value
        count = np.count_nonzero(members)
        positions[members] = (np.arange(count) + 0.5) / count
    return shuffled[np.argsort(positions, kind="stable")]


def test_places(labels: Labels, n_test: int) -> tuple[Labels, Labels]:
    """Places of the images that (train, test), of a source that comes as one: always the same draw."""
    order = stratified_order(labels, TEST_SEED)
    return order[:-n_test], order[-n_test:]


def draw_test(whole: Split, n_test: int) -> tuple[Split, Split]:
    """The training file and the test set of a source that comes as one: always the same stratified draw."""
    training, test = test_places(whole.labels, n_test)
    return whole.take(training), whole.take(test)


def sizes(header: Header, config: DataConfig, source: str) -> tuple[int, int]:
    """How many images (train, validate).

    Raises DataError where the source has too few for what the file asks.
    """
    n_validation = header.validation if config.validation is None else config.validation
    rest = header.n_images - n_validation
    n_train = rest if config.train is None else config.train
    if rest < 1 or n_train > rest:
        wanted = f"validation: {n_validation:,}" + (f" and train: {config.train:,}" if config.train else "")
        refused = DataError(
            f"{source} has {header.n_images:,} images outside its test set, too few for {wanted}"
            + ("" if config.train else ", which leaves none to train on")
        )
        refused.field = next((key for key in ("validation", "train") if getattr(config, key) is not None), "source")
        raise refused
    return n_train, n_validation


def hold_out(whole: Split, header: Header, config: DataConfig, source: str) -> tuple[Split, Split]:
    """The images that (train, validate): the last are held out first, the first of the rest train.

    A stratified split puts the images into `stratified_order` before the same rule is applied.
    Raises DataError where a class would be left with nothing to train on.
    """
    n_train, n_validation = sizes(header, config, source)
    split = config.split or header.split
    if split == "stratified":
        whole = whole.take(stratified_order(whole.labels, config.seed))
    rest, validation = whole.take(slice(None, -n_validation)), whole.take(slice(-n_validation, None))
    train = rest.take(slice(n_train))
    absent = np.setdiff1d(np.arange(len(header.classes)), train.labels)
    if absent.size:
        names = ", ".join(header.classes[label] for label in absent)
        raise DataError(
            f"{source}: holding {n_validation:,} images out by `split: {split}` leaves none of class {names} "
            f"among the {n_train:,} to train on" + ("; write `split: stratified`" if split == "last" else "")
        )
    return train, validation


def joined(first: Split, second: Split) -> Split:
    """One split after the other."""
    return Split(np.concatenate([first.images, second.images]), np.concatenate([first.labels, second.labels]))


def fold_sizes(n_images: int, folds: int, source: str) -> tuple[int, int]:
    """How many images (train, validate) where `n_images` are cut into folds.

    All folds are of one size, so that one traced network trains on each: what n_images / folds leaves over, fewer
    images than there are folds, trains every time. Raises DataError where a fold would be empty.
    """
    n_validation = n_images // folds
    if n_validation < 1:
        raise DataError(f"{source} has {n_images:,} images outside its test set, too few for {folds} folds")
    return n_images - n_validation, n_validation


def sizes_in_trial(n_train: int, n_validation: int, folds: int | None, source: str) -> tuple[int, int]:
    """How many images (train, validate) in one trial, of data with so many: a fold's, or the data's own.

    Raises DataError where there are fewer images than folds.
    """
    return (n_train, n_validation) if folds is None else fold_sizes(n_train + n_validation, folds, source)


def resample(data: TrainingData, fold: Fold, seed: int) -> TrainingData:
    """The same images, all of those that train and those that validate, with another share of them held out.

    Args:
        data: What the source gives; its own validation images are dealt out with the others.
        fold: Which share validates.
        seed: The data's own seed; with the fold's it decides the draw.

    Raises:
        DataError: a fold would be empty, or leave a class with nothing to train on.
    """
    whole = joined(data.train, data.validation)
    _, size = fold_sizes(len(whole), fold.of, data.source)
    order = stratified_order(whole.labels, (seed, fold.seed))
    held_out = slice(fold.number * size, (fold.number + 1) * size)
    train, validation = whole.take(np.delete(order, held_out)), whole.take(order[held_out])
    absent = np.setdiff1d(np.arange(data.n_classes), train.labels)
    if absent.size:
        raise DataError(
            f"{data.source}: fold {fold.number} of {fold.of} leaves none of class {absent[0]} to train on; "
            "write fewer `folds`"
        )
    return replace(data, train=train, validation=validation)
