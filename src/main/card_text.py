"""A model's card, cnn.json, as text that a person reads."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from main.card import section_of
from main.history import DIRECTIONS
from main.wording import accuracy_of, counted, percent, printable

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
    if crossentropy := _figure("crossentropy", test.get("crossentropy")):
        yield from _line("crossentropy", f"{crossentropy} of the test set, in nats per image")
    for name, metric in section_of(card, "metrics").items():
        if isinstance(metric, Mapping):
            label, _, meaning = name.partition(" ")  # as in `val_accuracy of this file`
            yield from _line(label, _metric(label, metric, meaning))
    for said in luck(card):
        yield from _line("mind", said)
    yield from _line("verdict", card.get("verdict"))


def luck(card: Mapping[str, Any] | None) -> tuple[str, ...]:
    """A sentence where a file is far better or worse than its configuration's trainings usually are; else none.

    Far is outside the 95 % prediction interval of one training more.
    """
    metrics = section_of(card, "metrics")
    name = next((name for name in DIRECTIONS if "mean" in section_of(metrics, name)), "")
    judged, of_file = section_of(metrics, name), section_of(metrics, f"{name} of this file")
    value, mean, n = map(_number, ((of_file or judged).get("value"), judged.get("mean"), judged.get("n")))
    reach = _reach(card or {}, judged)
    if value is None or mean is None or n is None or reach is None:
        return ()
    if abs(value - mean) <= reach or math.isclose(value, mean, rel_tol=1e-9):  # equal ones differ in their last bits
        return ()
    is_above = value > mean
    is_lucky = is_above == (DIRECTIONS[name] == "maximize")
    highest = 1.0 if "accuracy" in name else math.inf
    ends = [_figure(name, end).removesuffix(" %") for end in (max(mean - reach, 0.0), min(mean + reach, highest))]
    what = "file" if of_file else "training"
    return (
        f"The exported {what}'s {name}, {_figure(name, value)}, is far {'above' if is_above else 'below'} where one "
        f"training of its configuration ends, going by the {n:.0f} that were judged ({' to '.join(ends)}): "
        + ("it was lucky, and the test accuracy tells more." if is_lucky else "it was unlucky, and others do better."),
    )


def _reach(card: Mapping[str, Any], judged: Mapping[str, Any]) -> float | None:
    """How far from the mean the 95 % prediction interval of one training more reaches; None where nothing tells.

    The mean's own interval, of variance v (1 / n + overlap), is widened to v (1 / n + 1). Its end that lies farther
    from the mean is taken: the other one may have been cut off where the metric ends.
    """
    mean, low, high, n = (_number(judged.get(key)) for key in ("mean", "low", "high", "n"))
    folds = _number(card.get("folds"))
    is_told = folds is None if card.get("fold") is None else folds is not None and folds > 1
    if mean is None or low is None or high is None or n is None or n < 2 or not is_told:
        return None
    overlap = 0.0 if folds is None else 1 / (folds - 1)
    return max(high - mean, mean - low) * math.sqrt((1 / n + 1) / (1 / n + overlap))


def _number(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
    except OverflowError:  # a whole number that no float holds
        return None


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
    figures = {key: _figure(name, metric.get(key)) for key in ("value", "mean", "low", "high")}
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


def _figure(name: str, value: Any) -> str:
    if not isinstance(value, int | float):
        return ""
    try:
        return percent(value) if "accuracy" in name else f"{value:.6g}"
    except OverflowError:  # a whole number that no float holds
        return ""


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        kept = ", ".join(f"{key}: {_flow(item)}" for key, item in value.items() if item is not None)
        return f"{{{kept}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
