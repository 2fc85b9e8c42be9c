"""A sweep's best trials joined into one model, chosen greedily on the validation images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from main.card import OF_THIS_FILE, EnsembleCard
from main.data import TrainingData, fallback, load_training
from main.history import DIRECTIONS
from main.modelfile import write_model_file
from main.provenance import describe_data, now, versions
from main.wording import accuracy_of
from optimize.config import SweepConfig, stored_sweep
from optimize.export import Candidates, Exported, NothingToExport, built_anew, scored
from optimize.finished import Finished
from optimize.results import Results
from optimize.trial import refuse_other_data

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_MEMBERS = 8
SHARPEST = 100.0
"""Logits of standard deviation 1 are scaled by at most so much, and at least its inverse, to suit the labels best."""
CHOSEN_ON = "val_crossentropy at the best temperature, on which its members were chosen"


@dataclass(frozen=True)
class Joined:
    """An ensemble's model file, and what is in it."""

    exported: Exported
    parameters: int
    members: tuple[int, ...]
    crossentropies: tuple[float, ...]
    """Both as in `Chosen`, of the candidates."""


@dataclass(frozen=True)
class Ensemble:
    """A sweep's ensemble as it was written."""

    model_file: Path
    card: EnsembleCard

    @property
    def sentence(self) -> str:
        """What is in it, and what it scores."""
        trials = ", ".join(str(member["trial"]) for member in self.card["members"])
        return f"trials {trials}: test accuracy {accuracy_of(self.card['test'])}"


def export_ensemble(results: Results) -> Ensemble:
    """Join a sweep's best trials into one model file, SWEEP/ensemble/cnn.h5, with a card.

    Of the trials that have kept their weights, the best `Candidates.TRIALS` by the sweep's metric are considered.
    Members are chosen one by one (Caruana et al. 2004, "Ensemble selection from libraries of models", without
    replacement): first the trial whose crossentropy of the validation images is lowest, then whichever lowers it most;
    as many as are as good as the best, each mean at the temperature that suits it, see `choose_members`. The test
    images are scored once, at the end.

    Raises:
        main.data.DataError: the data is missing or damaged.
        optimize.trial.DataMismatch: the data is not that of the sweep.
        NothingToExport: fewer than two trials have kept their weights, or every other makes the best one worse; or the
            trials validated on different images.
    """
    config = stored_sweep(results)
    if config.study.folds is not None:
        raise NothingToExport(f"{results.folder}: trials of different folds share no validation images to choose on")
    candidates = _candidates(results, config.study.metric)
    if len(candidates) < 2:
        raise NothingToExport(f"{results.folder}: an ensemble needs the weights of two trials, {len(candidates)} kept")
    data = load_training(config.base.data)
    refuse_other_data(data, results.provenance()["data"]["checksum"])
    if data.notice:
        config = config.with_data(fallback(config.base.data))
    with results.lock():
        joined = _join(config, results, candidates, data)
        members = [candidates[place] for place in joined.members]
        card = _card(config, data, members, joined)
        write_model_file(results.ensemble_folder, joined.exported.h5, card)
    return Ensemble(results.ensemble_folder / results.model_file.name, card)


def _candidates(results: Results, metric: str) -> list[Finished]:
    """The best complete trials that have kept their weights, best first."""
    trials = results.trials()
    complete = trials[trials["state"] == "complete"].sort_values(
        [metric, "trial"], ascending=[DIRECTIONS[metric] == "minimize", True]
    )
    kept = (int(trial) for trial in complete["trial"] if results.has_weights(int(trial)))
    found = (results.finished(trial) for trial in kept)
    return list(islice((finished for finished in found if finished is not None), Candidates.TRIALS))


def _join(config: SweepConfig, results: Results, candidates: Sequence[Finished], data: TrainingData) -> Joined:
    """Choose among the candidates, and make one model file of those chosen; one network is held at a time till then."""
    from main.backend import dtype_policy, quiet_import

    quiet_import()
    import keras
    import numpy as np

    from main.evaluate import outputs_of
    from models.ensemble import average

    def network(finished: Finished) -> keras.Model:
        trial = finished.outcome.trial
        called = str(results.weights_file(trial))
        return built_anew(config.concrete(finished.values), data, results.weights(trial) or b"", called=called)

    def logits(finished: Finished) -> NDArray[np.float32]:
        keras.utils.clear_session(free_memory=False)
        whole = network(finished)
        return outputs_of(keras.Model(whole.inputs[0], whole.get_layer("logits").output), data.validation.images)

    chosen = choose_members(np.stack([logits(finished) for finished in candidates]), data.validation.labels)
    if len(chosen.members) < 2:
        best = candidates[chosen.members[0]].outcome.trial
        raise NothingToExport(
            f"{results.folder}: trial {best} is better alone than with any other: no ensemble is made"
        )
    keras.utils.clear_session(free_memory=False)
    with dtype_policy("float32"):
        ensemble = average([network(candidates[place]) for place in chosen.members], chosen.scales)
    return Joined(scored(ensemble, config.base, data), ensemble.count_params(), chosen.members, chosen.crossentropies)


class Chosen(NamedTuple):
    """Which networks are better together than any of them alone."""

    members: tuple[int, ...]
    """Their places, in the order in which they were chosen."""
    crossentropies: tuple[float, ...]
    """Of the validation images at the best temperature, in nats per image, with the first member, the first two, and
    so on."""
    scales: tuple[float, ...]
    """By what each one's logits are multiplied before their mean is taken."""


class Tempered(NamedTuple):
    """Logits at the temperature that suits labels best."""

    scale: float
    """The inverse of that temperature."""
    losses: NDArray[np.floating[Any]]
    """Crossentropy of each image, (images,), in nats."""

    @property
    def crossentropy(self) -> float:
        """In nats per image."""
        return float(self.losses.mean())


def choose_members(logits: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> Chosen:
    """Choose networks, at most eight, whose mean of logits has a low crossentropy, by a greedy search.

    Whichever lowers it most is added, or raises it least. Of all these ensembles the largest is taken whose
    crossentropy is within one standard error of the lowest (Breiman et al. 1984, "Classification and Regression
    Trees"): what a search finds lowest on a few thousand images is so by chance in part, and averaging is what helps on
    others.

    Networks and means are taken each at the temperature that suits it best (Guo et al. 2017, arXiv 1706.04599). One
    trained on smoothed labels is less sure than it could be, and a mean of two less than either, which says nothing of
    what they confuse; and of two networks as they are, the one with the larger logits would decide alone.

    Args:
        logits: Of each network, for each image: (networks, images, classes).
        labels: The images' true classes, (images,).
    """
    import numpy as np

    own = [temper(network, labels).scale for network in logits]
    scaled = np.stack([scale * network.astype(float) for scale, network in zip(own, logits, strict=True)])

    def together(places: list[int]) -> Tempered:
        return temper(scaled[places].mean(axis=0), labels)

    chosen: list[int] = []
    reached: list[Tempered] = []
    while len(chosen) < min(MOST_MEMBERS, len(logits)):
        with_each = {place: together([*chosen, place]) for place in range(len(logits)) if place not in chosen}
        best = min(with_each, key=lambda place: with_each[place].crossentropy)
        chosen.append(best)
        reached.append(with_each[best])
    count = _most_as_good(reached)
    chosen, reached = chosen[:count], reached[:count]
    scales = tuple(reached[-1].scale * own[place] for place in chosen)
    return Chosen(tuple(chosen), tuple(tempered.crossentropy for tempered in reached), scales)


def _most_as_good(reached: Sequence[Tempered]) -> int:
    """How many members the largest ensemble has that is within one standard error of the best, image by image."""
    lowest = min(reached, key=lambda tempered: tempered.crossentropy)
    excess = [tempered.losses - lowest.losses for tempered in reached]
    return max(count for count, more in enumerate(excess, 1) if more.mean() <= more.std() / len(more) ** 0.5)


def temper(logits: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> Tempered:
    """By what logits (images, classes) are to be multiplied, all alike, for the lowest crossentropy.

    It is convex in the scale. Of n labels each counts 1 / (n + 2) for every class alike (after Platt 1999), so that the
    scale stays finite, and the crossentropy tells networks apart, where none makes a mistake.
    """
    import numpy as np
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    deviation = float(logits.std()) or 1.0
    unit = logits / deviation
    doubt = 1 / (len(labels) + 2)
    expected = (1 - doubt) * unit[np.arange(len(labels)), labels] + doubt * unit.mean(axis=1)

    def losses(log_scale: float) -> NDArray[np.floating[Any]]:
        scale = np.exp(log_scale)
        of_each: NDArray[np.floating[Any]] = logsumexp(scale * unit, axis=1) - scale * expected
        return of_each

    most = float(np.log(SHARPEST))
    found = minimize_scalar(
        lambda log_scale: losses(log_scale).mean(), bounds=(-most, most), method="bounded", options={"xatol": 1e-6}
    )
    return Tempered(float(np.exp(found.x)) / deviation, losses(found.x))


def _card(config: SweepConfig, data: TrainingData, members: Sequence[Finished], joined: Joined) -> EnsembleCard:
    """What cnn.json says of an ensemble."""
    return {
        "name": f"{config.name} ensemble",
        "question": config.question,
        "configuration": f"mean of the logits of {len(members)} trials",
        "config": {"data": config.base.data.model_dump(mode="json")},
        "data": describe_data(data),
        "members": [_member(config, finished) for finished in members],
        "parameters": joined.parameters,
        "metrics": {
            OF_THIS_FILE: {"value": joined.exported.val_accuracy},
            CHOSEN_ON: {"value": joined.crossentropies[-1]},
        },
        "test": joined.exported.test,
        "verdict": None,
        "decided": None,
        "versions": versions(),
        "created": now(),
    }


def _member(config: SweepConfig, finished: Finished) -> dict[str, Any]:
    best = finished.outcome.best()
    assert best is not None  # complete trials have one
    return {
        "trial": finished.outcome.trial,
        "seed": finished.seed,
        "epoch": finished.outcome.best_epoch,
        "configuration": finished.configuration,
        "values": finished.values,
        config.study.metric: getattr(best, config.study.metric),
    }
