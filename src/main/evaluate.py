"""How good a saved model is on images it has never seen, and where it goes wrong."""

from __future__ import annotations

import io
import json
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from main.card import Score, section_of
from main.cells import neutral
from main.config import DataConfig
from main.data import DataError, Split, TrainingData, describe, images_at_once, load_test
from main.data.checksums import checksum
from main.evaluation import Evaluation
from main.files import write_atomically
from main.modelfile import ModelFileError, load_with_card

if TYPE_CHECKING:
    import keras
    import pandas as pd

FOLDER = "evaluation"
MOST_VALUES = 2**27
"""Numbers that a layer puts out at once: half a gigabyte of them."""


class UnknownTestSetWarning(UserWarning):
    """A model was scored on another test set than that of its card, in which may be what it was trained on."""


def evaluate(model_path: Path | str, data: str | None = None, out: Path | None = None) -> Evaluation:
    """Score a model on a test set, and write tables and charts.

    Args:
        model_path: The model's file, …/cnn.h5.
        data: A source's name or path; its test set is used. Unless given, that of the model's card.
        out: Where to write; the folder `evaluation` beside the model unless given.

    Raises:
        ModelFileError: The model cannot be loaded, or does not give probabilities.
        DataError: The data cannot be had, do not fit the model, or are not known for want of a card.
        OSError: The folder cannot be written.
    """
    from main import evaluation_charts

    path = Path(model_path)
    model, card = load_with_card(path)
    evaluation = assess(model, path, data, card)
    folder = out or path.parent / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in _tables(evaluation).items():
        write_atomically(folder / name, content)
    evaluation_charts.draw(evaluation, folder)
    return evaluation


def assess(model: keras.Model, path: Path, data: str | None, card: Mapping[str, Any] | None) -> Evaluation:
    """Put every image of a source's test set before a model.

    Args:
        model: The model.
        path: Its file, for messages.
        data: The source; that of the card unless given.
        card: The model's own, if it has one.

    Raises:
        ModelFileError, DataError: As `evaluate`.
    """
    source = source_in(card, path) if data is None else data
    config = DataConfig(source=source)
    split, classes = load_test(config), describe(config).classes
    _check_fit(model, split, classes, source, path)
    _check_classes(classes, section_of(card, "data").get("classes"), source, path)
    if data is None and section_of(card, "test").get("checksum") not in (None, checksum(split)):
        warnings.warn(
            f"{source}: its test set is not the one that {path} was scored on; where a source has none of its own, it "
            "is drawn, and of others this one may hold images that the model was trained on",
            UnknownTestSetWarning,
            stacklevel=3,
        )
    return assess_split(model, path, split, classes=classes, source=source)


def assess_split(model: keras.Model, path: Path, split: Split, *, classes: tuple[str, ...], source: str) -> Evaluation:
    """Put every image of a split before a model that takes such images.

    Raises:
        ModelFileError: What the model gives are no probabilities.
    """
    outputs, logits = outputs_and_logits(model, split.images)
    return Evaluation(
        model=str(path),
        source=source,
        classes=classes,
        images=split.images,
        labels=split.labels,
        probabilities=as_probabilities(outputs, path),
        logits=logits,
    )


def test_section(model: keras.Model, path: Path, data: TrainingData, test: Split, *, when: str) -> Score:
    """What a model's card says of its test images, on which it is scored once.

    The accuracy with its 95 % interval (Wilson 1927), the crossentropy in nats per image, and `when` that was.
    """
    scored = assess_split(model, path, test, classes=data.classes, source=data.source)
    return {
        "accuracy": scored.accuracy.value,
        "low": scored.accuracy.low,
        "high": scored.accuracy.high,
        "n": scored.accuracy.n,
        "crossentropy": scored.crossentropy,
        "checksum": checksum(test),
        "note": f"scored once, {when}; no choice was made on it",
    }


def source_in(card: Mapping[str, Any] | None, path: Path) -> str:
    """The data that a model's card says it was trained on.

    Where training had fallen back to another source, that one: the model knows nothing of the first.

    Raises:
        DataError: There is no card, or it does not say, or says what no terminal should be told.
    """
    source = section_of(card, "data").get("source")
    if not isinstance(source, str) or not source.isprintable():
        raise DataError(f"{path}: no card says which data it was trained on; name them with --data")
    return source


def predict_probabilities(model: keras.Model, images: NDArray[np.uint8], path: Path) -> NDArray[np.float64]:
    """Probabilities (n, classes) of uint8 images (n, height, width, channels).

    Raises:
        ModelFileError: What the model gives are no probabilities.
    """
    return as_probabilities(outputs_of(model, images), path)


def outputs_of(model: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a model gives, (n, outputs), for uint8 images (n, height, width, channels), of which few are held as floats.

    Keras's `predict` takes all of them as floats at once: 188 MB of MNIST's, where 4 do.
    """
    (outputs,) = _all_outputs(model, images)
    return outputs


def outputs_and_logits(
    model: keras.Model, images: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """As `outputs_of`, with the logits of which those are the softmax; None where the model does not end in a softmax
    layer, as those of `models.build` do.
    """
    import keras

    last = model.layers[-1]
    if not isinstance(last, keras.layers.Softmax) or last.output is not model.outputs[0]:
        return outputs_of(model, images), None
    outputs, logits = _all_outputs(keras.Model(model.inputs[0], [last.output, last.input]), images)
    return outputs, logits


def _all_outputs(model: keras.Model, images: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Each of a model's outputs."""
    import keras

    size = at_once(model)
    batches = [
        keras.tree.flatten(model.predict_on_batch(images[start : start + size].astype(np.float32) / 255.0))
        for start in range(0, len(images), size)
    ]
    return [np.concatenate(parts) for parts in zip(*batches, strict=True)]


def at_once(model: keras.Model) -> int:
    """How many images go through a model at once: the fewer, the more its widest layer makes of each."""
    shapes = (getattr(getattr(layer, "output", None), "shape", ()) for layer in model._flatten_layers())
    widths = [math.prod(size or 1 for size in shape[1:]) for shape in shapes]  # some sizes are open
    return max(1, min(images_at_once(model.input_shape[1:]), MOST_VALUES // max(widths, default=1)))


def as_probabilities(outputs: NDArray[np.float32], path: Path) -> NDArray[np.float64]:
    """A model's outputs (n, classes), made to sum to 1 exactly.

    Raises:
        ModelFileError: They are no probabilities.
    """
    probabilities = outputs.astype(np.float64)
    sums = probabilities.sum(axis=1, keepdims=True)
    if not (np.isfinite(probabilities).all() and (probabilities >= 0).all() and np.allclose(sums, 1, atol=1e-2)):
        raise ModelFileError(f"{path}: its output is not probabilities that sum to 1")
    return np.asarray(probabilities / sums)


def _check_classes(found: tuple[str, ...], known: Any, source: str, path: Path) -> None:
    """Refuse classes that are the model's in part, or in another order; of wholly other names the order is taken."""
    names = tuple(map(str, known)) if isinstance(known, list) else ()
    if len(names) != len(found) or set(found).isdisjoint(names) or found == names:
        return
    first = next(place for place, (theirs, ours) in enumerate(zip(found, names, strict=True)) if theirs != ours)
    raise DataError(
        f"{source}: its classes are not those of {path}: number {first} is {found[first]!r} there, and "
        f"{names[first]!r} to the model"
    )


def _check_fit(model: keras.Model, split: Split, classes: tuple[str, ...], source: str, path: Path) -> None:
    if len(split) == 0:
        raise DataError(f"{source}: its test set is empty")
    takes, gives = model.input_shape[1:], model.output_shape[-1]
    if split.images.shape[1:] != takes:
        sizes = " × ".join(map(str, split.images.shape[1:])), " × ".join(map(str, takes))
        raise DataError(f"{source}: has images of {sizes[0]}, but {path} takes {sizes[1]}")
    if len(classes) != gives:
        raise DataError(f"{source}: has {len(classes)} classes, but {path} tells {gives} apart")


def _tables(evaluation: Evaluation) -> dict[str, str]:
    import pandas as pd

    places = evaluation.mistakes()
    names = np.array([neutral(name) for name in evaluation.classes], dtype=object)
    confusion = pd.DataFrame(evaluation.confusion, index=pd.Index(names, name="true \\ predicted"), columns=names)
    per_class = pd.DataFrame([scores.row() for scores in evaluation.per_class])
    per_class["class"] = names
    mistakes = pd.DataFrame(
        {
            "image": places,
            "true": names[evaluation.labels[places]],
            "predicted": names[evaluation.predicted[places]],
            "confidence": evaluation.confidence[places],
            "probability_of_true": evaluation.probabilities[places, evaluation.labels[places]],
        }
    )
    calibration = pd.DataFrame(
        [
            {"from": low, "to": high, "confidence": confidence, **accuracy._asdict()}
            for low, high, confidence, accuracy in zip(
                evaluation.calibration.edges[:-1],
                evaluation.calibration.edges[1:],
                evaluation.calibration.confidence,
                evaluation.calibration.accuracy,
                strict=True,
            )
        ]
    ).rename(columns={"value": "accuracy"})
    return {
        "evaluation.json": json.dumps(evaluation.summary(), indent=2, ensure_ascii=False) + "\n",
        "classes.csv": _csv(per_class),
        "confusion.csv": _csv(confusion.reset_index()),
        "mistakes.csv": _csv(mistakes),
        "calibration.csv": _csv(calibration),
    }


def _csv(table: pd.DataFrame) -> str:
    buffer = io.StringIO()
    table.to_csv(buffer, index=False, float_format="%.6g", lineterminator="\n")
    return buffer.getvalue()
