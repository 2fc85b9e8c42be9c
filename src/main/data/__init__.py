"""Images with labels: where they come from, what is checked of them, and how they are split."""

from main.data.errors import DataError, MissingData
from main.data.loading import describe, fallback, load_test, load_training
from main.data.records import DataInfo, Split, TrainingData

__all__ = [
    "DataError",
    "DataInfo",
    "MissingData",
    "Split",
    "TrainingData",
    "describe",
    "fallback",
    "load_test",
    "load_training",
]
