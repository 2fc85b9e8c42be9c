"""A model's card, cnn.json, as text that a person reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from main.card import section_of
from main.luck import luck
from main.wording import accuracy_of, counted, figure_of, printable

LABEL_WIDTH = len("val_crossentropy")
"""Columns; that is the longest of the labels."""


def card_lines(card: Mapping[str, Any]) -> list[str]:
    """The card in lines: what is known of the model, in the order in which one asks.

    A card is a file that anybody may have written: what is missing is left out, nothing of it is computed
    with, and nothing of it reaches a terminal that the terminal would obey.
    """
    return [line for part in (_result, _data, _configuration, _origin) for line in part(card)]


def _result(card: Mapping[str, Any]) -> Iterator[str]:
    yield from _line("model", card.get("name"))
    yield from _line("question", card.get("question"))
    yield from _line("configuration", card.get("configuration"))
    test = section_of(card, "test")
    if "accuracy" in test:
        yield from _line("test accuracy", _accuracy(test))
        yield from _line("", test.get("note"))
    if crossentropy := figure_of("crossentropy", test.get("crossentropy")):
        yield from _line("crossentropy", f"{crossentropy} of the test set, in nats per image")
    for name, metric in section_of(card, "metrics").items():
        if isinstance(metric, Mapping):
            label, _, meaning = name.partition(" ")  # as in `val_accuracy of this file`
            yield from _line(label, _metric(label, metric, meaning))
    for said in luck(card):
        yield from _line("mind", said)
    yield from _line("verdict", card.get("verdict"))


def _data(card: Mapping[str, Any]) -> Iterator[str]:
    data = section_of(card, "data")
    sizes = [f"{data[part]:,} to {verb}" for part, verb in _PARTS.items() if isinstance(data.get(part), int)]
    yield from _line("data", ", ".join([str(data.get("source", "")), *sizes]) if data else None)
    yield from _line("", data.get("notice"))
    checksum = data.get("checksum")
    yield from _line("", f"checksum {checksum}" if checksum else None)


_PARTS = {"train": "train on", "validation": "validate on"}


def _configuration(card: Mapping[str, Any]) -> Iterator[str]:
    for name in ("model", "train"):
        section = section_of(section_of(card, "config"), name)
        settings = [f"{key} {_flow(value)}" for key, value in section.items() if value is not None]
        yield from _line("network" if name == "model" else "training", ", ".join(settings) or None)


def _origin(card: Mapping[str, Any]) -> Iterator[str]:
    parameters = card.get("parameters")
    yield from _line("parameters", f"{parameters:,}" if isinstance(parameters, int) else None)
    told = [f"{key} {card[key]}" for key in ("trial", "seed", "fold", "epoch") if card.get(key) is not None]
    yield from _line("training run", ", ".join(told) or None)
    yield from _line("trained on", _machine(section_of(card, "trained_on")))
    yield from _line("members", _members(card.get("members")))
    yield from _line("versions", ", ".join(f"{name} {v}" for name, v in section_of(card, "versions").items()) or None)
    yield from _line("created", card.get("created"))
    yield from _line("sha256", card.get("sha256"))


def _machine(machine: Mapping[str, Any]) -> str:
    """The processor, threads and precision of a training."""
    told = [str(machine[key]) for key in ("processor", "precision") if machine.get(key)]
    threads = machine.get("threads")
    return ", ".join([*told, counted(threads, "thread")] if isinstance(threads, int) else told)


def _members(members: Any) -> str:
    """The trials that an ensemble was made of."""
    known = [member for member in members if isinstance(member, Mapping)] if isinstance(members, list) else []
    return "; ".join(f"trial {member.get('trial')} ({member.get('configuration')})" for member in known)


def _line(label: str, value: Any) -> Iterator[str]:
    if value not in (None, ""):
        yield printable(f"{label:<{LABEL_WIDTH}} {value}", kept="")


def _accuracy(test: Mapping[str, Any]) -> str:
    try:
        return accuracy_of(test)
    except (KeyError, TypeError, ValueError, OverflowError):
        return str(test["accuracy"])


def _metric(name: str, metric: Mapping[str, Any], meaning: str) -> str:
    figures = {key: figure_of(name, metric.get(key)) for key in ("value", "mean", "low", "high")}
    n, has_mean = metric.get("n"), bool(figures["mean"])
    meaning = meaning or ("in training" if has_mean else "")
    words = [f"{figures['value']} {meaning}".strip() if figures["value"] else ""]
    if has_mean:
        of = f" of {counted(n, 'training')} of this configuration" if isinstance(n, int) else ""
        words.append(f"{figures['mean']} is the mean{of}")
    if figures["low"] and figures["high"]:
        words.append(f"95 % {figures['low'].removesuffix(' %')} to {figures['high'].removesuffix(' %')}")
    if n is not None and not has_mean:
        words.append(f"n = {n}")
    return ", ".join(word for word in words if word)


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        kept = ", ".join(f"{key}: {_flow(item)}" for key, item in value.items() if item is not None)
        return f"{{{kept}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
