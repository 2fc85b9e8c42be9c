"""The learning curve of one training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from main.figures import BLUE, MUTED, VERMILLION, draw_all, page
from main.history import Epoch, best_epoch
from main.wording import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOOKS = (
    ("accuracy", "training", BLUE, "o"),
    ("val_accuracy", "validation", VERMILLION, "s"),
)
MARKED_EPOCHS = 40
"""Of longer curves the single epochs are not marked."""


def draw(history: Sequence[Epoch], name: str, folder: Path, file: str) -> Path:
    """Write the curve as `folder`/<file>.png; gives its path."""
    (path,) = draw_all(folder, {file: lambda: curve(history, name)}, [name])
    return path


def curve(history: Sequence[Epoch], name: str) -> Figure:
    """Accuracy and loss over epochs, on training and validation images, and the epoch that was kept."""
    best = best_epoch(history, "val_accuracy")
    kept = next((epoch for epoch in history if epoch.epoch == best), None)
    told = "diverged"
    if kept is not None:
        told = f"best at epoch {best}, which is kept: {percent(kept.val_accuracy)} of the validation images"
    figure, grid = page(f"Learning curve of {name}", told, width=8.4, height=3.4, columns=2)
    epochs = [epoch.epoch for epoch in history]
    for axes, figures in zip(grid[0], (("accuracy", "val_accuracy"), ("loss", "val_loss")), strict=True):
        for figure_name, (_, label, colour, marker) in zip(figures, LOOKS, strict=True):
            marked = marker if len(history) <= MARKED_EPOCHS else ""
            axes.plot(
                epochs, [getattr(epoch, figure_name) for epoch in history],
                color=colour, marker=marked, markersize=4.5, label=label,
            )  # fmt: skip
        _finish(axes, figures[0], best)
    grid[0, 0].yaxis.set_major_formatter(lambda share, _: f"{100 * share:.4g} %")
    grid[0, 0].legend(loc="lower right")
    return figure


def _finish(axes: Axes, ylabel: str, best: int | None) -> None:
    from matplotlib.ticker import MaxNLocator

    if best is not None:
        axes.axvline(best, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.set(xlabel="epoch", ylabel=ylabel)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
