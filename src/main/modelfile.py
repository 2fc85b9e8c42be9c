"""The model file cnn.h5 and its card cnn.json: written so that they are always whole, verified before they
are used.

The card describes one particular file: it holds that file's sha256. Both are replaced one after the other; so
that no kill in between can part them, the new card waits beside as `cnn.json.pending` until the model is in
place, and of the two cards the one that matches the model counts.

A card protects against damage, not against malice: whoever can change the model can change the card. What a
file may hold is therefore checked in any case, by `main.modelcheck`, on the very bytes that Keras is then
given.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from main.architecture import Architecture
from main.errors import UserError
from main.files import flush_folder, write_atomically
from main.layer_settings import RefusedError
from main.modelcheck import MAX_FILE_BYTES, inspect, inspect_apart

if TYPE_CHECKING:
    import keras

MODEL_NAME = "cnn.h5"
MAX_CARD_BYTES = 4 * 2**20
MAX_CARD_DEPTH = 32  # mappings and lists within one another; what is written here has six
COMPARED_IMAGES = 8
TOLERANCE = 1e-6  # of probabilities; the same kernels on the same weights normally agree to the bit


class ModelFileError(UserError):
    """A model file or its card cannot be used; the message names the file and the reason."""


class UnverifiedModelWarning(UserWarning):
    """A model was loaded that has no card, so that damage to its weights could not be ruled out."""


def card_path(path: Path) -> Path:
    """Where the card of the model at `path` lies: beside it, ending in .json."""
    return path.with_suffix(".json")


def save_model(model: keras.Model, path: Path, card: Mapping[str, Any]) -> None:
    """Write `model` to `path` (…/cnn.h5), without optimizer state, and `card` with the file's sha256 beside
    it.

    The file is loaded back and its predictions compared before it replaces anything. A kill at any moment
    leaves the old model and card, or the new ones.

    Raises:
        ModelFileError: Keras cannot bring back from the file what was put in, or the path does not end in
            .h5.
        OSError: the folder cannot be written, or the disk is full; what was there is still there.
    """
    _write(Path(path), to_bytes(model), card)


def to_bytes(model: keras.Model) -> bytes:
    """The finished cnn.h5 of `model`: float32, no optimizer state, loaded back and its predictions compared.

    Raises:
        ModelFileError: the model computes in another precision, holds what `load_model` would refuse, or
            comes back
            from the file different.
    """
    policies = {layer.dtype_policy.name for layer in model.layers}
    if policies - {"float32"}:
        raise ModelFileError(f"a model is saved in float32, but this one computes in {', '.join(sorted(policies))}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / MODEL_NAME
        _keras_save(model, file)
        data = file.read_bytes()
    _compare(model, _keras_load(data, _inspected(data, Path(MODEL_NAME)), Path(MODEL_NAME)))
    return data


def write_model_file(folder: Path, h5_bytes: bytes, card: Mapping[str, Any]) -> None:
    """Write bytes made by `to_bytes` as folder/cnn.h5 and their card as folder/cnn.json, without Keras.

    Raises:
        ModelFileError: the bytes are not a model file.
        OSError: as in `save_model`.
    """
    _inspected(h5_bytes, Path(folder) / MODEL_NAME)
    _write(Path(folder) / MODEL_NAME, h5_bytes, card)


class ModelFile(NamedTuple):
    """A model file that has been checked in all that can be checked without Keras."""

    data: bytes
    card: dict[str, Any] | None
    """Of this very file; None where there is none."""
    described: Architecture


def read_model_file(path: str | Path) -> ModelFile:
    """The bytes of the file at `path` with its card, once checksum, structure, layers and shapes are checked.

    Raises:
        ModelFileError: as `load_model`.
    """
    path = Path(path)
    data, card = _with_card(path)
    return ModelFile(data, card, _inspected(data, path, inspect_apart))


def load_model(path: str | Path) -> keras.Model:
    """The model at `path`, ready to predict, not compiled.

    Before Keras is given anything, the card's checksum is compared and the file's structure, layers and
    shapes are checked. A file without a card is checked in all but the checksum and loaded with an
    `UnverifiedModelWarning`: a flipped bit in one weight cannot be seen then.

    Raises:
        ModelFileError: the file is missing, damaged, too large, or holds what a model file should not.
    """
    return load_with_card(path)[0]


def load_with_card(path: str | Path) -> tuple[keras.Model, dict[str, Any] | None]:
    """As `load_model`, with the card of that very file, whatever takes its place in the meantime."""
    path = Path(path)
    data, card, described = read_model_file(path)
    if card is None:
        warnings.warn(
            f"{path} has no card ({card_path(path).name}), so damage to its weights cannot be ruled out",
            UnverifiedModelWarning,
            stacklevel=3,
        )
    return _keras_load(data, described, path), card


def read_card(path: str | Path) -> dict[str, Any]:
    """The card of the model at `path` (…/cnn.h5), once it is sure that it belongs to that file.

    Raises:
        ModelFileError: the model or its card is missing, damaged, or the card is of another file.
    """
    _, card = _with_card(Path(path))
    if card is None:
        raise ModelFileError(f"{path} has no card: {card_path(Path(path))} does not exist")
    return card


def _with_card(path: Path) -> tuple[bytes, dict[str, Any] | None]:
    """A file's bytes and their card; read once more where the two do not belong together, as both may be replaced."""
    try:
        data = _read(path, MAX_FILE_BYTES)
        return data, _card_of(path, data)
    except ModelFileError:
        data = _read(path, MAX_FILE_BYTES)
        return data, _card_of(path, data)


def _card_of(path: Path, data: bytes) -> dict[str, Any] | None:
    """The card whose checksum is that of `data`; None where there is no card at all."""
    checksum = hashlib.sha256(data).hexdigest()
    beside = card_path(path)
    found = False
    for candidate in (beside, _pending(beside)):
        if candidate.exists():
            card = _read_card(candidate)
            if card["sha256"] == checksum:
                return card
            found = found or candidate == beside
    if found:
        raise ModelFileError(f"{path} is not the file that its card {beside.name} describes: its sha256 is {checksum}")
    return None


def _read_card(path: Path) -> dict[str, Any]:
    try:
        card = json.loads(_read(path, MAX_CARD_BYTES))
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} is damaged: it is no JSON ({error})") from error
    if not isinstance(card, dict) or not isinstance(card.get("sha256"), str):
        raise ModelFileError(f"{path} is no card of a model: it has no sha256")
    if _depth(card) > MAX_CARD_DEPTH:
        raise ModelFileError(f"{path} is no card of a model: it is nested more than {MAX_CARD_DEPTH} deep")
    return card


def _depth(card: dict[str, Any]) -> int:
    depth, level = 0, [cast(Any, card)]
    while level and depth <= MAX_CARD_DEPTH:
        within = (item.values() if isinstance(item, dict) else item for item in level)
        level = [value for values in within for value in values if isinstance(value, dict | list)]
        depth += 1
    return depth


def _read(path: Path, most: int) -> bytes:
    try:
        if not path.is_file():
            within = path / MODEL_NAME
            meant = f"; did you mean '{within}'?" if within.is_file() else ""
            raise ModelFileError(f"{path} is not a file{meant}" if path.exists() else f"{path} does not exist")
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > most:
        raise ModelFileError(f"{path} is larger than {most // 2**20} MiB")
    return data


def _inspected(data: bytes, path: Path, check: Callable[[bytes], Architecture] = inspect) -> Architecture:
    try:
        return check(data)
    except RefusedError as error:
        raise ModelFileError(f"{path} is refused: {error}") from error


def _write(path: Path, data: bytes, card: Mapping[str, Any]) -> None:
    if path.suffix != ".h5":
        raise ModelFileError(f"{path} must end in .h5")
    complete = {"sha256": hashlib.sha256(data).hexdigest()} | {k: v for k, v in card.items() if k != "sha256"}
    text = json.dumps(complete, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = card_path(path)
    _settle(path)
    write_atomically(_pending(beside), text)
    try:
        write_atomically(path, data)
    except BaseException:
        if _describes(beside, path) or not _describes(_pending(beside), path):
            _pending(beside).unlink(missing_ok=True)  # it failed before the model came into place, not after
        raise
    _pending(beside).replace(beside)
    flush_folder(path.parent)


def _settle(path: Path) -> None:
    """Bring a card to its place that a kill left waiting beside the model that it describes."""
    pending = _pending(card_path(path))
    if _describes(pending, path):
        pending.replace(card_path(path))


def _describes(card: Path, path: Path) -> bool:
    """Whether a card is whole, and that of the model in place; what is damaged is about to be replaced."""
    with contextlib.suppress(ModelFileError):
        return bool(_read_card(card)["sha256"] == hashlib.sha256(_read(path, MAX_FILE_BYTES)).hexdigest())
    return False


def _pending(card: Path) -> Path:
    return card.with_name(card.name + ".pending")


def _keras_save(model: keras.Model, file: Path) -> None:
    from absl import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)  # Keras advises its own format on every save
    try:
        model.save(file, include_optimizer=False)
    finally:
        logging.set_verbosity(before)


def _keras_load(data: bytes, described: Architecture, path: Path) -> keras.Model:
    """Give Keras the bytes that were checked: the file at `path` may have been replaced since."""
    from main.backend import quiet_import

    quiet_import()
    import keras

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / MODEL_NAME
        file.write_bytes(data)
        try:
            model = keras.models.load_model(file, compile=False, safe_mode=True)
        except Exception as error:  # whatever Keras makes of a configuration that passed is the file's fault
            raise ModelFileError(f"{path} cannot be loaded by Keras {keras.__version__}: {error}") from error
    if model.count_params() != described.parameters:
        raise ModelFileError(
            f"{path} became a network of {model.count_params()} parameters, not {described.parameters}"
        )
    return model


def _compare(model: keras.Model, loaded: keras.Model) -> None:
    import numpy as np

    images = np.random.default_rng(0).random((COMPARED_IMAGES, *model.input_shape[1:]), dtype=np.float32)
    expected, found = (np.asarray(network(images, training=False)) for network in (model, loaded))
    if expected.shape != found.shape or not np.allclose(expected, found, rtol=0, atol=TOLERANCE, equal_nan=False):
        raise ModelFileError("the model that came back from its file does not predict what the saved one does")
