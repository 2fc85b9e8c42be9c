"""Charts of several sweeps side by side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from main.files import write_atomically
from optimize.charts import Drawn, check_request
from optimize.charts.drawing.comparison import draw_courses, draw_sweep_choices
from optimize.charts.numbers.common import NotForThisSweep
from optimize.charts.numbers.comparison import rank_courses, regret_courses, sweep_choices
from optimize.charts.page import Page, Words, drawing_rules
from optimize.wording import listed

if TYPE_CHECKING:
    from optimize.compare import Comparison


class ComparisonChart(NamedTuple):
    """How one chart of several sweeps is made."""

    heading: str
    compute: Callable[[Comparison], Any]
    """Raises `NotForThisSweep` where the chart would say nothing; its result has `says` and `caption`."""
    draw: Callable[[Any, Page], None]


CATALOG: dict[str, ComparisonChart] = {
    "compared_choices": ComparisonChart("Choices of {}", sweep_choices, draw_sweep_choices),
    "compared_regrets": ComparisonChart("How soon {} came close to the best", regret_courses, draw_courses),
    "compared_ranks": ComparisonChart("Which of {} led", rank_courses, draw_courses),
}


def draw_comparison(
    comparison: Comparison,
    folder: Path,
    format: str = "png",  # noqa: A002 - the option's name
    style: str | None = None,
) -> Drawn:
    """Draw a comparison's charts into a folder, which is made where it is missing.

    Args:
        comparison: the sweeps.
        folder: where the files go.
        format: one of `optimize.charts.FORMATS`.
        style: a matplotlib style, by name or path, over our own.

    Raises:
        UserError: a format or a style that is not known.
        OSError: the folder cannot be written.
    """
    check_request(format=format, style=style)
    names = listed([sweep.name for sweep in comparison.sweeps])
    texts = [names, *(choice.choice for sweep in comparison.sweeps for choice in sweep.choices)]
    paths: list[Path] = []
    skipped: dict[str, str] = {}
    for name, chart in CATALOG.items():
        path = folder / f"{name}.{format}"
        try:
            numbers = chart.compute(comparison)
        except NotForThisSweep as reason:
            skipped[name] = str(reason)
            path.unlink(missing_ok=True)
            continue
        with drawing_rules(texts, style):
            page = Page(Words(chart.heading.format(names), numbers.says, numbers.caption))
            chart.draw(numbers, page)
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, page.render(format))
        paths.append(path)
    return Drawn(paths, skipped)
