"""Result folders as a sweep leaves them, made up in milliseconds: no network is trained."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from main.history import Epoch
from optimize.config import SweepConfig, load_config
from optimize.finished import Finished
from optimize.results import Results
from optimize.statistics import judge_sweep
from optimize.trial import TrialOutcome

START = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
HOSTILE = r"Does <script>alert('1')</script> cost $\frac{1}{2}$ & 读数字 🔢 “best”?"
NOTICE = "mnist could be neither found nor downloaded: trained on digits instead (1,797 images of scikit-learn)."
REASONS = {"failed": "ResourceExhausted: <out of memory> & 'killed'", "pruned": "median pruner"}

Values = Mapping[str, Any]
Accuracy = Callable[[Values, np.random.Generator], float]


@dataclass(frozen=True)
class Fake:
    """What a made-up sweep trains, and how well."""

    name: str
    question: str
    swept: dict[str, Any]
    """Full path -> what the sweep file says there: choices or a range."""
    accuracy: Accuracy
    """The accuracy that a configuration ends near, before its seed's noise."""
    study: dict[str, Any] = field(default_factory=dict)
    epochs: int = 6
    noise: float = 0.0012
    pruned: float = 0.0
    failed: float = 0.0
    """Shares of the trials that are cut short and that fail."""
    notice: str | None = None
    pause_before: int | None = None
    """The trial before which the sweep was stopped for a night."""
    parameters: Callable[[Values], int] = lambda values: 56_714


def make(parent: Path, fake: Fake) -> Results:
    """Write a sweep's folder, as `parent/<name>`, and return it."""
    config = _config(fake)
    results = Results(parent / fake.name)
    results.folder.mkdir(parents=True)
    results.write_sweep(config.resolved())
    results.write_json(results.provenance_file, _provenance(fake))
    results.write_tables(_trials(fake, config), config.space.paths)
    trials = results.trials()
    if (trials["state"] == "complete").any():
        verdict = judge_sweep(trials, config, notice=fake.notice, validation_images=237)
        results.write_json(results.verdict_file, verdict.to_dict())
    return results


def made(parent: Path, name: str, **changes: Any) -> Results:
    """One of `FAKES`, with some of it changed."""
    return make(parent, replace(FAKES[name], **changes))


def _config(fake: Fake) -> SweepConfig:
    content: dict[str, Any] = {
        "name": fake.name,
        "question": fake.question,
        "data": {"source": "digits"},
        "model": {"network": "cnn"},
        "train": {"epochs": fake.epochs},
        "study": fake.study,
    }
    for path, what in fake.swept.items():
        section, name = path.split(".", 1)
        content[section][name] = what
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sweep.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
        return load_config(path)


def _trials(fake: Fake, config: SweepConfig) -> list[Finished]:
    rng = np.random.default_rng(7)
    free = [START, START]
    luck: dict[int, float] = {}
    found: list[Finished] = []
    for values, seed, purpose in _order(config, rng, lambda: found, fake):
        trial = len(found)
        worker = int(np.argmin(free))
        if trial == fake.pause_before:
            free = [max(free) + timedelta(hours=14)] * 2
        stopped = [fake.failed, fake.pruned] if purpose == "search" else [0.0, 0.0]
        state = str(rng.choice(["failed", "pruned", "complete"], p=[*stopped, 1 - sum(stopped)]))
        final = fake.accuracy(values, rng) + luck.setdefault(seed, rng.normal(0, fake.noise / 2))
        epochs = values.get("train.epochs", fake.epochs)
        history = _history(min(final + rng.normal(0, fake.noise), 0.9995), epochs, rng, state)
        seconds = sum(epoch.seconds for epoch in history) + 1.2
        started = free[worker]
        free[worker] = started + timedelta(seconds=seconds + 0.4)
        best = max(history, key=lambda epoch: epoch.val_accuracy, default=None)
        outcome = TrialOutcome(
            trial=trial,
            state=state,  # type: ignore[arg-type]
            history=history,
            best_epoch=best.epoch if best else None,
            parameters=fake.parameters(values),
            seconds=seconds,
            started=started.isoformat(timespec="milliseconds"),
            ended=(started + timedelta(seconds=seconds)).isoformat(timespec="milliseconds"),
            worker=worker,
            attempt=3 if state == "failed" else 2 if trial == 4 else 1,
            reason=REASONS.get(state, ""),
        )
        found.append(Finished(dict(values), config.space.configuration_label(values), seed, purpose, outcome))
    return found


def _order(
    config: SweepConfig, rng: np.random.Generator, found: Callable[[], list[Finished]], fake: Fake
) -> Iterator[tuple[Values, int, Any]]:
    """Every cell once per seed; or as many draws as there are trials, and then the finalists again."""
    if config.study.sampler.name == "grid":
        for seed in config.study.seeds:
            for cell in config.space.cells():
                yield cell, seed, "search"
        return
    for trial in range(config.study.trials or 20):
        drawn = _draw(fake.swept, trial / (config.study.trials or 20), rng)
        yield config.space.complete(drawn), 0, "search"  # without what `when` switches off
    if config.study.confirm is None:
        return
    complete = [finished for finished in found() if finished.outcome.state == "complete"]
    complete.sort(key=lambda finished: max(e.val_accuracy for e in finished.outcome.history), reverse=True)
    for seed in config.study.confirm.seeds:
        for finalist in complete[: config.study.confirm.top]:
            yield finalist.values, seed, "confirm"


def _draw(swept: Mapping[str, Any], progress: float, rng: np.random.Generator) -> Values:
    """Values as a search draws them: anywhere at first, closer to the middle of a range later."""
    values: dict[str, Any] = {}
    for path, what in swept.items():
        if "choices" in what:
            values[path] = what["choices"][int(rng.integers(len(what["choices"])))]
            continue
        place = 0.5 + (rng.uniform() - 0.5) * (1 - 0.7 * progress)
        low, high = (math.log10(end) if what.get("log") else end for end in (what["low"], what["high"]))
        value = low + (high - low) * place
        values[path] = float(10**value if what.get("log") else value)
    return values


def _history(final: float, whole: int, rng: np.random.Generator, state: str) -> tuple[Epoch, ...]:
    """Errors that fall toward the final one; cut short where the trial was pruned or failed."""
    cut = {"failed": rng.integers(0, 2), "pruned": rng.integers(1, max(2, whole - 2))}
    epochs = []
    for epoch in range(1, int(cut.get(state, whole)) + 1):
        error = (1 - final) * (1 + 2.2 * math.exp(-0.85 * (epoch - 1))) * rng.lognormal(0, 0.03)
        error = min(error, 0.9)
        epochs.append(
            Epoch(
                epoch=epoch,
                loss=3.9 * error * (1 + 0.4 / epoch),
                accuracy=1 - min(error * 1.3, 0.9),
                val_loss=3.3 * error,
                val_accuracy=1 - error,
                val_crossentropy=3.3 * error,
                learning_rate=0.001,
                seconds=float(rng.uniform(3.4, 4.4)),
            )
        )
    return tuple(epochs)


def _provenance(fake: Fake) -> dict[str, Any]:
    return {
        "data": {
            "source": "digits",
            "checksum": "9f2c" * 16,
            "notice": fake.notice,
            "train": 1200,
            "validation": 237,
            "n_classes": 10,
            "input_shape": [28, 28, 1],
        },
        "config_hash": "b71e" * 16,
        "versions": {"python": "3.13.1", "keras": "3.15.1", "tensorflow": "2.21.0", "optuna": "5.0.0"},
        "git_commit": "0123456789abcdef0123456789abcdef01234567",
        "processor": "AMD EPYC 9R14",
        "cores": 2,
        "workers": 2,
        "threads": 1,
        "precision": "float32",
        "platform": "Linux-6.1-x86_64",
        "started": START.isoformat(),
        "ended": (START + timedelta(minutes=9)).isoformat(),
    }


# What the sweeps sweep

POOLING = {"max": 0.9892, "average": 0.9868, "stride": 0.9849, "blur": 0.9897}
RATES = {1e-5: 0.611, 1e-4: 0.951, 3e-4: 0.975, 1e-3: 0.9893, 3e-3: 0.9881, 1e-2: 0.942}
JOINT = {
    "model.pooling": {"choices": ["max", "average", "stride"]},
    "train.loss": {"choices": ["crossentropy", "focal", "mse"]},
    "model.activation": {"choices": ["relu", "gelu", "tanh"]},
    "train.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
    "model.kernel_size": {"choices": [3, 5, 7]},
}


def _joint_accuracy(values: Values, rng: np.random.Generator) -> float:
    off = math.log10(values["train.learning_rate"]) + 2.6
    error = 0.011 + 0.02 * off**2 * (1.6 if values["model.kernel_size"] == 7 else 1.0)
    error += {"max": 0.0, "average": 0.004, "stride": 0.007}[values["model.pooling"]]
    error += {"crossentropy": 0.0, "focal": 0.002, "mse": 0.006}[values["train.loss"]]
    return 1 - min(error * rng.lognormal(0, 0.12), 0.89)


def _cube_accuracy(values: Values, _: np.random.Generator) -> float:
    accuracy = 0.986 + (0.003 if values["model.pooling"] == "max" else 0.0)
    if values["train.learning_rate"] == 1e-2:
        accuracy -= 0.012 if values["model.dropout"] == 0.5 else 0.004
    return accuracy


def _filters_accuracy(values: Values, _: np.random.Generator) -> float:
    return 0.97 + 0.004 * len(values["model.filters"])


FAKES = {
    fake.name: fake
    for fake in (
        Fake(
            "pooling",
            "Which pooling reads digits best?",
            {"model.pooling": {"choices": list(POOLING)}},
            lambda values, _: POOLING[values["model.pooling"]],
            study={"seeds": 5},
            notice=NOTICE,
        ),
        Fake(
            "learning_rate",
            "Which learning rate trains best?",
            {"train.learning_rate": {"choices": list(RATES)}},
            lambda values, _: RATES[values["train.learning_rate"]],
            study={"seeds": 3},
        ),
        Fake(
            "joint",
            "Which network and training read digits best, all five chosen at once?",
            JOINT,
            _joint_accuracy,
            study={"sampler": "tpe", "trials": 100, "pruner": "median", "confirm": {"top": 3, "seeds": 5}},
            epochs=9,
            pruned=0.45,
            failed=0.03,
            pause_before=70,
            parameters=lambda values: 18_000 + 1_100 * int(values["model.kernel_size"]) ** 2,
        ),
        Fake(
            "cube",
            "Do pooling, dropout and learning rate depend on each other?",
            {
                "model.pooling": {"choices": ["max", "average"]},
                "model.dropout": {"choices": [0.0, 0.5]},
                "train.learning_rate": {"choices": [1e-3, 1e-2]},
            },
            _cube_accuracy,
            study={"seeds": 3},
            parameters=lambda values: 56_714 if values["model.pooling"] == "max" else 61_002,
        ),
        Fake(
            "hostile",
            HOSTILE,
            {"model.filters": {"choices": [[32], [32, 64], [8, 16, 32, 64]]}},
            _filters_accuracy,
            study={"seeds": 3},
            failed=0.2,
            notice=NOTICE,
        ),
    )
}
