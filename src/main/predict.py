"""What a saved model says of pictures: files, folders, or one from a pipe."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
import tempfile
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from main.card import section_of
from main.cells import neutral
from main.config import DataConfig
from main.data import DataError, describe
from main.data.images import SUFFIXES
from main.data.records import Images
from main.evaluate import predict_probabilities
from main.looks import preparation_for
from main.modelfile import load_with_card
from main.prepare import ImageShape, Preparation, read_prepared

PIPE = "-"
PIPE_NAME = "standard input"
BATCH, BATCH_BYTES = 256, 2**26
"""Pictures prepared before the model sees them, and what they may take: a folder of any size fits in memory."""
MAX_PIPE_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Prediction:
    """What a model says of one picture."""

    image: str
    """The file, as it was named."""
    label: str
    """Name of the most probable class."""
    confidence: float
    """Its probability."""
    probabilities: Mapping[str, float]
    """Of every class, by name."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "image": self.image,
            "class": self.label,
            "confidence": self.confidence,
            "probabilities": dict(self.probabilities),
        }


@dataclass(frozen=True)
class Refusal:
    """A picture that could not be read."""

    image: str
    reason: str
    """With the file's name."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {"image": self.image, "error": self.reason}


class Predictor:
    """A model together with the way pictures are prepared for it.

    Attributes:
        model: The Keras model.
        card: What its card says; None where it has none.
        classes: Names of the classes in the order of the model's outputs.
        input_shape: (height, width, channels) of what the model takes.
        preparation: How pictures are brought to that form.
    """

    def __init__(self, path: Path | str, preparation: Preparation | None = None) -> None:
        """Load the model at `path`; pictures are prepared as its card says, unless told otherwise.

        Raises:
            ModelFileError: The model cannot be loaded.
            DataError: It takes no images.
        """
        self._path = Path(path)
        self.model, self.card = load_with_card(self._path)
        if len(self.model.input_shape) != 4:
            raise DataError(f"{path}: takes values of shape {self.model.input_shape[1:]}, not images")
        self.input_shape = cast(ImageShape, tuple(self.model.input_shape[1:]))
        if self.input_shape[2] not in (1, 3):
            raise DataError(f"{path}: takes images of {self.input_shape[2]} channels, neither greyscale nor in colour")
        data = section_of(self.card, "data")
        self.classes = _class_names(data, self.model.output_shape[-1])
        self.preparation = preparation or preparation_for(data, self.input_shape)

    def read(self, path: Path) -> Images:
        """A picture as the model is to see it, uint8 of `input_shape`.

        Raises:
            DataError: It cannot be read, or is blank.
        """
        return read_prepared(path, self.input_shape, self.preparation)

    def probabilities(self, images: Images) -> NDArray[np.float64]:
        """Probabilities (n, classes) of prepared images, uint8 (n, height, width, channels).

        Raises:
            ModelFileError: What the model gives are no probabilities.
        """
        return predict_probabilities(self.model, images, self._path)

    def predict(self, images: Iterable[str]) -> Iterator[Prediction | Refusal]:
        """What the model says of each picture, in their order.

        Args:
            images: Files; folders, of which every picture is taken; `-`, one picture from standard input.
        """
        prepared = self._prepared(images)
        at_once = max(1, min(BATCH, BATCH_BYTES // math.prod(self.input_shape)))
        while batch := list(islice(prepared, at_once)):
            pictures = [image for _, image in batch if not isinstance(image, Refusal)]
            found = iter(self.probabilities(np.stack(pictures)) if pictures else ())
            for name, image in batch:
                yield image if isinstance(image, Refusal) else self._prediction(name, next(found))

    def _prediction(self, name: str, probabilities: NDArray[np.float64]) -> Prediction:
        best = int(probabilities.argmax())
        by_name = dict(zip(self.classes, map(float, probabilities), strict=True))
        return Prediction(name, self.classes[best], float(probabilities[best]), by_name)

    def _prepared(self, images: Iterable[str]) -> Iterator[tuple[str, Images | Refusal]]:
        for name in images:
            try:
                for file in _files(name):
                    yield self._one(file, name=_in_utf8(str(file)))
                if name == PIPE:
                    yield self._from_pipe()
            except DataError as error:
                called = PIPE_NAME if name == PIPE else _in_utf8(name)
                yield called, Refusal(called, _in_utf8(str(error)))

    def _one(self, file: Path, name: str) -> tuple[str, Images | Refusal]:
        try:
            return name, self.read(file)
        except DataError as error:
            return name, Refusal(name, _in_utf8(str(error).replace(str(file), name)))

    def _from_pipe(self) -> tuple[str, Images | Refusal]:
        if sys.stdin is None:  # as a shell's `<&-` leaves it
            raise DataError(f"{PIPE_NAME}: is closed")
        data = sys.stdin.buffer.read(MAX_PIPE_BYTES + 1)
        if len(data) > MAX_PIPE_BYTES:
            raise DataError(f"{PIPE_NAME}: gives more than {MAX_PIPE_BYTES // 2**20} MiB")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "image"
            file.write_bytes(data)
            return self._one(file, PIPE_NAME)


def _in_utf8(text: str) -> str:
    """A text whose bytes that are no UTF-8, as a file's name may have them, are written out."""
    return text.encode("utf-8", "backslashreplace").decode()


def _files(name: str) -> list[Path]:
    if name == PIPE:
        return []
    if not name:  # what a variable that is not set leaves, and not the folder one is in
        raise DataError("a picture's name is empty")
    path = Path(name)
    try:
        if not path.is_dir():
            return [path]
        files = (file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        found = sorted(file for file in files if not _left_behind(file.relative_to(path)))
    except OSError as error:  # of a name too long for any file, or in a folder that may not be looked into
        raise DataError(f"{name}: cannot be read: {error.strerror}") from None
    if not found:
        raise DataError(f"{name}: holds no pictures ({', '.join(sorted(SUFFIXES))})")
    return found


def _left_behind(file: Path) -> bool:
    """Whether it is what file managers and notebooks leave beside pictures, such as ._7.png."""
    return any(part.startswith(".") or part == "__MACOSX" for part in file.parts)


def _class_names(data: Mapping[str, Any], n_classes: int) -> tuple[str, ...]:
    """The names that the card's data have for the classes; where there are none, or a table or terminal could not
    show them, the numbers of the outputs.
    """
    names = data.get("classes")
    if names is None and isinstance(data.get("source"), str):
        try:
            names = describe(DataConfig(source=data["source"])).classes
        except DataError:  # the model outlives its data
            names = None
    told = tuple(map(str, names)) if isinstance(names, list | tuple) else ()
    usable = len(told) == len(set(told)) == n_classes and all(map(str.isprintable, told))
    return told if usable else tuple(map(str, range(n_classes)))


def json_text(results: Iterable[Prediction | Refusal]) -> Iterator[str]:
    """Results as JSON, bit by bit: a list of objects; of a refused picture `image` and `error`."""
    between = "[\n"
    for result in results:
        yield between + textwrap.indent(json.dumps(result.to_dict(), indent=2, ensure_ascii=False), "  ")
        between = ",\n"
    yield "[]\n" if between == "[\n" else "\n]\n"


def csv_text(results: Iterable[Prediction | Refusal], classes: Iterable[str]) -> Iterator[str]:
    """Predictions as CSV, row by row: image, class, confidence, then the probability of each class."""
    yield _row(["image", "class", "confidence", *classes])
    for result in results:
        if isinstance(result, Prediction):
            figures = (result.confidence, *result.probabilities.values())
            yield _row([result.image, result.label, *(f"{figure:.6g}" for figure in figures)])


def _row(cells: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(map(neutral, cells))
    return buffer.getvalue()
