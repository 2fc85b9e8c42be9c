"""A sweep file to begin with."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from main.document import SUFFIXES
from main.errors import UserError
from main.files import write_atomically
from main.names import valid_name
from main.yaml12 import flow

_SCHEMA = Path("docs") / "sweep.schema.json"
_TEXT = """\
# What every line may say: docs/sweep-file.md
# What this file would do: python -m optimize plan {file}
name: {name}
question: Which pooling and which dropout read digits best?
data:
  source: mnist            # mnist, fashion_mnist, digits, or a path to your own images
  otherwise: digits        # used where mnist can be neither found nor downloaded
model:
  network: cnn             # cnn, mlp or softmax
  filters: [32, 64]        # channels of each convolution
  kernel_size: 3
  pooling: {{choices: [max, average]}}         # any value under model or train can be swept, by choices ...
  dropout: {{low: 0.3, high: 0.5, step: 0.1}}  # ... or by a range; samplers other than grid need no step
  activation: relu
train:
  optimizer: adam          # a name, or a mapping such as {{name: sgd, momentum: 0.9}}
  learning_rate: 1e-3
  batch_size: 128          # images a step
  epochs: 3
study:
  metric: val_accuracy
  sampler: grid            # every combination; or random, tpe, gp, cmaes, ... with `trials: 50` in place of `seeds`
  seeds: 3                 # trainings of each combination: with one there is no verdict
run:
  workers: auto            # trainings at a time: one a core
"""


def text(name: str, file: str) -> str:
    """A short commented sweep file that plans without a complaint.

    Args:
        name: Name of the sweep.
        file: The file's path.
    """
    return _TEXT.format(name=flow(name), file=shlex.quote(file))


def write_template(name: str, folder: Path | str) -> Path:
    """Write a sweep file to begin with, `folder`/`name`.yaml, and return its path.

    Its first line names the JSON Schema for editors, where this is run beside docs/sweep.schema.json.

    Raises:
        UserError: If no sweep can have the name, or if the file exists.
    """
    if Path(name).suffix in SUFFIXES:  # of somebody who names the file
        name = Path(name).stem
    try:
        valid_name(name)
    except ValueError as error:
        raise UserError(str(error)) from None
    path = Path(folder) / f"{name}.yaml"
    if path.exists():
        raise UserError(f"{path} exists already, and is left as it is")
    path.parent.mkdir(parents=True, exist_ok=True)
    first_line = ""
    if _SCHEMA.exists():
        schema = Path(os.path.relpath(_SCHEMA, path.parent)).as_posix()
        first_line = f"# yaml-language-server: $schema={schema}\n"
    write_atomically(path, first_line + text(name, path.as_posix()))
    return path
