"""The JSON files of a sweep's folder: read with what is needed of them, or refused as damaged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from main.card import NUMBER, Needed, lacking
from optimize.tables import RUN_AGAIN, DamagedFile

SHOWN_OF_THE_CARD: Needed = {
    "configuration": str,
    "trial": int,
    "seed": int,
    "epoch": int,
    "test.accuracy": NUMBER,
    "test.low": NUMBER,
    "test.high": NUMBER,
    "test.n": int,
}
"""What commands and reports show of a card, and so need; anybody may have written it."""
OF_A_RUN: Needed = {
    "data": Mapping,
    "data.source": str,
    "data.checksum": str,
    "data.notice": (str, type(None)),
    "data.train": int,
    "data.validation": int,
}
"""What commands and reports need of provenance.json."""


def read_record(path: Path, needed: Needed, remedy: str = RUN_AGAIN) -> dict[str, Any] | None:
    """A JSON file's mapping, of which what is `needed` is known to be there; None while there is no file.

    Args:
        path: The file.
        needed: By a key or a path of keys, of what type its value is.
        remedy: What a person does about a damaged one.

    Raises:
        DamagedFile: it holds something else.
        OSError: it cannot be read.
    """
    try:
        content = dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except TypeError as error:
        raise DamagedFile(path, "no mapping", remedy) from error
    except ValueError as error:
        raise DamagedFile(path, str(error), remedy) from error
    if missing := lacking(content, needed):
        raise DamagedFile(path, f"without {', '.join(missing)}", remedy)
    return content
