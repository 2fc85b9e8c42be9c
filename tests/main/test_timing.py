from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from main import timing
from main.config import DataConfig, TrainConfig, TrainingConfig
from main.data import TrainingData, load_training
from main.timing import TrainingTimes, cost_key, time_training
from main.train import train
from models.spec import CnnSpec


def test_a_trial_is_its_steps_and_its_validations() -> None:
    config = TrainingConfig(
        data=DataConfig(), model=CnnSpec(), train=TrainConfig.model_validate({"epochs": 3, "batch_size": 100})
    )
    times = TrainingTimes(trace=2.0, step=0.01, validation=0.5)
    assert times.trial(config, n_train=1001) == pytest.approx(3 * (11 * 0.01 + 0.5))


def cost(model: dict[str, Any], train: dict[str, Any]) -> str:
    return cost_key(TrainingConfig(DataConfig(), CnnSpec.model_validate(model), TrainConfig.model_validate(train)))


def test_how_large_a_rate_is_costs_nothing_and_that_there_is_one_does() -> None:
    assert cost({"l2": 0.1, "conv_dropout": (0.0, 0.1)}, {}) == cost({"l2": 0.2, "conv_dropout": (0.0, 0.9)}, {})
    assert len({cost({}, {}), cost({"l2": 0.1}, {}), cost({"dropout": 0.0}, {}), cost({}, {"ema": 0.9})}) == 4


def test_augmentation_costs_by_its_kinds() -> None:
    none, turned, more, bent = (
        cost({}, {"augment": augment}) for augment in (None, {"rotation": 5}, {"rotation": 9}, {"elastic": 5})
    )
    assert turned == more
    assert len({none, turned, bent}) == 3


def test_what_is_decided_between_epochs_costs_no_step() -> None:
    between = {"epochs": 50, "early_stopping": 3, "schedule": "cosine", "learning_rate": 0.1}
    assert cost({}, between) == cost({}, {})
    assert cost({}, {"batch_size": 64}) != cost({}, {})


@pytest.mark.training
def test_timing_finds_where_the_time_goes() -> None:
    from main import network

    data = load_training(DataConfig(source="digits"))
    config = TrainingConfig(
        data=DataConfig(source="digits"),
        model=CnnSpec(filters=(4, 8)),
        train=TrainConfig.model_validate({"epochs": 2, "batch_size": 32}),
    )
    times = time_training(config, data, "float32")
    assert 0 < times.step < times.trace
    assert times.validation > 0

    traced = list(network._cache.values())
    time_training(config, data, "float32")
    assert not any(again is before for again in network._cache.values() for before in traced)


@pytest.mark.training
def test_of_a_large_network_few_images_are_timed_and_stand_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    data = load_training(DataConfig(source="digits"))
    config = TrainingConfig(
        data=DataConfig(source="digits"),
        model=CnnSpec(filters=(4, 8)),
        train=TrainConfig.model_validate({"epochs": 2, "batch_size": 16}),
    )
    seen: list[tuple[int, int]] = []

    def watched(config: TrainingConfig, data: TrainingData, **options: Any) -> Any:
        seen.append((len(data.train), len(data.validation)))
        return train(config, data, **options)

    monkeypatch.setattr("main.train.train", watched)
    monkeypatch.setattr(timing, "TIMED_OPERATIONS", 1)
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=count().__next__))  # a second, each time asked
    times = timing.time_training(config, data, "float32")
    assert seen == [(timing.FEWEST_STEPS * 16, timing.FEWEST_STEPS * 16)]
    averaging, validation = len(data.train) / seen[0][0], len(data.validation) / seen[0][1]
    assert times.validation == pytest.approx(averaging + validation)
