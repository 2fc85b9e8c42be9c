"""Images with labels: where they come from, what is checked of them, and how they are split."""

from main.data.asked import as_a_number, too_few
from main.data.errors import DataError, MissingData, UnknownSource
from main.data.loading import describe, fallback, load_test, load_training
from main.data.records import DataInfo, Fold, Split, TrainingData, images_at_once
from main.data.sources import refuse_unknown
from main.data.splits import resample, sizes_in_trial

__all__ = [
    "DataError",
    "DataInfo",
    "Fold",
    "MissingData",
    "Split",
    "TrainingData",
    "UnknownSource",
    "as_a_number",
    "describe",
    "fallback",
    "images_at_once",
    "load_test",
    "load_training",
    "refuse_unknown",
    "resample",
    "sizes_in_trial",
    "too_few",
]
