"""Where a sweep stands, for a terminal or a script."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from main.history import DIRECTIONS
from main.luck import luck
from main.wording import accuracy_of
from optimize import wording
from optimize.config import stored_sweep
from optimize.plan import planned_trials
from optimize.results import Results
from optimize.trialtable import has_folds
from optimize.verdict import read_verdict

if TYPE_CHECKING:
    import pandas as pd

TRIALS_SHOWN = 20
WIDE = 80
"""Columns of a terminal that has room for every figure."""
STATES = ("complete", "pruned", "failed", "interrupted")


def sweep_summary(results: Results) -> dict[str, Any]:
    """The sweep in one JSON-able mapping: trials by state, why trials failed, the verdict and the model.

    Planned are, of a race, at most as many trials as it has before it drops a choice; once it has ended, those it ran.
    """
    trials, provenance, card = results.trials(), results.provenance(), results.card()
    config, verdict, ended = stored_sweep(results), read_verdict(results), provenance.get("ended")
    failed = trials[trials["state"] == "failed"]
    counts = Counter(trials["state"])
    return {
        "name": config.name,
        "question": config.question,
        "metric": config.study.metric,
        "data": provenance["data"],
        "trials": {state: counts[state] for state in STATES if counts[state]},
        "planned": len(trials) if config.study.race and ended else sum(planned_trials(config)),
        "race": config.study.race,
        "judged": provenance.get("judged"),
        "ended": ended,
        "retried": int((trials["attempts"] > 1).sum()),
        "failures": {str(row["trial"]): row["reason"] for _, row in failed.iterrows()},
        "verdict": verdict.to_dict() if verdict else None,
        "model": str(results.model_file) if card and results.model_file.is_file() else None,
        "test": card["test"] if card else None,
    }


def _unfinished(summary: Mapping[str, Any], ended: int) -> str:
    """What a sweep that has not ended waits for."""
    has_all = ended >= summary["planned"] or summary["judged"]  # of a race, or where a rule stopped it, not all are run
    if summary["verdict"] and has_all and not summary["model"]:
        return "the sweep has been judged, but no model has been exported: it is when the sweep is run again"
    at_most = "at most " if summary["race"] else ""
    of_all = f"{ended:,} of {at_most}{wording.counted(summary['planned'], 'trial')}"
    return (
        f"{of_all} {'has' if ended == 1 else 'have'} ended, but the sweep has not: "
        "it runs now, or goes on when it is run again"
    )


def print_sweep(results: Results, console: Console) -> None:
    """The sweep as a person wants it: its question, its best trials, what went wrong, and the verdict last."""
    summary, trials = sweep_summary(results), results.trials()
    console.print(Text(summary["question"], style="bold"))
    if summary["data"]["notice"]:
        console.print(Text(summary["data"]["notice"], style="bold yellow"), soft_wrap=True)
    counts = ", ".join(f"{count:,} {state}" for state, count in summary["trials"].items()) or "no trial has ended"
    retried = f"; {summary['retried']} ran more than once" if summary["retried"] else ""
    console.print(f"{counts}{retried}", highlight=False)
    if summary["ended"] is None:
        console.print(_unfinished(summary, len(trials)), highlight=False, markup=False, soft_wrap=True)
    if len(trials):
        console.print(_best_trials(trials, summary["metric"], wide=console.width >= WIDE))
    for trial, reason in summary["failures"].items():
        console.print(Text(f"trial {trial} failed: {reason}", style="red"), soft_wrap=True)
    if summary["model"]:
        console.print(
            f"model {summary['model']}: test accuracy {accuracy_of(summary['test'])}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    elif summary["verdict"] and summary["ended"]:
        export = f"python -m optimize export {shlex.quote(str(results.folder))}"
        console.print(
            f"no model is kept; {export} makes it anew from the winner's weights",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    verdict = read_verdict(results)
    for warning in (*(verdict.every_warning if verdict else ()), *luck(results.card() if summary["model"] else None)):
        console.print(Text(f"warning: {warning}", style="yellow"), soft_wrap=True)
    complete = summary["trials"].get("complete", 0)
    sentence = verdict.sentence if verdict else wording.no_verdict(complete)
    console.print(Text(sentence, style="bold"), soft_wrap=True)


def _best_trials(trials: pd.DataFrame, metric: str, *, wide: bool) -> Table:
    """The best complete trials; on a narrow terminal without what they cost."""
    complete = trials[trials["state"] == "complete"]
    best = complete.sort_values([metric, "trial"], ascending=[DIRECTIONS[metric] == "minimize", True]).head(
        TRIALS_SHOWN
    )
    table = Table(box=None)
    blocks = ("seed", *(("fold",) if has_folds(trials) else ()))
    purpose = ("purpose",) if trials["purpose"].nunique() > 1 else ()  # as the table of trials calls it
    costs = ("epoch", "seconds", "attempts") if wide else ()
    for column in ("trial", *purpose, "configuration", *blocks, metric, *costs):
        left = column in ("configuration", "purpose")
        table.add_column(
            column, justify="left" if left else "right", overflow="fold", no_wrap=column != "configuration"
        )
    for _, row in best.iterrows():
        cells = (
            str(row["trial"]), *(str(row[name]) for name in (*purpose, "configuration")),
            *(f"{row[block]:.0f}" for block in blocks),
            wording.value_text(metric, row[metric]), f"{row['epoch']:.0f}/{row['epochs']}",
            f"{row['seconds']:.1f}", str(row["attempts"]),
        )  # fmt: skip
        table.add_row(*map(Text, cells[: len(table.columns)]))
    if len(complete) > TRIALS_SHOWN:
        table.caption = f"the best {TRIALS_SHOWN} of {len(complete)} complete trials"
    return table
