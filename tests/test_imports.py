"""The house's contract: optimize → main → models, no circles, and nothing that trains until something trains."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src"
ALLOWED = {"models": {"models"}, "main": {"main", "models"}, "optimize": {"optimize", "main", "models"}}
HEAVY = ("tensorflow", "keras", "torch")
WITHOUT_TRAINING = [
    "optimize.cli",
    "optimize.config",
    "optimize.plan",
    "optimize.schema",
    "optimize.results",
    "optimize.statistics",
    "optimize.compare",
    "optimize.charts",
    "optimize.report",
    "optimize.coordinator",
    "optimize.sweep",
    "optimize.forecast",
    "main.timing",
    "main.cli",
    "main.data",
    "main.modelfile",
    "models.spec",
]


@cache
def modules() -> dict[str, Path]:
    return {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
        for path in SOURCE.rglob("*.py")
    }


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_level(tree: ast.Module) -> ast.Module:
    """The tree without what runs later (functions) or never (TYPE_CHECKING)."""

    class Strip(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            return None

        visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

        def visit_If(self, node: ast.If) -> ast.If | None:
            return None if "TYPE_CHECKING" in ast.dump(node.test) else node

    stripped = Strip().visit(tree)
    assert isinstance(stripped, ast.Module)
    return stripped


@pytest.mark.parametrize("module", sorted(modules()))
def test_imports_run_one_way(module: str) -> None:
    room = module.partition(".")[0]
    for name in imported(ast.parse(modules()[module].read_text())):
        other = name.partition(".")[0]
        assert other not in ALLOWED or other in ALLOWED[room], f"{module} imports {name}"


def test_no_file_imports_itself_by_way_of_others() -> None:
    graph = {
        module: {name for name in imported(module_level(ast.parse(path.read_text()))) if name in modules()} - {module}
        for module, path in modules().items()
    }
    for module in graph:  # a package's face hands names on; its parts may be imported through it
        graph[module] = {name for name in graph[module] if not module.startswith(f"{name}.")}
    while free := [module for module, needs in graph.items() if not needs]:
        for module in free:
            del graph[module]
        for needs in graph.values():
            needs.difference_update(free)
    assert graph == {}


def test_tensorflow_has_three_files_and_all_others_speak_keras() -> None:
    trees = {module: ast.parse(path.read_text()) for module, path in modules().items()}
    named = {module for module, tree in trees.items() if any(name.startswith("tensorflow") for name in imported(tree))}
    assert named == {"main.backend", "main.augment", "optimize.devices"}


def test_nothing_that_trains_is_imported_before_something_trains() -> None:
    """One after the other in one process, so that the first to import it is named."""
    program = (
        "import importlib, sys\n"
        f"for module in {WITHOUT_TRAINING!r}:\n"
        "    importlib.import_module(module)\n"
        f"    print(module, [m for m in {HEAVY!r} if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines() == [f"{module} []" for module in WITHOUT_TRAINING]


@pytest.mark.parametrize("package", ["optimize", "main"])
def test_help_is_shown_without_the_heavy_libraries(package: str) -> None:
    heavy = (*HEAVY, "optuna", "pandas", "matplotlib", "scipy", "sklearn", "distributed")
    program = (
        f"import sys, runpy; sys.argv = ['{package}', '--help']\n"
        f"try: runpy.run_module('{package}', run_name='__main__', alter_sys=True)\n"
        f"except SystemExit: print('loaded:', [m for m in {heavy!r} if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "loaded: []"


def test_a_worker_starts_without_what_only_the_coordinator_needs() -> None:
    heavy = (*HEAVY, "optuna", "sqlalchemy", "pandas", "matplotlib", "scipy", "sklearn")
    program = f"import sys, optimize.workers; print([m for m in {heavy!r} if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_a_sweep_starts_without_what_only_its_verdict_needs() -> None:
    """Its workers would wait for it."""
    late = (*HEAVY, "scipy", "pandas", "matplotlib", "sklearn", "statsmodels")
    program = f"import sys, optimize.sweep; print([m for m in {late!r} if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.training
def test_a_process_that_only_trains_imports_nothing_else_and_still_can() -> None:
    program = (
        "import sys; from main.backend import NOT_FOR_TRAINING, quiet_import; quiet_import(whole=False)\n"
        "print([name for name in NOT_FOR_TRAINING if name in sys.modules], 'keras' in sys.modules)\n"
        "import pandas, sklearn.datasets; print(pandas.DataFrame({'a': [1]}).shape)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines() == ["[] True", "(1, 1)"]


def test_the_architecture_says_where_every_module_belongs() -> None:
    """In its own folder's part of the plan, by name, or by a pattern such as `layer_*.py`."""
    plan = (SOURCE.parent / "docs/architecture.md").read_text().split("```")[1]
    for package in ALLOWED:
        part = plan.split(f"src/{package}/", 1)[1].split("\nsrc/", 1)[0]
        named = re.findall(r"[\w*]+(?:\.py|/)", part)
        inside = {
            name.removeprefix(f"{package}.").split(".")[0] for name in modules() if name.startswith(f"{package}.")
        }
        names = {f"{name}/" if (SOURCE / package / name).is_dir() else f"{name}.py" for name in inside}
        missing = {name for name in names - {"__init__.py", "__main__.py"} if not any(fnmatch(name, n) for n in named)}
        assert not missing, f"docs/architecture.md does not name {sorted(missing)} of src/{package}"


def test_what_is_imported_when_it_is_first_used_is_offered_before() -> None:
    program = "import optimize; print(set(optimize.__all__) <= set(dir(optimize)))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "True\n"
