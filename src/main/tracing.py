"""Which trainings share one traced network; told from their configurations alone, without Keras."""

from __future__ import annotations

from main.config import ScheduleConfig, TrainingConfig

PATHS_OUTSIDE = frozenset({"train.learning_rate", "train.label_smoothing", "train.early_stopping", "train.augment"})
"""What never needs another traced step, by path."""


def graph_key(config: TrainingConfig) -> str:
    """Equal for configurations whose trainings run the same traced step, given the same data and precision.

    Out of it are the learning rate (a variable under every schedule), label smoothing (a variable too), and what
    happens outside the step: augmentation, and what is decided between epochs.
    """
    train = config.train
    unrated = train.optimizer.model_copy(update={"learning_rate": None})
    outside: dict[str, object] = {
        "learning_rate": 1.0,
        "optimizer": unrated,
        "label_smoothing": 0.0,
        "early_stopping": None,
        "augment": None,
    }
    if train.schedule.name != "cosine":  # alone in needing to know where training ends
        outside["epochs"] = 1
    if train.schedule.name == "plateau":  # sets a constant rate between epochs
        outside["schedule"] = ScheduleConfig()
    return config.model.model_dump_json() + train.model_copy(update=outside).model_dump_json()
