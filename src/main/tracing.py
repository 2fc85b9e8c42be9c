"""Which trainings share one traced network; told from their configurations alone, without Keras."""

from __future__ import annotations

from typing import Any

from main.config import ScheduleConfig, TrainingConfig
from models.spec import CnnSpec, MlpSpec

CACHED_NETWORKS = 4
"""Traced networks that a process keeps, those used last."""


def graph_key(config: TrainingConfig) -> str:
    """Equal for configurations whose trainings run the same traced step, given the same data and precision.

    Out of it is what is a variable: the learning rate, all that its schedule computes with (the number of epochs, for
    one), label smoothing, and the rates of dropout where there is any. So is what happens outside the step:
    augmentation, and what is decided between epochs.
    """
    model = config.model
    if isinstance(model, CnnSpec | MlpSpec):
        model = model.model_copy(update={"dropout": _drops(model.dropout)})
    if isinstance(model, CnnSpec):
        model = model.model_copy(update={"conv_dropout": _drops(model.conv_dropouts)})
    train = config.train
    name = train.schedule.name
    outside: dict[str, object] = {
        "learning_rate": 1.0,
        "optimizer": train.optimizer.model_copy(update={"learning_rate": None}),
        "schedule": ScheduleConfig(name="constant" if name == "plateau" else name),  # which sets it between epochs
        "label_smoothing": 0.0,
        "epochs": 1,
        "early_stopping": None,
        "augment": None,
    }
    return model.model_dump_json() + train.model_copy(update=outside).model_dump_json()


def _drops(rate: Any) -> bool | tuple[bool, ...]:
    """Whether a rate of dropout, or each of several, drops anything at all."""
    return tuple(map(bool, rate)) if isinstance(rate, list | tuple) else bool(rate)
