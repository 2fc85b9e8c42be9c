"""What a report says, ready to be written: every number as text, every table as rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from main.data import sizes_in_trial
from main.luck import luck
from main.wording import accuracy_of
from optimize import wording
from optimize.charts.evidence import Evidence, read_evidence
from optimize.charts.making import Drawing, draw_for_page
from optimize.charts.numbers.progress import epochs_saved
from optimize.report.tables import STATES, Table, TrialTable, evidence_tables, trial_tables

if TYPE_CHECKING:
    from main.card import SweepCard
    from optimize.results import Results

LEADING = ("choices", "slice", "history")
"""The chart that shows the verdict: the first of these that the sweep has."""
EVIDENCE = ("differences", "learning_curves")


@dataclass(frozen=True)
class Content:
    """Everything that the page shows, top to bottom."""

    name: str
    question: str
    notice: str | None
    sentence: str
    decided: bool
    legend: str
    """What the parts of a choice's name are, where several parameters were swept."""
    facts: tuple[tuple[str, str], ...]
    leading: Drawing | None
    conditions: tuple[str, ...]
    warnings: tuple[str, ...]
    tables: tuple[Table, ...]
    evidence: tuple[Drawing, ...]
    charts: tuple[Drawing, ...]
    skipped: tuple[tuple[str, str], ...]
    model: tuple[tuple[str, str], ...]
    settings: str
    provenance: tuple[tuple[str, str], ...]
    trials: tuple[TrialTable, ...]


def read_content(results: Results, evidence: Evidence | None = None) -> Content:
    """A sweep's report from its folder, of whose tables `evidence` may have been read already.

    Raises:
        optimize.tables.MissingFile, optimize.tables.DamagedFile: a file is not there, or holds something else.
        OSError: a table cannot be read.
    """
    evidence = evidence or read_evidence(results)
    verdict = evidence.verdict
    drawings, skipped = draw_for_page(evidence)
    leading = next((drawings[name] for name in LEADING if name in drawings), None)
    proofs = [drawings[name] for name in EVIDENCE if name in drawings and drawings[name] is not leading]
    card = results.card()
    return Content(
        name=evidence.name,
        question=evidence.question,
        notice=evidence.notice,
        sentence=_sentence(evidence),
        decided=bool(verdict and verdict.decided),
        legend=evidence.compared if len(evidence.parameters) > 1 else "",
        facts=_facts(evidence, card),
        leading=leading,
        conditions=tuple(c for c in verdict.conditions if c != evidence.notice) if verdict else (),
        warnings=(*map(evidence.shortened, verdict.every_warning if verdict else ()), *luck(card)),
        tables=evidence_tables(evidence),
        evidence=tuple(proofs),
        charts=tuple(d for d in drawings.values() if d is not leading and d not in proofs),
        skipped=tuple(skipped.items()),
        model=_model(card),
        settings=results.sweep_file.read_text(encoding="utf-8"),
        provenance=tuple(_flat(evidence.provenance)),
        trials=trial_tables(evidence),
    )


def _sentence(evidence: Evidence) -> str:
    verdict = evidence.verdict
    if verdict is None:
        return wording.no_verdict(len(evidence.complete))
    return evidence.shortened(verdict.sentence)


def _facts(evidence: Evidence, card: SweepCard | None) -> tuple[tuple[str, str], ...]:
    """The few figures that stand beside the verdict."""
    counts = evidence.trials["state"].value_counts()
    trials = ", ".join(f"{counts[state]:,} {state}" for state in STATES if counts.get(state))
    facts = [
        ("Data", _data(evidence)),
        ("Trials", trials or "none has ended"),
        ("Training time", wording.duration(float(evidence.trials["seconds"].sum()))),
    ]
    if counts.get("pruned"):
        saved = epochs_saved(evidence)
        facts.append(("Saved by pruning", f"{saved.words}, {100 * saved.share:.0f} % of the search"))
    if evidence.verdict and evidence.verdict.noise_floor is not None:
        noise = evidence.metric.difference(evidence.verdict.noise_floor)
        facts.append((f"Spread over {evidence.noun}s", f"{noise} (standard deviation of one choice)"))
    if evidence.verdict and evidence.verdict.detectable is not None and not evidence.factor:
        facts.append(("Detectable difference", evidence.metric.difference(evidence.verdict.detectable)))
    if card:
        facts.append(("Model", f"cnn.h5, test accuracy {accuracy_of(card['test'])}"))
    return tuple(facts)


def _data(evidence: Evidence) -> str:
    """Which images, and how many of them one trial trains and validates on."""
    data, folds = evidence.provenance["data"], evidence.folds
    n_train, n_validation = sizes_in_trial(data["train"], data["validation"], folds, data["source"])
    of_each = f", in each of {folds} folds" if folds else ""
    return f"{data['source']}: {n_train:,} to train on, {n_validation:,} to validate on{of_each}"


def _model(card: SweepCard | None) -> tuple[tuple[str, str], ...]:
    if not card:
        return ()
    trained = wording.trained_on(card["seed"], card.get("fold"))
    facts = [
        ("File", "cnn.h5, with its card cnn.json"),
        ("Configuration", card["configuration"]),
        ("Trained as", f"trial {card['trial']}, {trained}, weights of epoch {card['epoch']}"),
        ("On the test images, scored once", f"test accuracy {accuracy_of(card['test'])}"),
        ("SHA-256", str(card.get("sha256", ""))),
    ]
    return tuple(facts)


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key} · ")
        elif value is not None:
            between = " × " if key.endswith("shape") else ", "
            text = between.join(map(str, value)) if isinstance(value, list) else str(value)
            yield f"{prefix}{key}".replace("_", " "), text
