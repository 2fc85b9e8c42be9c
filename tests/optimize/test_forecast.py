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
from optimize.plan import Plan, make_plan
from stubs import learn
from sweeps import LEARNING_RATE, POOLING

Load = Callable[[str], SweepConfig]


class Clockwork(ThreadEngine):
    """An engine whose timing costs nothing: a step takes a nanosecond a multiply-add of one image."""

    def __init__(self, slots: int = 1, trace: float = 0.0) -> None:
        super().__init__(learn)
        self.timed: list[TrainingConfig] = []
        self._slots, self._trace = slots, trace

    def slots(self) -> tuple[Slot, ...]:
        return tuple(slot(number) for number in range(self._slots))

    def call(self, function: Callable[..., object], *args: object) -> object:  # type: ignore[override]
        if function is not forecasts.time_on_worker:
            return None
        training = args[0]
        assert isinstance(training, TrainingConfig)
        self.timed.append(training)
        return TrainingTimes(trace=self._trace, step=work(training) * 1e-9, validation=0.1)


def work(training: TrainingConfig) -> int:
    """Multiply-adds of one image."""
    return sum(layer.multiply_adds for layer in training.model.layers((28, 28, 1), 10))


def traces(plan: Plan, workers: int = 1) -> float:
    """How much longer training takes for every second that a trace takes."""
    with_traces = forecast(plan, lambda: Clockwork(workers, trace=1.0))
    return with_traces.training - forecast(plan, lambda: Clockwork(workers)).training


def of_epochs(plan: Plan, epochs: float, steps: float = 10) -> float:
    """How long the trials of one worker take, of so many epochs and steps on average, as Clockwork counts it."""
    training = plan.config.base
    return plan.trials * epochs * (steps * work(training) * 1e-9 + 0.1)


def slot(number: int) -> Slot:
    return Slot(number, f"worker {number}")


def test_every_network_of_a_small_grid_is_timed_once(sweep: Load) -> None:
    engine = Clockwork()
    expected = forecast(make_plan(sweep(POOLING)), lambda: engine)
    assert len({graph_key(training) for training in engine.timed}) == len(engine.timed) == expected.timed == 3
    assert expected.kinds == 3


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
        expected += len(config.study.seeds) * training.train.epochs * (steps * work(training) * 1e-9 + 0.1)
    assert forecast(plan, Clockwork).training == pytest.approx(expected)


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_trials_that_share_a_graph_trace_it_once_a_worker(sweep: Load, workers: int) -> None:
    assert traces(make_plan(sweep(LEARNING_RATE)), workers) == pytest.approx(1.0)


def test_a_worker_that_traces_several_graphs_takes_the_time_of_each(sweep: Load) -> None:
    assert traces(make_plan(sweep(POOLING))) == pytest.approx(3.0)  # 6 trials


def test_of_more_graphs_than_a_worker_keeps_some_are_traced_again(sweep: Load) -> None:
    filters = ", ".join(f"[{n}]" for n in range(1, 9))
    text = POOLING.replace("pooling: {choices: [max, average, blur]}", f"filters: {{choices: [{filters}]}}")
    plan = make_plan(sweep(text.replace("seeds: 2", "seeds: 4")))
    assert 8 < traces(plan) < 32


def test_of_many_networks_some_are_timed_and_stand_for_those_of_their_size(sweep: Load) -> None:
    filters = ", ".join(f"[{4 * n}, {8 * n}]" for n in range(1, 31))
    config = sweep(POOLING.replace("pooling: {choices: [max, average, blur]}", f"filters: {{choices: [{filters}]}}"))
    engine = Clockwork()
    expected = forecast(make_plan(config), lambda: engine)
    assert (expected.timed, expected.kinds) == (MOST_TIMED, 30)
    cells = map(config.concrete, config.space.cells())
    exact = sum(3 * (10 * work(training) * 1e-9 + 0.1) for training in cells) * len(config.study.seeds)
    assert expected.training == pytest.approx(exact, rel=0.1)


def test_a_sampler_is_forecast_from_the_networks_it_may_draw(sweep: Load) -> None:
    text = POOLING.replace("study: {seeds: 2}", "study: {sampler: random, trials: 40, confirm: null}")
    plan = make_plan(sweep(text))
    mean = forecast(replace(plan, search_trials=1), Clockwork).training
    assert forecast(plan, Clockwork).training == pytest.approx(40 * mean)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_swept_epochs_are_forecast_by_their_mean_and_timed_once(sweep: Load, schedule: str) -> None:
    text = LEARNING_RATE.replace("epochs: 3", f"epochs: {{low: 3, high: 20}}\n  schedule: {schedule}")
    plan, engine = make_plan(sweep(text)), Clockwork()
    assert forecast(plan, lambda: engine).training == pytest.approx(of_epochs(plan, 11.5), rel=0.05)
    assert len(engine.timed) == 1


def test_swept_batches_are_timed_each_and_forecast_by_their_mean(sweep: Load) -> None:
    plan = make_plan(sweep(LEARNING_RATE.replace("epochs: 3", "epochs: 3\n  batch_size: {choices: [16, 512]}")))
    engine = Clockwork()
    expected = forecast(plan, lambda: engine).training
    assert expected == pytest.approx(of_epochs(plan, 3, steps=(75 + 3) / 2), rel=0.1)
    assert sorted(training.train.batch_size for training in engine.timed) == [16, 512]


def test_what_when_turns_off_is_forecast_at_its_default(sweep: Load) -> None:
    text = LEARNING_RATE.replace("model: {network: cnn}", "model: {pooling: {choices: [max, average]}}")
    text = text.replace("epochs: 3", "epochs: {low: 40, high: 60, when: {model.pooling: average}}")
    plan = make_plan(sweep(text))
    assert forecast(plan, Clockwork).training == pytest.approx(of_epochs(plan, (6 + 50) / 2), rel=0.1)


def test_a_range_of_rates_takes_no_more_timing_than_one_of_them(sweep: Load) -> None:
    text = LEARNING_RATE.replace("{network: cnn}", "{l2: {low: 1e-6, high: 1e-2, log: true}}")
    engine = Clockwork()
    assert forecast(make_plan(sweep(text)), lambda: engine).kinds == len(engine.timed) == 1


def test_draws_that_cannot_be_built_are_left_out(sweep: Load) -> None:
    plan = make_plan(sweep(LEARNING_RATE))
    impossible = sweep(LEARNING_RATE.replace("{network: cnn}", "{kernel_size: {choices: [3, 29]}}"))
    assert forecast(replace(plan, config=impossible), Clockwork).training == pytest.approx(
        forecast(plan, Clockwork).training
    )


def test_of_a_very_large_grid_cells_from_all_of_it_are_looked_at(sweep: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecasts, "MOST_CELLS", 20)
    rates = [n / 100 for n in range(1, 21)]
    text = POOLING.replace("epochs: 3", f"epochs: {{choices: [2, 200]}}, learning_rate: {{choices: {rates}}}")
    one_pooling = text.replace("[max, average, blur]", "[max, average]")
    plan = make_plan(sweep(one_pooling))
    assert forecast(plan, Clockwork).training == pytest.approx(of_epochs(plan, 101), rel=0.5)
