"""The command line of sweeps: `python -m optimize`, also installed as `optimize`.

Everything slow is imported inside the command that needs it, so that `--help` answers at once.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from main.terminal import Version
from optimize.terminal import COMPARISON, bad_input, existing_sweep, existing_sweeps, out, results_for, say

if TYPE_CHECKING:
    from optimize.config import SweepConfig
    from optimize.sweep import SweepResult

app = typer.Typer(
    name="optimize",
    help="Declarative hyperparameter sweeps for Keras image classifiers, with a verdict and its uncertainty.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

DONE, UNUSABLE = 0, 1
EXIT_OF_ENDING = {"done": DONE, "stopped": DONE, "hopeless": UNUSABLE, "interrupted": 130, "terminated": 143}

ConfigFile = Annotated[Path, typer.Argument(help="A sweep file, such as configs/pooling.yaml.")]
SweepFolder = Annotated[
    Path, typer.Argument(help="A sweep's folder, such as results/pooling, or its name, such as study/loss.")
]
SweepFolders = Annotated[list[Path], typer.Argument(help="Sweeps' folders or names, or folders of sweeps.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Replace a value of the file; VALUE is YAML. May be repeated."),
]
ResultsDir = Annotated[
    Path | None,
    typer.Option(
        "--results",
        help="The folder that holds the sweeps' own folders: results unless given, or results/study for a file in "
        "configs/study.",
        show_default=False,
    ),
]
ChartFormat = Annotated[str, typer.Option(help="png, svg or pdf.")]
ChartStyle = Annotated[str | None, typer.Option(help="A matplotlib style or style file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@app.callback()
def common(_: Version = False) -> None:
    """Declarative hyperparameter sweeps for Keras image classifiers, with a verdict and its uncertainty."""


@app.command()
def run(
    configs: Annotated[list[Path], typer.Argument(help="Sweep files, run one after the other.")],
    set_: Set = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Trials at once; 0 trains in this process.")] = None,
    results: ResultsDir = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Train failed trials again.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Set earlier results aside and start anew.")] = False,
) -> None:
    """Run a sweep, or go on where it stopped.

    Trains what is missing, judges, draws, and exports the winner.
    """
    with bad_input():
        _check_all(configs, set_, results)
    worst = DONE
    for path in configs:
        folder = results_for(path, results)
        with bad_input():
            config = _load(path, set_, folder)  # anew: it may take the winner of a sweep that has just run
        status = _run_one(config, results=folder, workers=workers, retry_failed=retry_failed, fresh=fresh)
        if status >= 128:  # interrupted: the sweeps after this one are not started
            raise typer.Exit(status)
        worst = max(worst, status)
    raise typer.Exit(worst)


def _run_one(config: SweepConfig, *, results: Path, workers: int | None, retry_failed: bool, fresh: bool) -> int:
    if config.study.range_test is not None:
        return _range_test(config, results=results, workers=workers)
    from optimize.signals import StopNow, first_ends
    from optimize.summary import say_resumable, summarise

    try:
        with first_ends():
            result = _swept(config, results=results, workers=workers, retry_failed=retry_failed, fresh=fresh)
    except StopNow as stop:
        say_resumable(config)
        return EXIT_OF_ENDING[stop.ending]
    summarise(result)
    status = EXIT_OF_ENDING[result.ending]
    return UNUSABLE if status == DONE and result.verdict is None else status


def _swept(config: SweepConfig, *, results: Path, workers: int | None, retry_failed: bool, fresh: bool) -> SweepResult:
    from optimize.forking import restored_environment, start_fork_server

    with restored_environment():  # of the sweeps after this one, some may train in this process
        if workers != 0 and config.run.workers != 0 and config.run.engine is None:
            start_fork_server(config.run.threads, training=True)  # it imports TensorFlow while this process goes on
        from optimize.plan import described_data
        from optimize.progress import Progress
        from optimize.sweep import run_sweep

        with bad_input():
            described_data(config)  # which tells what is wrong by its line
        with bad_input(), Progress(config, out) as progress:
            return run_sweep(
                config, results_dir=results, observer=progress, workers=workers, retry_failed=retry_failed, fresh=fresh
            )


@app.command(name="lr-range")
def lr_range(
    config: ConfigFile,
    set_: Set = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Trainings at once; 0 trains in this process.")] = None,
    results: ResultsDir = None,
) -> None:
    """Find a learning rate: let it rise from batch to batch.

    Shows where training is fastest. A sweep file without `study.range_test` leaves its results beside the sweep's, in
    <name>-lr-range.
    """
    folder = results_for(config, results)
    with bad_input():
        loaded = _load(config, set_, folder)
        if loaded.study.range_test is None:
            from optimize.rangetest import as_range_test, swept_rates

            rates = swept_rates(loaded.space)
            loaded = _load(config, [*(set_ or ()), *as_range_test(loaded)], folder)
            if rates:
                say(f"not swept: {', '.join(rates)}; a range test sets the rate itself")
    raise typer.Exit(_range_test(loaded, results=folder, workers=workers))


def _range_test(config: SweepConfig, *, results: Path, workers: int | None) -> int:
    from optimize.signals import StopNow, first_ends
    from optimize.summary import summarise_range_test

    try:
        with first_ends(), bad_input():
            from optimize.plan import described_data
            from optimize.rangetest import run_range_test

            described_data(config)
            tested = run_range_test(config, results, workers=workers, announce=say)
    except StopNow as stop:
        say(f"{config.name} was stopped; a range test is short, and starts from its beginning when it is run again")
        return EXIT_OF_ENDING[stop.ending]
    summarise_range_test(tested)
    return DONE


@app.command()
def plan(
    config: ConfigFile,
    set_: Set = None,
    results: ResultsDir = None,
    time: Annotated[bool, typer.Option("--time", help="Time a few steps of its trainings and forecast.")] = False,
) -> None:
    """Show what a sweep would do, before anything trains.

    Its space, trials, networks, and combinations that cannot be built.
    """
    from optimize.plan import make_plan, print_plan

    with bad_input():
        loaded = _load(config, set_, results_for(config, results))
        print_plan(loaded, out)
        if time:
            from optimize.forecast import print_forecast

            print_forecast(make_plan(loaded), out)
    options = [word for override in set_ or () for word in ("--set", override)]
    options += ["--results", str(results)] if results else []
    say(f"next: python -m optimize run {shlex.join([str(config), *options])}")


@app.command()
def show(sweep: SweepFolder, as_json: Json = False) -> None:
    """Show where a sweep stands, what failed, and its verdict."""
    from optimize.show import print_sweep, sweep_summary

    with bad_input():
        results = existing_sweep(sweep)
        if as_json:
            typer.echo(json.dumps(sweep_summary(results), indent=2))
        else:
            print_sweep(results, out)


@app.command()
def plot(
    sweeps: SweepFolders,
    only: Annotated[list[str] | None, typer.Option(help="A chart's name; may be repeated.")] = None,
    format: ChartFormat = "png",  # noqa: A002 - the option's name
    style: ChartStyle = None,
) -> None:
    """Draw a sweep's charts anew.

    With --only also says which of them make no sense for it, and why; exit status 1 where that is all of them.
    """
    from optimize import charts
    from optimize.summary import say_skipped

    with bad_input():
        existing = existing_sweeps(sweeps)
        charts.check_request(only, format, style)
        written = 0
        for results in existing:
            drawn = charts.draw(results, only=only, format=format, style=style)
            for path in drawn:
                typer.echo(path)
            say_skipped(drawn, each=only is not None)
            written += len(drawn)
    raise typer.Exit(UNUSABLE if only and not written else DONE)


@app.command()
def report(sweeps: SweepFolders) -> None:
    """Write a sweep's report.html anew."""
    from optimize import report as reports

    with bad_input():
        existing = existing_sweeps(sweeps)
        for results in existing:
            typer.echo(reports.write(results))


@app.command()
def compare(
    sweeps: SweepFolders,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Where the charts are written, instead of `comparison` beside SWEEP.")
    ] = None,
    format: ChartFormat = "png",  # noqa: A002 - the option's name
    style: ChartStyle = None,
) -> None:
    """Compare sweeps that share their metric and their data.

    A table, and charts of their choices and their course.
    """
    from optimize import charts

    with bad_input():
        existing = existing_sweeps(sweeps)
        charts.check_request(None, format, style)
        from optimize.compare import compare as compare_sweeps
        from optimize.comparison_table import print_comparison

        comparison = compare_sweeps(existing)
        from optimize.charts.comparison import draw_comparison

        drawn = draw_comparison(comparison, folder or existing[0].folder.parent / COMPARISON, format, style)
        for path in drawn:
            typer.echo(path)
        print_comparison(comparison, out)


@app.command()
def export(
    sweep: SweepFolder,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="Join the best trials in one model, SWEEP/ensemble/cnn.h5.")
    ] = False,
) -> None:
    """Make a sweep's cnn.h5 anew, or join its best trials in one.

    From the weights that the sweep has kept, with the model's card.
    """
    from optimize.conclusion import export_again
    from optimize.ensemble import export_ensemble

    with bad_input():
        results = existing_sweep(sweep)
        if not ensemble:
            typer.echo(export_again(results))
            return
        joined = export_ensemble(results)
    typer.echo(joined.model_file)
    say(joined.sentence)


@app.command()
def reproduce(
    sweep: SweepFolder,
    workers: Annotated[int | None, typer.Option(min=0, max=1, help="0 trains in this process.")] = None,
) -> None:
    """Train a sweep's exported model again, as its card says.

    Tells whether it comes out the same.
    """
    from optimize.reproduce import reproduce as train_again
    from optimize.summary import say_epoch

    with bad_input():
        results = existing_sweep(sweep)
        again = train_again(results, workers=workers, on_epoch=say_epoch, announce=say)
    say(again.sentence)
    raise typer.Exit(DONE if again.succeeded else UNUSABLE)


@app.command()
def dashboard(
    sweep: SweepFolder,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port on 127.0.0.1.")] = 8080,
) -> None:
    """Open a sweep's study in optuna-dashboard, for reading.

    On this machine only; the sweep may run meanwhile.
    """
    from optimize.dashboard import serve_dashboard

    with bad_input():
        serve_dashboard(existing_sweep(sweep), port, say)


@app.command()
def tensorboard(
    sweep: SweepFolder,
    folder: Annotated[Path | None, typer.Option("--out", help="Where to write, instead of SWEEP/tensorboard.")] = None,
) -> None:
    """Write a sweep's curves, and HParams, for TensorBoard."""
    from optimize.tensorboard import write_event_files

    with bad_input():
        written = write_event_files(existing_sweep(sweep), folder)
        typer.echo(f"{written}\nnext: {shlex.join(['tensorboard', '--logdir', str(written)])}")


@app.command()
def devices(as_json: Json = False) -> None:
    """Show what trains here, in which precision, and how fast.

    Processors and GPUs, with a one-second test of their speed.
    """
    from dataclasses import asdict

    from optimize.devices import find_devices

    found = find_devices()
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2))
    else:
        for line in found.lines():
            say(line)
    raise typer.Exit(UNUSABLE if found.fault else DONE)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the sweep file, for editors."""
    from optimize.schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="The sweep's name; configs/NAME.yaml is written.")],
    folder: Annotated[Path, typer.Option(help="Where to write it.")] = Path("configs"),
) -> None:
    """Write a short commented sweep file to start from."""
    from optimize.template import write_template

    with bad_input():
        path = write_template(name, folder)
        typer.echo(f"{path}\nnext: python -m optimize plan {shlex.quote(str(path))}")


def _check_all(configs: list[Path], overrides: list[str] | None, results: Path | None) -> None:
    """All mistakes before the first sweep starts, but for verdicts that a sweep before is to give."""
    from main.complaints import ConfigError
    from main.document import read
    from optimize.extraction import no_verdict_in

    awaited: list[str] = []
    for path in configs:
        folder = results_for(path, results)
        try:
            _load(path, overrides, folder)
        except ConfigError as error:
            mistakes = [found for found in error.complaints if found.message not in awaited]
            if mistakes:
                raise ConfigError(mistakes) from None
        name = read(path, overrides or ()).data.get("name") or path.stem
        awaited.append(no_verdict_in(folder / str(name)))


def _load(config: Path, overrides: list[str] | None, results: Path) -> SweepConfig:
    from optimize.config import load_config

    return load_config(config, overrides or (), results=results)
