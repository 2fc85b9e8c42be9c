"""Downloading a known data set into Keras's cache, whole or not at all, in bounded time."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from main.data.errors import MissingData
from main.data.find import keras_home
from main.data.known import KnownData

SILENCE = 10.0
"""Seconds without a byte from the network after which a download has failed."""
DEADLINE = 300.0
"""Seconds after which a download has failed, however lively it is."""
SCRIPT = Path(__file__).with_name("fetch.py")

log = logging.getLogger(__name__)


def download(known: KnownData) -> None:
    """Have `keras.datasets` download the data set into Keras's cache.

    A process of its own keeps Keras and its output out of this one, and can be ended when time is up. It
    downloads into a folder beside the cache, so that nobody ever sees half a file.

    Raises MissingData with the reason where the network, the time or the folder does not allow it.
    """
    log.info("downloading %s", known.name)
    home = keras_home()
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="download-", dir=home) as folder:
            _fetch(known.name, Path(folder))
            for copy in known.keras_cache:
                _move(Path(folder) / "datasets" / copy, home / "datasets" / copy)
    except OSError as error:
        raise MissingData(f"{home} cannot be written: {error.strerror or error}") from None


def _fetch(name: str, folder: Path) -> None:
    command = [sys.executable, "-P", str(SCRIPT), name, str(SILENCE)]
    try:
        ended = subprocess.run(
            command,
            env={**os.environ, "KERAS_HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise MissingData(f"the download took more than {DEADLINE:g} s") from None
    if ended.returncode != 0:
        raise MissingData((ended.stdout.strip().splitlines() or [f"exit status {ended.returncode}"])[-1])


def _move(source: Path, target: Path) -> None:
    """Move a file, or each file of a folder, in steps that replace what is there."""
    for path in source.iterdir() if source.is_dir() else (source,):
        place = target / path.name if source.is_dir() else target
        place.parent.mkdir(parents=True, exist_ok=True)
        path.replace(place)
