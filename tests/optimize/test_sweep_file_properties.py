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
CROSS_FIELD_RULES = (
    r"nothing is swept: ",
    r"a range test has (no trials|a schedule)|has no effect in a range test|`end` must be above `start`",
    r"is not swept",
    r"is the same as .*; each choice stands once",
    r"`low` must be less than `high`",
    r"a logarithmic range (begins above 0|takes no step)",
    r"whole steps of .* must end at|at most 10,000 steps",
    r"has no default for when its `when` turns it off",
    r"waits for itself|a range; only choices decide|^unknown value|^expected .* but read",
    r"an element of a list is always there",
    r"the sweep '.*' has no verdict",
    r"unknown key of network|unknown key here; it belongs in",
    r"(kernel_size|pool_size|conv_dropout) must be one number or one per convolution|leaky_relu_slope is of activation",
    r"(does|do) not take it|alone, but (loss|the sampler|optimizer)|needs? momentum|are fewer than the .* warms up",
    r"trains every combination once|goes on as long as it is let|searches with one seed",
    r"nothing to confirm|tries every point anyway|takes at least 4 of them|finalists of|must be fresh",
    r"computes with PyTorch|an accuracy is a fraction|adapts numeric ranges",
    r"a grid takes no range without a step|more than 100,000 trials|val_loss is not comparable",
    r"is a range; what is compared|counts only sometimes|the baseline must say it|does not count beside",
    r"must be one of .*, but read",
    r"stops trials between epochs|nothing would be pruned|has no effect with an optimizer",
    r"each seed counts once|cannot be true together|needs multivariate|needs a number of epochs as",
    r"must be at least min_resource",
    r"threshold needs|`lower` must be less than `upper`",
    r"a name does not end in a dot|is a device on Windows|a name is 1 to 64",
    r"must be (greater than|at most|at least) \d+, but read the word",  # durations and sizes
    r"lion|[Nn]esterov",
)
"""What the schema cannot say, one value being about another."""
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
        assert any(re.search(rule, complaint.message) for rule in CROSS_FIELD_RULES), str(complaint)


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
import re, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_sweep_file_properties as properties
for name in dir(properties):
    if name.startswith("test_what"):
        getattr(properties, name)()
assert not {"tensorflow", "keras", "optuna"} & set(sys.modules)
# Not getrusage: what the parent held when it started this process would count.
print(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text()).group(1))
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the memory that a process used at most")
def test_ten_thousand_files_stay_below_200_megabytes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STORM, str(Path(__file__).parent)],
        env={**os.environ, EXAMPLES: "3400"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert int(done.stdout) < 200_000
