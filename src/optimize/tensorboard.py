"""A sweep's tables as TensorBoard's event files: learning curves, and the HParams table of every trial."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from main.errors import UserError
from main.files import write_atomically
from optimize.config import stored_sweep
from optimize.results import Results
from optimize.space import Choices, Parameter, Range, label
from optimize.tables import FIGURES
from optimize.trialtable import cell_label, is_empty

if TYPE_CHECKING:
    import pandas as pd
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.hparams.summary_v2 import Domain

CURVES = (*FIGURES, "learning_rate")
BEST = "best/"
"""Before the name of a figure: its value at the trial's best epoch, as in trials.csv."""
_FILE = "events.out.tfevents.0.optimize"  # always the same, so that writing again replaces
_LONGEST_NAME = 80


class TensorBoardMissing(UserError):
    """The package that knows TensorBoard's files is not installed."""


def write_event_files(results: Results, folder: Path | None = None) -> Path:
    """Write a sweep's curves and trials as TensorBoard reads them; returns the folder.

    A run is a trial: its curves by epoch at the wall time they were trained, its figures at its best epoch under
    `best/`, and its swept values for the HParams tab, where the seeds of one configuration form one row. Writing again
    replaces what is there. TensorFlow is not imported.

    Args:
        results: the sweep; it may still be running.
        folder: where the runs go; `tensorboard/` in the sweep's folder unless given.

    Raises:
        TensorBoardMissing: the message says how to install it.
        OSError: the folder cannot be written.
    """
    if find_spec("tensorboard") is None:
        raise TensorBoardMissing(
            "TensorBoard's files need the package tensorboard: pip install 'optimize-sweeps[tensorboard]'"
        )
    folder = folder or results.tensorboard
    config = stored_sweep(results)
    trials, curves = results.trials(), dict(list(results.curves().groupby("trial")))
    parameters = config.space.parameters
    experiment = _experiment(parameters, config.study.metric, trials)
    _write(folder, [_event(_moment(trials["started"].min()), 0, experiment)])
    for _, trial in trials.iterrows():
        _write(folder / run_name(trial), list(_trial_events(trial, curves.get(trial["trial"]), parameters)))
    return folder


def run_name(trial: pd.Series[Any]) -> str:
    """The name of a trial's run, which is that of its folder: `0007-max-seed-1`, or `0007-max-seed-1-fold-2`."""
    configuration = re.sub(r"[^A-Za-z0-9.=_]+", "-", str(trial["configuration"])).strip("-.")[:_LONGEST_NAME]
    fold = "" if is_empty(trial.get("fold")) else f"-fold-{trial['fold']:.0f}"
    return f"{trial['trial']:04d}-{configuration}-seed-{trial['seed']}{fold}"


def _experiment(parameters: tuple[Parameter, ...], metric: str, trials: pd.DataFrame) -> Any:
    """What the columns of the HParams table are; the sweep's metric is the first of the figures."""
    from tensorboard.plugins.hparams import summary_v2 as hparams

    figures = sorted(FIGURES, key=lambda name: name != metric)
    return hparams.hparams_config_pb(
        hparams=[hparams.HParam(parameter.path, _domain(parameter)) for parameter in parameters],
        metrics=[hparams.Metric(BEST + name, display_name=f"{name} at the best epoch") for name in figures],
        time_created_secs=_moment(trials["started"].min()),
    )


def _domain(parameter: Parameter) -> Domain:
    """What a column may hold, so that TensorBoard offers boxes to tick or a range to narrow."""
    from tensorboard.plugins.hparams import summary_v2 as hparams

    if isinstance(parameter, Range):
        return hparams.RealInterval(float(parameter.low), float(parameter.high))
    return hparams.Discrete([hparam(parameter, label(value)) for value in parameter.values])


def hparam(parameter: Parameter, cell: Any) -> float | bool | str:
    """A table's cell as TensorBoard takes it: numbers and booleans where all values are such, their labels elsewhere.

    TensorBoard knows neither lists nor null, and one kind of value in a column.
    """
    if isinstance(parameter, Range) or _all_are(parameter, (int, float)):
        return float(cell)
    if _all_are(parameter, (bool,)):
        return cell_label(cell) == "true"
    return cell_label(cell)


def _all_are(parameter: Choices, kinds: tuple[type, ...]) -> bool:
    return all(type(value) in kinds for value in parameter.values)  # a boolean is no int here


def _trial_events(
    trial: pd.Series[Any], curve: pd.DataFrame | None, parameters: tuple[Parameter, ...]
) -> Iterator[Event]:
    """The events of one run: its values, its curve, its best figures, and how it ended."""
    from tensorboard.plugins.hparams import summary_v2 as hparams

    began, ended = _moment(trial["started"]), _moment(trial["ended"])
    values = {p.path: hparam(p, trial[p.path]) for p in parameters if not is_empty(trial[p.path])}
    yield _event(began, 0, hparams.hparams_pb(values, trial_id=trial["configuration"], start_time_secs=began))
    moment = began
    for _, epoch in curve.iterrows() if curve is not None else ():
        moment += epoch["seconds"]
        yield _event(moment, int(epoch["epoch"]), _scalars({name: epoch[name] for name in CURVES}))
    if not is_empty(trial["epoch"]):
        yield _event(ended, int(trial["epoch"]), _scalars({BEST + name: trial[name] for name in FIGURES}))
    yield _event(ended, 0, _session_end(ended, failed=trial["state"] == "failed"))


def _session_end(moment: float, *, failed: bool) -> Any:
    """The HParams plugin's mark of how a trial ended; its own function for it imports TensorFlow."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    status = api_pb2.STATUS_FAILURE if failed else api_pb2.STATUS_SUCCESS
    end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=moment)
    about = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=end))
    value = Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=about, tensor=metadata.NULL_TENSOR)
    return Summary(value=[value])


def _scalars(values: Mapping[str, float]) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Summary(value=[Summary.Value(tag=tag, simple_value=float(value)) for tag, value in values.items()])


def _event(moment: float, step: int, summary: Any) -> Event:
    from tensorboard.compat.proto.event_pb2 import Event

    return Event(wall_time=moment, step=step, summary=summary)


def _moment(when: Any) -> float:
    """Seconds since 1970; 0 of a trial that never began."""
    return 0.0 if is_empty(when) else datetime.fromisoformat(when).timestamp()


def _write(folder: Path, events: list[Event]) -> None:
    """One run's event file, whole or not at all: TensorBoard may be looking."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    content = io.BytesIO()
    records = RecordWriter(content)
    for event in [Event(wall_time=events[0].wall_time, file_version="brain.Event:2"), *events]:
        records.write(event.SerializeToString())
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / _FILE, content.getvalue())
