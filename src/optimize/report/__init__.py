"""The report of a sweep: one HTML file that needs no network and runs no script."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from main.files import write_atomically
from main.wording import unbroken

if TYPE_CHECKING:
    from jinja2 import Template

    from optimize.charts.evidence import Evidence
    from optimize.results import Results


def write(results: Results, evidence: Evidence | None = None) -> Path:
    """Write a sweep's `report.html` from its tables; returns its path.

    Args:
        results: the sweep's folder.
        evidence: what its tables hold, where that has been read already.

    Raises:
        optimize.tables.MissingFile, optimize.tables.DamagedFile: a file is not there, or holds something else.
        OSError: the folder cannot be written.
    """
    from optimize.report.content import read_content

    write_atomically(results.report, _template().render(vars(read_content(results, evidence))))
    return results.report


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    style = resources.files(__name__).joinpath("report.css").read_text(encoding="utf-8")
    environment = Environment(
        loader=PackageLoader(__name__, ""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: unbroken(value) if type(value) is str else value,  # markup stays as it was written
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["base64"] = lambda text: base64.b64encode(text.encode()).decode()
    environment.globals["style"] = Markup(style)
    # Only this very style sheet applies, and nothing is fetched or run, whatever a label manages to smuggle in.
    environment.globals["style_hash"] = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template("report.html.j2")
