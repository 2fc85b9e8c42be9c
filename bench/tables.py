"""What the benchmarks share: Markdown tables, the machine they ran on, and their sections of RESULTS.md."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("tensorflow", "keras", "optuna", "distributed", "numpy")
HEADING = (
    "# Results\n\nOne run of each benchmark; [README.md](README.md) says what they measure and how to read them.\n"
)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose columns line up in a terminal too; all columns but the first are right-aligned."""
    table = [list(header), *(list(row) for row in rows)]
    widths = [max(3, *(len(row[column]) for row in table)) for column in range(len(header))]
    lines = [" | ".join(_aligned(row, widths)) for row in table]
    rule = " | ".join("-" * width if column == 0 else "-" * (width - 1) + ":" for column, width in enumerate(widths))
    return "\n".join(f"| {line} |" for line in [lines[0], rule, *lines[1:]])


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        text.ljust(width) if column == 0 else text.rjust(width)
        for column, (text, width) in enumerate(zip(row, widths, strict=True))
    ]


def machine(packages: Sequence[str] = PACKAGES) -> str:
    """Processor, cores, load, versions and date, in a line."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = [f"Python {platform.python_version()}", *(f"{package} {version(package)}" for package in packages)]
    return (
        f"{_processor()}, {cores} cores, load {os.getloadavg()[0]:.1f} at the start; {', '.join(versions)}; "
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    )


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def write_section(path: Path, name: str, text: str) -> None:
    """Put `text` into the Markdown file at `path`, in place of what the benchmark `name` wrote there before."""
    before = path.read_text(encoding="utf-8") if path.exists() else HEADING
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    section = f"{start}\n{text.strip()}\n{end}\n"
    if start in before:
        head, rest = before.split(start, 1)
        after = head + section + rest.split(end, 1)[1].lstrip("\n")
    else:
        after = before.rstrip("\n") + "\n\n" + section
    path.write_text(re.sub(rf"({re.escape(end)})\n+(?=<!--)", r"\1\n\n", after), encoding="utf-8")
