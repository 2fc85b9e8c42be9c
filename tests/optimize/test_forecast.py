from collections.abc import Callable
from dataclasses import replace

import pytest

from main.config import TrainingConfig
from main.timing import TrainingTimes
from main.tracing import graph_key
from optimize import forecast as forecasts
from optimize.config import SweepConfig
from optimize.engine import Slot, ThreadEngine
from optimize.forecast import MOST_TIMED, forecast
from optimize.plan import make_plan
from stubs import learn
from sweeps import POOLING

Load = Callable[[str], SweepConfig]


class Clockwork(ThreadEngine):
    """An engine whose timing costs nothing: a step takes a nanosecond a multiply-add."""

    def __init__(self, slots: int = 1) -> None:
        super().__init__(learn)
        self.timed: list[TrainingConfig] = []
        self._slots = slots

    def slots(self) -> tuple[Slot, ...]:
        return tuple(slot(number) for number in range(self._slots))

    def call(self, function: Callable[..., object], *args: object) -> object:  # type: ignore[override]
        if function is not forecasts.time_on_worker:
            return None
        training = args[0]
        assert isinstance(training, TrainingConfig)
        self.timed.append(training)
        return TrainingTimes(trace=1.0, step=work(training) * 1e-9, validation=0.1)


def work(training: TrainingConfig) -> int:
    """Multiply-adds of one image."""
    return sum(layer.multiply_adds for layer in training.model.layers((28, 28, 1), 10))


def slot(number: int) -> Slot:
    return Slot(number, f"worker {number}")


def test_every_network_of_a_small_grid_is_timed_once(sweep: Load) -> None:
    engine = Clockwork()
    expected = forecast(make_plan(sweep(POOLING)), lambda: engine)
    assert len({graph_key(training) for training in engine.timed}) == len(engine.timed) == expected.timed == 3
    assert expected.networks == 3


def test_two_workers_take_half_as_long_to_train(sweep: Load) -> None:
    plan = make_plan(sweep(POOLING))
    one, two = forecast(plan, Clockwork), forecast(plan, lambda: Clockwork(2))
    assert one.training == pytest.approx(2 * two.training)
    assert two.workers == 2


def test_every_worker_is_busy_while_networks_are_timed(sweep: Load) -> None:
    engine = Clockwork(8)
    forecast(make_plan(sweep(POOLING)), lambda: engine)
    assert len(engine.timed) == 8


def test_the_last_trials_leave_workers_idle(sweep: Load) -> None:
    plan = make_plan(sweep(POOLING))  # 6 trials
    assert forecast(plan, lambda: Clockwork(4)).training == pytest.approx(forecast(plan, lambda: Clockwork(3)).training)


def test_training_is_trials_times_their_own_time(sweep: Load) -> None:
    config = sweep(POOLING)
    plan = make_plan(config)
    expected = 0.0
    for cell in config.space.cells():
        training = config.concrete(cell)
        steps = -(-plan.data.n_train // training.train.batch_size)
        expected += len(config.study.seeds) * (1.0 + training.train.epochs * (steps * work(training) * 1e-9 + 0.1))
    assert forecast(plan, Clockwork).training == pytest.approx(expected)


def test_of_many_networks_some_are_timed_and_stand_for_those_of_their_size(sweep: Load) -> None:
    filters = ", ".join(f"[{4 * n}, {8 * n}]" for n in range(1, 31))
    config = sweep(POOLING.replace("pooling: {choices: [max, average, blur]}", f"filters: {{choices: [{filters}]}}"))
    engine = Clockwork()
    expected = forecast(make_plan(config), lambda: engine)
    assert (expected.timed, expected.networks) == (MOST_TIMED, 30)
    cells = map(config.concrete, config.space.cells())
    exact = sum(1.0 + 3 * (10 * work(training) * 1e-9 + 0.1) for training in cells) * len(config.study.seeds)
    assert expected.training == pytest.approx(exact, rel=0.1)


def test_a_sampler_is_forecast_from_the_networks_it_may_draw(sweep: Load) -> None:
    text = POOLING.replace("study: {seeds: 2}", "study: {sampler: random, trials: 40, confirm: null}")
    plan = make_plan(sweep(text))
    mean = forecast(replace(plan, search_trials=1), Clockwork).training
    assert forecast(plan, Clockwork).training == pytest.approx(40 * mean)
