"""What a model's card says: cnn.json, which lies beside cnn.h5 and describes that one file.

A card is JSON and stays a mapping, because a key that is null and one that is not there say different things. The types
below name every key of the three kinds that are made here, in `main.single`, `optimize.export` and `optimize.ensemble`,
and hold these to them; on disk keys stand in the order in which they are written there.

The card of a file that somebody hands in may be older, another program's, or damaged: that one is a mapping of
anything, of which `section_of` gives a part, and `lacking` says what is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict

if TYPE_CHECKING:
    from main.backend import Precision
    from main.prepare import Preparation

Needed = Mapping[str, type | tuple[type, ...]]
"""What whoever reads a card cannot do without, and of which types: by its key, or by a section's and its own."""
NUMBER = (int, float)

OF_THIS_FILE = "val_accuracy of this file"
"""The metric of the file's own float32 model, which is what its reader will find on the validation images."""


class DataFacts(TypedDict):
    """The section `data`: which images a model was trained on, and how pictures are brought to their form."""

    source: str
    """The source really used."""
    checksum: str
    """sha256 over shapes and bytes of the images and labels, train then validation."""
    notice: str | None
    """The sentence to show loudly where `otherwise` was used."""
    train: int
    validation: int
    """Both images; of a sweep with folds, before these are cut."""
    n_classes: int
    classes: list[str]
    """Their names in the order of the model's outputs."""
    input_shape: list[int]
    """(height, width, channels) of every image."""
    preparation: Preparation


class TrainedOn(TypedDict):
    """The section `trained_on`: what decides in which order a process adds up sums, and so a weight's last bits."""

    processor: str
    instruction_sets: list[str]
    gpus: int
    versions: dict[str, str]
    """Of the packages that decide it too."""
    threads: int
    precision: Precision
    """What training computed in; the file is in float32."""
    resumed: NotRequired[Literal[True]]
    """It went on from a checkpoint, which another machine may have left."""


class Measured(TypedDict):
    """One of the section `metrics`: what came of validation, accuracies as shares of 1."""

    value: float
    mean: NotRequired[float]
    """Of the configuration's trials."""
    low: NotRequired[float | None]
    high: NotRequired[float | None]
    """Ends of the 95 % interval, of that mean over seeds or else of the value over images; None with one seed."""
    n: NotRequired[int]
    """Seeds, or else images."""


class Score(TypedDict):
    """The section `test`: how the model did on the test images."""

    accuracy: float
    low: float
    high: float
    """Ends of its 95 % interval (Wilson 1927)."""
    n: int
    """Images."""
    crossentropy: float
    """In nats per image."""
    checksum: str
    """Of the test images and their labels."""
    note: str
    """When they were scored, which is done once."""


class Card(TypedDict):
    """What every card says that is made here."""

    sha256: NotRequired[str]
    """Of the model file; `main.modelfile` adds it as both are written."""
    name: str
    configuration: str
    """The swept values as they are shown everywhere; what was joined, of an ensemble."""
    config: dict[str, Any]
    """The sections `data`, `model` and `train`; of an ensemble `data` alone."""
    data: DataFacts
    parameters: int
    """Scalars in the weights."""
    metrics: dict[str, Measured]
    test: Score
    verdict: str | None
    """The sentence; None where there was nothing to judge."""
    decided: bool | None
    versions: dict[str, str]
    """Of Python and the packages that made the file."""
    created: str
    """ISO 8601, UTC."""


class OneTraining(Card):
    """The card of a model that came out of one training."""

    values: dict[str, Any]
    """The swept values by full path."""
    seed: int
    epoch: int
    """The one whose weights were kept, from 1."""
    trained_on: TrainedOn | None
    """None where the training did not say."""


class PlainCard(OneTraining):
    """The card that `main train` writes: a training without a sweep."""

    trial: None
    epochs: int
    """How many were trained."""


class SweepCard(OneTraining):
    """The card of a sweep's winner."""

    question: str
    trial: int
    fold: int | None
    """Which one validated, from 0; None in a sweep without folds."""
    folds: NotRequired[int]
    """Into how many each seed's images were cut, in a sweep with folds."""


class EnsembleCard(Card):
    """The card of several trials of a sweep as one model."""

    question: str
    members: list[dict[str, Any]]
    """Of each trial its number, seed, epoch, configuration, values, and the sweep's metric by its name."""


def section_of(card: Mapping[str, Any] | None, key: str) -> Mapping[str, Any]:
    """A section of anybody's card; empty where there is no card, no such section, or something else in its place."""
    section = (card or {}).get(key)
    return section if isinstance(section, Mapping) else {}


def lacking(card: Mapping[str, Any], needed: Needed) -> list[str]:
    """What of the needed anybody's card does not have, or has as something else, as in `test.accuracy`."""
    return [dotted for dotted, types in needed.items() if not _holds(card, dotted, types)]


def _holds(content: Any, dotted: str, types: type | tuple[type, ...]) -> bool:
    for key in dotted.split("."):
        if not isinstance(content, Mapping) or key not in content:
            return False
        content = content[key]
    return isinstance(content, types)
