"""A saved model that answers one picture at a time, at once: probabilities, what it sees, its feature maps."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from main.backend import quiet_import, traced
from main.data import DataError
from main.data.records import Images
from main.evaluate import as_probabilities
from main.explanation import Stage, shown_steps, stage
from main.predict import Predictor
from main.prepare import Preparation

PICTURE = "the picture"
"""What a picture is called that has no file name of its own."""


class Maps(BaseModel):
    """What one layer makes of a picture."""

    layer: str = Field(description="The layer's name.")
    height: int = Field(description="Pixels.")
    width: int = Field(description="Pixels.")
    n_maps: int = Field(description="How many maps the layer has; the liveliest are given.")
    maps: list[str] = Field(
        description="Each map as base64 of height × width bytes, row by row: the least value of them all is 0, the "
        "largest 255."
    )


class Answer(BaseModel):
    """What a model says of a picture."""

    label: str = Field(alias="class", description="Name of the most probable class.")
    confidence: float = Field(description="Its probability.")
    probabilities: dict[str, float] = Field(description="Of every class, by name.")
    seen: list[list[list[int]]] = Field(
        description="What the network was given: height × width × channels, 0 to 255, prepared as `/health` says."
    )
    stages: list[Maps] = Field(description="Feature maps, layer by layer; empty unless asked for.")


class LiveModel:
    """A model together with the way pictures are prepared for it, traced and warm.

    Args:
        path: The model's file, …/cnn.h5.
        preparation: How pictures are prepared; as the model's card says unless given.

    Attributes:
        path: The model's file.
        classes: Names of the classes in the order of the model's outputs.
        input_shape: (height, width, channels) of what the model takes.
        preparation: How pictures are brought to that form.

    Raises:
        ModelFileError: The model cannot be loaded.
        DataError: It takes no images.
    """

    def __init__(self, path: Path, preparation: Preparation | None = None) -> None:
        quiet_import()
        import keras

        self.path = path
        self._predictor = Predictor(path, preparation)
        model = self._predictor.model
        self.classes, self.input_shape = self._predictor.classes, self._predictor.input_shape
        self.preparation = self._predictor.preparation
        steps = shown_steps(model)
        self._layers = [step.layer.name for step in steps]
        outputs = [step.output for step in steps]
        self._plain = traced(model)
        as_probabilities(np.asarray(self._plain(np.zeros((1, *self.input_shape), np.float32))), path)
        self._watched = traced(keras.Model(model.inputs[0], {"probabilities": model.outputs[0], "maps": outputs}))

    def answer(self, picture: bytes, *, maps: bool = False) -> Answer:
        """What the model says of a picture: the bytes of a PNG, JPEG or another format that `predict` reads.

        Raises:
            DataError: It is no picture, too large, or blank.
        """
        seen = self._read(picture)
        image = seen[np.newaxis].astype(np.float32) / 255.0
        outputs = self._watched(image) if maps else {"probabilities": self._plain(image), "maps": []}
        [probabilities] = as_probabilities(np.asarray(outputs["probabilities"]), self.path).tolist()
        best = int(np.argmax(probabilities))
        return Answer.model_validate(
            {
                "class": self.classes[best],
                "confidence": probabilities[best],
                "probabilities": dict(zip(self.classes, probabilities, strict=True)),
                "seen": seen.tolist(),
                "stages": [
                    _as_maps(stage(layer, output[0]))
                    for layer, output in zip(self._layers, outputs["maps"], strict=maps)
                ],
            }
        )

    def _read(self, picture: bytes) -> Images:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "picture"
            file.write_bytes(picture)
            try:
                return self._predictor.read(file)
            except DataError as error:
                raise DataError(str(error).replace(str(file), PICTURE)) from None


def _as_maps(found: Stage) -> Maps:
    low, high = float(found.maps.min()), float(found.maps.max())
    _, height, width = found.maps.shape
    scaled = _scaled(found.maps, low, high)
    coded = [base64.b64encode(values.tobytes()).decode() for values in scaled]
    return Maps(layer=found.layer, height=height, width=width, n_maps=found.n_maps, maps=coded)


def _scaled(maps: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    span = high - low or 1.0
    scaled: NDArray[np.uint8] = np.rint((maps - low) * (255 / span)).astype(np.uint8)
    return scaled
