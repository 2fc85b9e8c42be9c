"""Thousands of sweep files made up by hypothesis: none a traceback, none slow, none out of step with the schema."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from generated import SCHEMA, as_yaml, documents, json_of, mutated, spoiled
from hypothesis import HealthCheck, example, given, settings
from loading import CALLS_PER_SECOND, calls, loaded

from main.complaints import ConfigError
from main.document import parse

VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
TEXTS = [path.read_text() for path in sorted((Path(__file__).parents[2] / "configs").rglob("*.yaml"))]
SWEPT = r"(model|train)(\..+)?"
WITHIN = r"(\..+)?"  # a choice, an end of a range, or what holds until another sweep decides
CROSS_FIELD_RULES = (
    ("model", "nothing is swept: "),
    (r"data\.(train|validation)", r"\w+ has [\d,]+ images outside its test set, too few for"),
    (r"study\.(folds|race|pruner|baseline|compare)", "a range test has no trials to do this with"),
    (r"train\.schedule", "a range test has a schedule of its own"),
    (r"study\.stop", "a range test has no search that could be stopped"),
    (r"study\.metric", "a range test reads training losses, and no metric"),
    (r"train\.(learning_rate|optimizer\.learning_rate|schedule)", "has no effect in a range test"),
    (SWEPT, "some of its choices differ in nothing but the rate"),
    (r"study\.range_test(\.end)?", "`end` must be above `start`"),
    (rf"{SWEPT}\.when", "waits for itself: |is never met: "),
    (rf"{SWEPT}\.when\..*", "'.*' is not swept, so that it decides nothing|a range; only choices decide"),
    (rf"{SWEPT}\.when\..*", "unknown value '|expected .*, but read"),
    (rf"{SWEPT}\.\d+\.when", "an element of a list is always there"),
    (SWEPT, "has no default for when its `when` turns it off"),
    (rf"{SWEPT}\.choices\.\d+", ".* is the same as .*; each choice stands once"),
    (rf"{SWEPT}\.high", "`low` must be less than `high`"),
    (rf"{SWEPT}\.log", "a logarithmic range begins above 0"),
    (rf"{SWEPT}\.step", "a logarithmic range takes no step|whole steps of .* must end at|at most 10,000 steps"),
    (rf"{SWEPT}\.winner", "the sweep '.*' has no verdict"),
    (SWEPT, "a grid takes no range without a step"),
    (rf"name|{SWEPT}\.winner", "a name does not end in a dot|'.*' is a device on Windows|a name is 1 to 64"),
    (rf"model{WITHIN}", "unknown key of network"),
    (rf"model{WITHIN}\.(kernel_size|pool_size|conv_dropout){WITHIN}", r"\w+ must be one number or one per convolution"),
    (rf"model{WITHIN}\.leaky_relu_slope{WITHIN}", "leaky_relu_slope is of activation"),
    (rf"train{WITHIN}\.(optimizer|schedule){WITHIN}\.\w+{WITHIN}", r"\w+ does not take it; it takes"),
    (rf"train{WITHIN}\.nesterov{WITHIN}", "Nesterov momentum needs `momentum` above 0"),
    (rf"train{WITHIN}\.beta_1{WITHIN}", "of lion it must be above 0"),
    (rf"train{WITHIN}\.label_smoothing{WITHIN}", r"of [\w, ]+ alone, but loss is"),
    (rf"train{WITHIN}", r"[\d,]+ epochs are fewer than the .* over which schedule warms up"),
    (r"train\.learning_rate", "has no effect with an optimizer that has its own learning_rate"),
    (r"study\.(folds|race|range_test)", "of a grid alone, but the sampler is"),
    (r"study\.trials", "a grid trains every combination once per seed"),
    (r"study\.sampler", r"\w+ goes on as long as it is let|gp computes with PyTorch|cmaes adapts numeric ranges"),
    (r"study\.sampler", "the grid has more than 100,000 trials"),
    (r"study\.sampler\.\w+", "cannot be true together with|needs multivariate"),
    (r"study\.seeds", r"\w+ searches with one seed"),
    (r"study\.(confirm\.)?seeds", "each seed counts once"),
    (r"study\.confirm", "a grid has trained every combination|its seeds must be fresh"),
    (r"study\.confirm\.top", r"[\d,]+ finalists of [\d,]+ trials"),
    (r"study\.race", "a race drops choices between seeds"),
    (r"study\.(stop\.target|pruner\.(lower|upper))", "an accuracy is a fraction"),
    (r"study\.metric", "val_loss is not comparable between trials"),
    (
        r"study\.compare",
        "'.*' is not swept|.* is a range; what is compared|.* counts only sometimes|nothing but this is",
    ),
    (r"study\.start", "a grid tries every point anyway"),
    (r"study\.baseline", ".* is a range, so that the baseline must say it"),
    (r"study\.(baseline|start\.\d+)\..*", "'.*' is not swept|does not count beside|must be one of .*, but read"),
    (r"study\.(baseline|start\.\d+)\..*", "unknown value '|expected .*, but read"),
    (r"study\.pruner", "a pruner stops trials between epochs|threshold needs|`lower` must be less than `upper`"),
    (
        r"study\.pruner\.\w+",
        "waits .*: nothing would be pruned|needs a number of epochs as|must be at least min_resource",
    ),
    (
        r"run\.(timeout|memory)|study\.stop\.time",
        r"must be (greater than|at most|at least) [\d,.]+, but read the word|no memory is so large",
    ),
)
"""Where what stands that the schema cannot say, one value being about another; of durations and sizes, being words."""
EXAMPLES = "SWEEP_FILE_EXAMPLES"
QUIETLY: Any = {
    "max_examples": int(os.environ.get(EXAMPLES, "250")),
    "deadline": None,
    "database": None,
    "suppress_health_check": list(HealthCheck),
    "derandomize": EXAMPLES not in os.environ,  # the same files every time, until somebody asks for more
}


def trouble_with(content: bytes) -> ConfigError | None:
    """What was wrong with a file, which takes less than a second; anything but a ConfigError is raised."""
    error = None

    def load() -> None:
        nonlocal error
        try:
            config = loaded(content)
            assert loaded(config.resolved()) == config
        except ConfigError as caught:
            error = caught
            assert str(error)

    assert calls(load) < CALLS_PER_SECOND
    return error


@settings(**QUIETLY)
@given(documents())
@example({"data": {}, "model": {"filters": [3, {"choices": [5]}, {"choices": [68, 4096, 6]}]}})
@example({"data": {}, "model": {}, "train": {"early_stopping": {"low": 1, "high": 9}}, "study": {"sampler": "random"}})
def test_what_the_schema_allows_loads_or_is_refused_by_a_cross_field_rule(data: dict[str, Any]) -> None:
    VALIDATOR.validate(json_of(data))
    error = trouble_with(as_yaml(data).encode())
    for complaint in error.complaints if error else ():
        assert is_cross_field(complaint.path, complaint.message), str(complaint)


def is_cross_field(path: str, message: str) -> bool:
    """Whether a complaint is one that the schema cannot make."""
    return any(re.fullmatch(where, path) and re.match(said, message) for where, said in CROSS_FIELD_RULES)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("train.epochs", "expected a whole number, but read the word 'two'"),
        ("train.loss", "unknown value 'mes'; did you mean 'mse'?"),
        ("train.lr", "unknown key"),
        ("run.workers", "must be at least 0, but read -1"),
        ("model.dropout", "has no effect with an optimizer that has its own learning_rate"),
        ("train.optimizer", "expected lion, but read the word 'nesterov'"),
    ],
)
def test_no_cross_field_rule_allows_what_the_schema_refuses(path: str, message: str) -> None:
    assert not is_cross_field(path, message)


@settings(**QUIETLY)
@given(mutated(TEXTS))
def test_what_is_damaged_is_refused_in_words_and_what_the_schema_refuses_never_loads(content: bytes) -> None:
    error = trouble_with(content)
    if error is None:
        VALIDATOR.validate(json_of(parse(content, "x.yaml").data))


@settings(**QUIETLY)
@given(spoiled())
def test_what_is_spoiled_is_refused_in_words_and_what_the_schema_refuses_never_loads(data: dict[str, Any]) -> None:
    error = trouble_with(as_yaml(data).encode())
    if error is None:
        VALIDATOR.validate(json_of(data))


STORM = """
import pickle, sys
sys.path.insert(0, sys.argv[1])
import test_sweep_file_properties as properties
check = properties.trouble_with
with open(sys.argv[2], "wb") as files:
    def keep(content):
        pickle.dump(content, files)
        return check(content)
    properties.trouble_with = keep
    for name in dir(properties):
        if name.startswith("test_what"):
            getattr(properties, name)()
"""
AFTERMATH = """
import pickle, re, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from loading import loaded
from main.complaints import ConfigError
with open(sys.argv[2], "rb") as files:
    while files.peek(1):
        try:
            loaded(pickle.load(files))
        except ConfigError as error:
            str(error)
assert not {"tensorflow", "keras", "optuna"} & set(sys.modules)
# Not getrusage: what the parent held when it started this process would count.
print(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text()).group(1))
"""
"""Loads the same files without hypothesis, which remembers much of what it has made up."""


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the memory that a process used at most")
def test_ten_thousand_files_stay_below_200_megabytes(tmp_path: Path) -> None:
    for code in (STORM, AFTERMATH):
        done = subprocess.run(
            [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path / "files")],
            env={**os.environ, EXAMPLES: "3400"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
    assert int(done.stdout) < 200_000
