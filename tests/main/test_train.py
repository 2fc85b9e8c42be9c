import dataclasses
import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from constant_schedules import ConstantSchedule

import models
from main import network, optimizers
from main.backend import Precision, statistics_batches, training_batches
from main.config import AugmentConfig, DataConfig, OptimizerConfig, ScheduleConfig, TrainConfig, TrainingConfig
from main.data import TrainingData, load_training
from main.history import Epoch
from main.tracing import graph_key
from main.train import TrainResult, statistics_sample, train
from models.spec import CnnSpec

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return load_training(DataConfig(source="digits", train=300, validation=200))


def config(**changes: object) -> TrainingConfig:
    settings: dict[str, object] = {"epochs": 3, "batch_size": 64, **changes}
    return TrainingConfig(
        data=DataConfig(source="digits"),
        model=CnnSpec(filters=(4, 8), dropout=0.3),
        train=TrainConfig.model_validate(settings),
    )


def with_model(**changes: object) -> TrainingConfig:
    return dataclasses.replace(config(), model=CnnSpec.model_validate({"filters": (4, 8), **changes}))


NORMALISED = CnnSpec(filters=(4, 8), batch_norm=True, dropout=0.3)


COSINE = ScheduleConfig(name="cosine", warmup=0.5)
LOW_COSINE = ScheduleConfig(name="cosine", final=0.1)
EXPONENTIAL = ScheduleConfig(name="exponential", decay=0.5)
AUGMENT = AugmentConfig(shift=0.1, rotation=10, zoom=0.1, shear=0.1, elastic=0.5)
PLATEAU = ScheduleConfig(name="plateau", patience=1, decay=0.1)


def same(first: TrainResult, second: TrainResult) -> bool:
    def figures(result: TrainResult) -> list[Epoch]:
        return [dataclasses.replace(epoch, seconds=0.0) for epoch in result.history]

    return figures(first) == figures(second) and all(
        np.array_equal(a, b) for a, b in zip(first.weights, second.weights, strict=True)
    )


def trained_model(config: TrainingConfig, result: TrainResult, data: TrainingData) -> keras.Model:
    model = models.build(config.model, data.input_shape, data.n_classes)
    model.set_weights(result.weights)
    return model


def stop_after(epoch: int) -> Callable[[Epoch], bool]:
    return lambda ended: ended.epoch == epoch


def test_training_learns_and_records_every_epoch(data: TrainingData) -> None:
    result = train(config(epochs=8, learning_rate=1e-2), data, seed=0)
    assert [epoch.epoch for epoch in result.history] == list(range(1, 9))
    assert result.history[-1].val_accuracy > 0.8
    assert result.history[-1].val_crossentropy < result.history[0].val_crossentropy
    assert result.parameters == sum(weight.size for weight in result.weights)
    assert result.stopped is None


def test_a_reused_network_gives_the_same_bits_as_a_fresh_one(data: TrainingData) -> None:
    """Traced for one rate and trained with another in between, each optimizer finds back to its own start."""
    for name in ("adam", "adagrad", "nadam"):
        wanted = config(learning_rate=1e-2, optimizer=OptimizerConfig(name=name))  # type: ignore[arg-type]
        other = config(learning_rate=1e-3, optimizer=OptimizerConfig(name=name))  # type: ignore[arg-type]
        fresh = train(wanted, data, seed=5)
        train(other, data, seed=6)
        assert same(fresh, train(wanted, data, seed=5)), name


@pytest.mark.parametrize(
    ("wanted", "other"),
    [
        pytest.param(config(learning_rate=1e-2), config(learning_rate=1e-3), id="constant"),
        pytest.param(
            config(learning_rate=1e-2, schedule=COSINE), config(learning_rate=1e-3, schedule=COSINE), id="cosine"
        ),
        pytest.param(config(schedule=COSINE), config(schedule=LOW_COSINE, epochs=2), id="cosine-warmer"),
        pytest.param(config(schedule=LOW_COSINE), config(schedule=COSINE, epochs=5), id="cosine-lower"),
        pytest.param(
            config(learning_rate=1e-2, schedule=EXPONENTIAL),
            config(learning_rate=1e-3, schedule=EXPONENTIAL, epochs=1),
            id="exponential",
        ),
        pytest.param(
            config(schedule=EXPONENTIAL), config(schedule=ScheduleConfig(name="exponential")), id="exponential-faster"
        ),
        pytest.param(config(learning_rate=1e-2, schedule=PLATEAU), config(schedule=PLATEAU, epochs=4), id="plateau"),
        pytest.param(config(schedule=PLATEAU), config(learning_rate=1e-2), id="plateau-after-constant"),
        pytest.param(config(label_smoothing=0.2), config(), id="smoothed"),
        pytest.param(config(), config(label_smoothing=0.2), id="sharp"),
        pytest.param(config(augment=AUGMENT), config(), id="augmented"),
        pytest.param(with_model(dropout=0.7), with_model(dropout=0.1), id="dropout"),
        pytest.param(with_model(conv_dropout=(0.4, 0.2)), with_model(conv_dropout=0.1), id="conv-dropout"),
        pytest.param(config(loss="focal", label_smoothing=0.2), config(loss="focal", label_smoothing=0.1), id="focal"),
    ],
)
def test_a_shared_network_is_traced_once_and_gives_the_bits_of_one_of_its_own(
    data: TrainingData, wanted: TrainingConfig, other: TrainingConfig
) -> None:
    network._cache.clear()
    alone = train(wanted, data, seed=5)
    network._cache.clear()
    changed = train(other, data, seed=5)
    shared = train(wanted, data, seed=5)

    assert same(alone, shared)
    assert not np.array_equal(changed.weights[0], shared.weights[0])  # what differs between the two had an effect
    (traced,) = network._cache.values()
    assert traced.traces == 1


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("schedule", [COSINE, LOW_COSINE, EXPONENTIAL], ids=["warm-up", "no-warm-up", "exponential"])
def test_a_schedule_of_variables_trains_the_bits_of_one_of_constants(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch, schedule: ScheduleConfig, precision: Precision
) -> None:
    """With weight decay, a product whose factors TensorFlow puts in another order."""
    decayed = config(schedule=schedule, learning_rate=0.0137, weight_decay=0.3)
    network._cache.clear()
    ours = train(decayed, data, seed=5, precision=precision)
    network._cache.clear()
    monkeypatch.setattr(optimizers, "_learning_rate", ConstantSchedule)
    constant = train(decayed, data, seed=5, precision=precision)
    network._cache.clear()
    assert [epoch.loss for epoch in ours.history] == [epoch.loss for epoch in constant.history]
    assert all(np.array_equal(a, b) for a, b in zip(ours.weights, constant.weights, strict=True))


def test_averaged_weights_have_the_normalisation_statistics_of_their_own(data: TrainingData) -> None:
    """Those of the first layer are the means and variances of what its convolution, averaged, makes of the images."""
    averaged = dataclasses.replace(config(ema=0.9, learning_rate=1e-2), model=NORMALISED)
    model = trained_model(averaged, train(averaged, data, seed=0), data)
    first = keras.Model(model.input, model.get_layer("conv_1").output)
    outputs = keras.ops.convert_to_numpy(first(data.train.images.astype(np.float32) / 255))
    kept = model.get_layer("conv_1_norm")
    deviation = outputs.std(axis=(0, 1, 2))
    assert np.abs(kept.moving_mean - outputs.mean(axis=(0, 1, 2))).max() < 0.05 * deviation.max()
    assert np.sqrt(kept.moving_variance) == pytest.approx(deviation, rel=0.05)


@pytest.mark.parametrize(("batch_size", "sizes"), [(128, [128, 128]), (400, [300]), (64, [64] * 4)])
def test_statistics_are_of_whole_batches(data: TrainingData, batch_size: int, sizes: list[int]) -> None:
    assert len(data.train) == 300
    batches = statistics_sample(TrainConfig(batch_size=batch_size), data.train, seed=0, epoch=0)
    assert [len(labels) for _, labels in batches] == sizes


def test_a_splits_batches_are_made_once_and_let_go_when_another_is_trained_on(data: TrainingData) -> None:
    """Each holds its images, and folds are many splits."""
    first, second = data.train.take(slice(100)), data.train.take(slice(100, 200))

    def made() -> list[object]:
        trained_on = [training_batches(first, batch_size=size, augment=None) for size in (32, 64)]
        return [*trained_on, statistics_batches(first, batch_size=64, augment=None)]

    batches = made()
    assert len(set(batches)) == 3
    assert made() == batches
    forgotten = [weakref.ref(each) for each in batches]
    del batches
    training_batches(second, batch_size=64, augment=None)
    gc.collect()
    assert [reference() for reference in forgotten] == [None] * 3


def test_seeds_differ_and_a_seed_repeats(data: TrainingData) -> None:
    first, second, again = (train(config(epochs=1), data, seed=seed) for seed in (1, 2, 1))
    assert same(first, again)
    assert not same(first, second)


@pytest.mark.parametrize("interrupted_after", [1, 2])  # the first varies first: both find one traced network
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"schedule": ScheduleConfig(name="cosine", warmup=1)},
        {"schedule": ScheduleConfig(name="plateau", patience=1, decay=0.1)},
        {"ema": 0.9},
        {"optimizer": OptimizerConfig(name="sgd", momentum=0.9)},
        {"augment": AUGMENT},
        {"model": NORMALISED, "ema": 0.9, "augment": AUGMENT},
    ],
    ids=["adam", "cosine", "plateau", "ema", "sgd", "augment", "normalised"],
)
def test_a_training_that_was_interrupted_ends_with_the_same_bits(
    data: TrainingData, tmp_path: Path, changes: dict[str, Any], interrupted_after: int
) -> None:
    model = changes.get("model", config().model)
    wanted = dataclasses.replace(config(**{k: v for k, v in changes.items() if k != "model"}), model=model)
    whole = train(wanted, data, seed=3)
    first = train(wanted, data, seed=3, checkpoint_folder=tmp_path, on_epoch=stop_after(interrupted_after))
    assert first.stopped == "requested"
    train(config(learning_rate=0.5), data, seed=99)  # whatever the process does in between
    resumed = train(wanted, data, seed=3, checkpoint_folder=tmp_path)
    assert same(whole, resumed)


def test_a_finished_training_is_read_back_from_its_checkpoint(data: TrainingData, tmp_path: Path) -> None:
    whole = train(config(), data, seed=3, checkpoint_folder=tmp_path)
    seen: list[Epoch] = []
    again = train(config(), data, seed=3, checkpoint_folder=tmp_path, on_epoch=lambda epoch: bool(seen.append(epoch)))
    assert same(whole, again)
    assert seen == list(whole.history)
    assert (whole.resumed, again.resumed) == (False, True)


def test_a_training_that_goes_on_tells_what_it_has_behind_it_and_may_be_stopped_there(
    data: TrainingData, tmp_path: Path
) -> None:
    train(config(), data, seed=3, checkpoint_folder=tmp_path, on_epoch=stop_after(2))
    told: list[int] = []

    def stop(epoch: Epoch) -> bool:
        told.append(epoch.epoch)
        return epoch.epoch == 2

    assert train(config(), data, seed=3, checkpoint_folder=tmp_path, on_epoch=stop).stopped == "requested"
    assert told == [1, 2]


@pytest.mark.parametrize("other", ["seed", "values", "data", "metric", "precision", "versions"])
def test_a_checkpoint_of_another_training_is_not_taken_up(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    """A folder may be found where another trial of that number has left it, or the program been updated since."""
    train(config(epochs=2), data, seed=3, checkpoint_folder=tmp_path)
    if other == "versions":
        monkeypatch.setattr("main.train.decisive_versions", lambda: {"keras": "3.0.0"})
    epochs: list[int] = []
    train(
        config(epochs=2, learning_rate=0.5) if other == "values" else config(epochs=2),
        dataclasses.replace(data, checksum="of others") if other == "data" else data,
        seed=4 if other == "seed" else 3,
        metric="val_loss" if other == "metric" else "val_accuracy",
        precision="bfloat16" if other == "precision" else "float32",
        checkpoint_folder=tmp_path,
        on_epoch=lambda epoch: bool(epochs.append(epoch.epoch)),
    )
    assert epochs == [1, 2]


def test_a_diverging_training_says_so_and_keeps_its_curve(data: TrainingData) -> None:
    exploding = config(learning_rate=1e3, optimizer=OptimizerConfig(name="sgd"), epochs=20)
    exploding = dataclasses.replace(exploding, model=CnnSpec(filters=(4,), l2=1.0))  # a factor of -1,999 a step
    result = train(exploding, data, seed=0)
    assert result.stopped == "diverged"
    assert result.history[-1].diverged
    assert len(result.history) < 20


def test_early_stopping_ends_a_training_that_no_longer_improves(data: TrainingData) -> None:
    result = train(config(learning_rate=1e-9, epochs=9, early_stopping=2), data, seed=0)
    assert result.stopped == "early"
    assert len(result.history) < 9


def test_the_best_epoch_is_the_one_with_the_best_metric(data: TrainingData) -> None:
    result = train(config(epochs=4), data, seed=0, metric="val_crossentropy")
    worst = train(config(epochs=4), data, seed=0, metric="val_accuracy")
    for kept, metric in ((result, "val_crossentropy"), (worst, "val_accuracy")):
        values = [getattr(epoch, metric) for epoch in kept.history]
        best = max(values) if metric == "val_accuracy" else min(values)
        assert values[(kept.best_epoch or 0) - 1] == best


def test_weights_are_those_of_the_best_epoch_and_not_of_the_last(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("main.train.best_epoch", lambda history, metric: 1)
    first, whole = (train(config(epochs=epochs), data, seed=0) for epochs in (1, 3))
    assert len(whole.history) == 3
    for ours, theirs in zip(whole.weights, first.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_only_what_is_traced_is_in_a_graphs_key() -> None:
    assert graph_key(config(learning_rate=1e-2, epochs=9)) == graph_key(config())
    assert graph_key(config(optimizer=OptimizerConfig(learning_rate=0.1))) == graph_key(config())
    assert graph_key(config(optimizer=OptimizerConfig(name="sgd"))) != graph_key(config())
    assert graph_key(config(loss="focal")) != graph_key(config())
    assert graph_key(config(schedule=COSINE, learning_rate=1e-2)) == graph_key(config(schedule=COSINE))
    assert graph_key(config(schedule=LOW_COSINE, epochs=9)) == graph_key(config(schedule=COSINE))
    assert graph_key(config(schedule=COSINE)) != graph_key(config())
    exponential = ScheduleConfig(name="exponential")
    assert graph_key(config(schedule=exponential, epochs=9)) == graph_key(config(schedule=EXPONENTIAL))
    assert graph_key(config(schedule=EXPONENTIAL)) != graph_key(config(schedule=COSINE))
    assert graph_key(config(schedule=EXPONENTIAL)) != graph_key(config())
    assert graph_key(config(schedule=PLATEAU)) == graph_key(config())
    assert graph_key(config(label_smoothing=0.1)) == graph_key(config())
    assert graph_key(config(weight_decay=0.1)) != graph_key(config())
    assert graph_key(config(augment={"shift": 0.1})) == graph_key(config())
    assert graph_key(with_model(dropout=0.7)) == graph_key(config()) != graph_key(with_model(dropout=0.0))


def test_trainings_that_share_a_graph_trace_it_once(data: TrainingData) -> None:
    network._cache.clear()
    train(config(epochs=1), data, seed=9)
    (traced,) = network._cache.values()
    after_the_first = traced.traces
    for rate, seed in ((1e-3, 0), (1e-2, 1), (3e-3, 2)):
        train(config(learning_rate=rate, epochs=1), data, seed=seed)
    assert list(network._cache.values()) == [traced]
    assert traced.traces == after_the_first == 1
