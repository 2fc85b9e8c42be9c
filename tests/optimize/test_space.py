import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimize.space import Choices, Range, SearchSpace, Value, label, short_names

optuna.logging.set_verbosity(optuna.logging.WARNING)
SPACE = SearchSpace(
    (
        Choices("model.activation", ("relu", "leaky_relu")),
        Choices("model.filters", ((32,), (32, 64))),
        Range("model.leaky_relu_slope", 0.1, 0.3, step=0.1, when={"model.activation": ("leaky_relu",)}),
        Choices("train.optimizer", ("adam", {"name": "sgd", "momentum": 0.9}, None, True)),
    )
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("max", "max"), (0.001, "0.001"), ((32, 64), "[32, 64]"), ({"name": "sgd"}, "{name: sgd}"), (None, "null")],
)
def test_a_label_is_what_could_stand_in_the_file(value: Value, expected: str) -> None:
    assert label(value) == expected


def test_cells_are_the_grid_with_what_is_off_left_out() -> None:
    cells = list(SPACE.cells())
    assert len(cells) == 2 * 4 * (1 + 3)
    assert cells[0] == {"model.activation": "relu", "model.filters": (32,), "train.optimizer": "adam"}
    assert cells[1]["train.optimizer"] == {"name": "sgd", "momentum": 0.9}  # later parameters change fastest
    assert [c["model.leaky_relu_slope"] for c in cells if "model.leaky_relu_slope" in c][::4] == [0.1, 0.2, 0.3] * 2
    assert len({SPACE.configuration_label(cell) for cell in cells}) == len(cells)


def test_cells_come_one_at_a_time() -> None:
    endless = SearchSpace(tuple(Choices(f"model.p{n}", tuple(range(100))) for n in range(20)))
    assert next(endless.cells())["model.p19"] == 0


def test_a_range_without_a_step_has_no_grid() -> None:
    with pytest.raises(ValueError, match="without a step"):
        list(SearchSpace((Range("model.dropout", 0.0, 0.5),)).cells())


@given(st.integers(-50, 50), st.integers(1, 40), st.sampled_from([0.1, 0.05, 0.3, 1e-3, 2.5]))
def test_steps_are_exact_decimals(first: int, count: int, step: float) -> None:
    low, high = round(first * step, 10), round((first + count) * step, 10)
    grid = Range("x", low, high, step=step).grid()
    assert grid == tuple(round((first + n) * step, 10) for n in range(count + 1))


def test_steps_of_whole_numbers_are_whole_numbers() -> None:
    grid = Range("x", 16, 48, step=16, integer=True).grid()
    assert grid == (16, 32, 48)
    assert all(type(value) is int for value in grid)


@pytest.mark.parametrize(
    ("value", "inside"),
    [(0.1, True), (0.2, True), (0.15, False), (0.4, False), ("x", False), (True, False), (1, False)],
)
def test_what_lies_in_a_stepped_range(value: object, inside: bool) -> None:
    assert (value in Range("x", 0.1, 0.3, step=0.1)) is inside


@pytest.mark.parametrize(
    ("choices", "value", "inside"), [((1, 2), True, False), ((True, False), 1, False), ((1, 2), 1.0, True)]
)
def test_a_boolean_is_no_number_among_choices(choices: tuple[Value, ...], value: object, inside: bool) -> None:
    assert (value in Choices("x", choices)) is inside


def test_complete_takes_the_first_of_what_is_not_said() -> None:
    assert SPACE.complete({"model.activation": "leaky_relu", "model.filters": (32, 64)}) == {
        "model.activation": "leaky_relu",
        "model.filters": (32, 64),
        "model.leaky_relu_slope": 0.1,
        "train.optimizer": "adam",
    }


def test_values_survive_optuna_whatever_they_are() -> None:
    for cell in SPACE.cells():
        stored = SPACE.to_optuna(cell)
        distributions = SPACE.distributions()
        for path, value in stored.items():
            assert distributions[path]._contains(distributions[path].to_internal_repr(value))
        assert SPACE.from_optuna(stored) == cell


def test_what_a_study_suggests_lies_in_the_space_and_is_stored_as_labels() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = set()
    for _ in range(60):
        trial = study.ask()
        values = SPACE.suggest(trial)
        seen.add(SPACE.configuration_label(values))
        assert all(value in SPACE[path] for path, value in values.items())
        assert ("model.leaky_relu_slope" in values) == (values["model.activation"] == "leaky_relu")
        assert SPACE.from_optuna(study.trials[-1].params) == values
    assert len(seen) > 20


def test_optunas_own_rounding_of_steps_never_shows() -> None:
    space = SearchSpace((Range("train.x", 0.1, 0.9, step=0.1),))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    assert {label(space.suggest(study.ask())["train.x"]) for _ in range(100)} == {f"0.{n}" for n in range(1, 10)}


def test_names_are_as_short_as_tells_them_apart() -> None:
    paths = ("model.pooling", "train.learning_rate", "train.optimizer.learning_rate")
    assert short_names(paths) == {
        "model.pooling": "pooling",
        "train.learning_rate": "train.learning_rate",
        "train.optimizer.learning_rate": "optimizer.learning_rate",
    }


def test_an_element_of_a_list_is_named_with_the_list() -> None:
    assert short_names(["model.filters.1"]) == {"model.filters.1": "filters.1"}
    assert short_names(["model.filters.0", "model.pool_size.0", "train.epochs"]) == {
        "model.filters.0": "filters.0", "model.pool_size.0": "pool_size.0", "train.epochs": "epochs",
    }  # fmt: skip


def test_a_configuration_of_one_parameter_is_its_value_of_several_names_them() -> None:
    assert SearchSpace((Choices("model.pooling", ("max",)),)).configuration_label({"model.pooling": "max"}) == "max"
    assert SPACE.configuration_label({"model.filters": (32,), "model.activation": "relu"}) == (
        "activation=relu filters=[32]"
    )
