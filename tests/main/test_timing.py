import pytest

from main.config import DataConfig, TrainConfig, TrainingConfig
from main.data import load_training
from main.timing import TrainingTimes, time_training
from models.spec import CnnSpec


def test_a_trial_is_its_trace_its_steps_and_its_validations() -> None:
    config = TrainingConfig(
        data=DataConfig(), model=CnnSpec(), train=TrainConfig.model_validate({"epochs": 3, "batch_size": 100})
    )
    times = TrainingTimes(trace=2.0, step=0.01, validation=0.5)
    assert times.trial(config, n_train=1001) == pytest.approx(2.0 + 3 * (11 * 0.01 + 0.5))


@pytest.mark.training
def test_timing_finds_where_the_time_goes() -> None:
    data = load_training(DataConfig(source="digits"))
    config = TrainingConfig(
        data=DataConfig(source="digits"),
        model=CnnSpec(filters=(4, 8)),
        train=TrainConfig.model_validate({"epochs": 2, "batch_size": 32}),
    )
    times = time_training(config, data, "float32")
    assert 0 < times.step < times.trace
    assert times.validation > 0
