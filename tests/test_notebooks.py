"""The notebooks run from their first cell to their last, as a reader runs them, and are kept without outputs."""

import shutil
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
WHAT_THEY_SAY = {
    "first_classifier": ["train      (1200, 28, 28, 1)", "read wrongly", "test accuracy"],
    "sweep_and_verdict": [
        "Which pooling reads digits best?", "trial 11", "points", "3 seeds", "360 images",
        '<th scope="col">seeds</th>',  # of the table that the cell `result` shows
    ],
}  # fmt: skip


def read(path: Path) -> Any:
    import nbformat

    return nbformat.read(path, as_version=4)


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def said(notebook: Any) -> str:
    """Everything that the cells printed or showed as text or HTML."""
    outputs = [output for cell in code(notebook) for output in cell.outputs]
    streams = [output.text for output in outputs if output.output_type == "stream"]
    shown = [
        output.data[kind] for output in outputs if "data" in output for kind in output.data if kind.startswith("text/")
    ]
    return "\n".join([*streams, *shown])


def test_there_are_the_two() -> None:
    assert [path.stem for path in NOTEBOOKS] == sorted(WHAT_THEY_SAY)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_outputs_are_kept(path: Path) -> None:
    import nbformat

    notebook = read(path)
    nbformat.validate(notebook)
    for cell in code(notebook):
        assert (cell.outputs, cell.execution_count) == ([], None)
    assert str(REPOSITORY.parent) not in path.read_text()


@pytest.mark.training
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_from_the_first_cell_to_the_last(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbclient import NotebookClient

    for folder in ("notebooks", "configs"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder)
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = read(path)
    where = {"metadata": {"path": str(tmp_path / "notebooks")}}
    patience = {"timeout": 800, "iopub_timeout": 120, "startup_timeout": 300}
    NotebookClient(notebook, kernel_name="python3", resources=where, **patience).execute()
    words = said(notebook)
    for expected in WHAT_THEY_SAY[path.stem]:
        assert expected in words
    quiet = [output.text for cell in code(notebook) for output in cell.outputs if output.get("name") == "stderr"]
    assert quiet == []
    assert "\x1b[" not in words, "colour codes that a notebook does not need"
