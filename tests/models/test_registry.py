"""Networks by name: the built-in ones and those that other packages register."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint

import pytest

import models
from models import CnnSpec, MlpSpec, NetworkSpec, SoftmaxSpec

Register = Callable[..., None]


class Registered(SoftmaxSpec):
    """What another package might register."""


NOT_A_NETWORK = "a string"


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Iterator[Register]:
    def register(**values: str) -> None:
        points = [EntryPoint(name, value, models.ENTRY_POINTS) for name, value in values.items()]
        monkeypatch.setattr(models, "entry_points", lambda group: points if group == models.ENTRY_POINTS else [])
        models._networks.cache_clear()

    yield register
    models._networks.cache_clear()


def test_the_built_in_networks_are_there(register: Register) -> None:
    register()
    assert models.networks() == {"cnn": CnnSpec, "mlp": MlpSpec, "softmax": SoftmaxSpec}


def test_names_are_those_of_the_sections(register: Register) -> None:
    register()
    assert all(spec().network == name for name, spec in models.networks().items())


def test_a_registered_network_is_found_by_its_name(register: Register) -> None:
    register(theirs=f"{__name__}:Registered")
    assert models.networks()["theirs"] is Registered


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("theirs", "no_such_package:Spec", "it raised ModuleNotFoundError"),
        ("theirs", f"{__name__}:NoSuchSpec", "it raised AttributeError"),
        ("theirs", f"{__name__}:NOT_A_NETWORK", "it is no NetworkSpec"),
        ("cnn", f"{__name__}:Registered", "its name is taken"),
    ],
)
def test_a_broken_registration_is_left_out_aloud(register: Register, name: str, value: str, why: str) -> None:
    register(**{name: value})
    with pytest.warns(UserWarning, match=f"network '{name}' .* is left out: {why}"):
        found = models.networks()
    assert found == {"cnn": CnnSpec, "mlp": MlpSpec, "softmax": SoftmaxSpec}


def test_changing_the_answer_does_not_change_the_next_one(register: Register) -> None:
    register()
    models.networks().clear()
    assert "cnn" in models.networks()


def test_a_network_must_say_its_sizes() -> None:
    with pytest.raises(TypeError, match="layers"):
        NetworkSpec(network="theirs")  # type: ignore[abstract]
