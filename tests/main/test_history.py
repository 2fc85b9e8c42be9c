import math

import pytest

from main.config import EarlyStoppingConfig, ScheduleConfig
from main.history import Epoch, best_epoch, better, exhausted, plateau_factor


def curve(*values: float, metric: str = "val_accuracy") -> list[Epoch]:
    figures = {"loss": 1.0, "accuracy": 0.5, "val_loss": 1.0, "val_accuracy": 0.5, "val_crossentropy": 1.0}
    return [
        Epoch(**{**figures, metric: value}, epoch=number, learning_rate=1e-3, seconds=1.0)
        for number, value in enumerate(values, start=1)
    ]


def test_accuracy_is_better_higher_and_crossentropy_lower() -> None:
    assert better(0.9, 0.8, "val_accuracy")
    assert not better(0.9, 0.8, "val_crossentropy")


def test_nan_is_never_better_and_nothing_beats_by_less_than_the_margin() -> None:
    assert not better(math.nan, 0.8, "val_accuracy")
    assert not better(0.81, 0.8, "val_accuracy", by=0.05)


@pytest.mark.parametrize(
    ("metric", "values", "expected"),
    [
        ("val_accuracy", (0.5, 0.9, 0.9), 3),
        ("val_crossentropy", (0.5, 0.1, 0.3), 2),
        ("val_accuracy", (math.nan, 0.2), 2),
        ("val_accuracy", (math.nan,), None),
        ("val_loss", (math.inf, 3.0), 2),
        ("val_accuracy", (), None),
    ],
)
def test_best_epoch_is_the_latest_of_the_best_finite_ones(
    metric: str, values: tuple[float, ...], expected: int | None
) -> None:
    assert best_epoch(curve(*values, metric=metric), metric) == expected


def test_a_curve_diverges_where_any_figure_is_not_finite() -> None:
    assert not curve(0.5)[0].diverged
    assert curve(math.inf, metric="loss")[0].diverged


def test_early_stopping_counts_epochs_since_the_last_gain() -> None:
    rule = EarlyStoppingConfig(patience=2, min_delta=0.01)
    assert not exhausted(curve(0.5, 0.6, 0.605), "val_accuracy", rule)
    assert exhausted(curve(0.5, 0.6, 0.605, 0.609), "val_accuracy", rule)
    assert not exhausted(curve(0.5, 0.6, 0.605, 0.62), "val_accuracy", rule)
    assert not exhausted(curve(0.5, 0.4, 0.3), "val_accuracy", None)


def test_a_plateau_lowers_the_rate_each_time_its_patience_ends() -> None:
    schedule = ScheduleConfig(name="plateau", decay=0.5, patience=2)
    losses = (1.0, 0.9, 0.95, 0.91, 0.92, 0.93, 0.5)
    factors = [plateau_factor(curve(*losses[:n], metric="val_loss"), schedule) for n in range(len(losses) + 1)]
    assert factors == [1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25]
