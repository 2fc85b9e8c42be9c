"""What the coordinator takes workers to have traced."""

from main.config import DataConfig, TrainConfig, TrainingConfig
from main.tracing import CACHED_NETWORKS, graph_key
from models.spec import CnnSpec
from optimize.engine import Slot
from optimize.traced import Traced

FIRST, SECOND = Slot(0, "first"), Slot(1, "second")


def training(filters: int, **train: float) -> TrainingConfig:
    return TrainingConfig(DataConfig(source="digits"), CnnSpec(filters=(filters,)), TrainConfig(**train))


def networks(*filters: int) -> list[str]:
    return [graph_key(training(number)) for number in filters]


def test_a_worker_holds_the_networks_used_last() -> None:
    traced = Traced()
    for filters in (1, 2, 3, 4, 1, 5):
        traced.given(FIRST, training(filters))
    assert traced.held(FIRST) == networks(5, 1, 4, 3)
    assert len(traced.held(FIRST)) == CACHED_NETWORKS


def test_trainings_of_one_graph_are_one_network() -> None:
    traced = Traced()
    traced.given(FIRST, training(1))
    traced.given(FIRST, training(1, learning_rate=0.1))
    assert traced.held(FIRST) == networks(1)


def test_what_others_hold_is_elsewhere() -> None:
    traced = Traced()
    traced.given(FIRST, training(1))
    traced.given(SECOND, training(2))
    traced.given(SECOND, training(3))
    assert traced.elsewhere(FIRST) == set(networks(2, 3))
    assert traced.elsewhere(Slot(2, "third")) == set(networks(1, 2, 3))


def test_a_worker_in_the_place_of_a_lost_one_holds_nothing() -> None:
    traced = Traced()
    traced.given(FIRST, training(1))
    assert traced.held(Slot(0, "its successor")) == []
