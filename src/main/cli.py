"""The command line of one model: `python -m main train|evaluate|predict|explain|serve|show|convert|show-data`.

Everything slow is imported inside the command that needs it, so that `--help` answers at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from main.errors import UserError
from main.terminal import BAD_INPUT, Version, err, messages, out
from main.wording import accuracy_of, counted, percent, printable

if TYPE_CHECKING:
    from rich.console import Console

    from main.config import AugmentConfig, DataConfig
    from main.data import TrainingData
    from main.history import Epoch
    from main.predict import Prediction, Refusal

app = typer.Typer(
    name="main",
    help="One model: train it, see how good it is, use it, and see what it looks at.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Model = Annotated[Path, typer.Argument(help="A model's file, such as results/pooling/cnn.h5.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Data = Annotated[
    str | None,
    typer.Option(
        "--data", help="A source's name or path, whose test set is used; that of the model's card unless given."
    ),
]


@app.callback()
def common(_: Version = False) -> None:
    """One model: train it, see how good it is, use it, and see what it looks at."""


class Projection(StrEnum):
    """How deep features are brought to two dimensions."""

    tsne = "tsne"
    pca = "pca"


class Preparation(StrEnum):
    """How pictures are brought to the form of the images trained on."""

    mnist = "mnist"
    digits = "digits"
    plain = "plain"


As = Annotated[
    Preparation | None,
    typer.Option(
        "--as",
        help="Centre a digit as MNIST or scikit-learn's digits were made, or fit the whole picture in; as the model's "
        "card says unless given.",
    ),
]


class Precision(StrEnum):
    """What training computes in."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="A file of data, model and train sections with nothing swept.")],
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="PATH=VALUE", help="Replace a value of the file; VALUE is YAML. May be repeated."
        ),
    ] = None,
    out_: Annotated[
        Path | None, typer.Option("--out", help="Folder to write to; results/<its name, or the file's> unless given.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Seed of weights, data order, dropout and augmentation.")
    ] = 0,
    precision: Annotated[Precision, typer.Option(help="What training computes in.")] = Precision.float32,
    threads: Annotated[int, typer.Option(min=0, help="Cores to compute with; 0 takes them all.")] = 0,
    as_json: Json = False,
) -> None:
    """Train one network, without a sweep.

    Leaves cnn.h5 of the best epoch, its card cnn.json, and the learning curve as table and chart.
    """
    with messages():
        from main.config import load, name_of

        loaded, name = load(config, set_ or ()), name_of(config, set_ or ())
        from main.backend import choose_precision, quiet_import, set_threads
        from main.single import train_once

        quiet_import()
        if threads:
            set_threads(threads)
        talk = err if as_json else out
        trained = train_once(
            loaded,
            out_ or Path("results") / name,
            name=name,
            seed=seed,
            precision=choose_precision(precision),
            on_data=lambda data: _tell_data(talk, data),
            on_epoch=lambda epoch: talk.print(_epoch_line(epoch, loaded.train.epochs)),
        )
        if as_json:
            typer.echo(json.dumps(trained.card, indent=2, ensure_ascii=False))
            return
        out.print(f"epoch {trained.card['epoch']} is kept; {trained.card['parameters']:,} parameters")
        out.print(f"test accuracy {accuracy_of(trained.card['test'])}", style="bold")
        out.print(f"model  {trained.model}\ncurve  {trained.folder / 'curve.csv'}  {trained.folder / 'curve.png'}")
        out.print(f"next   python -m main evaluate {trained.model}")


def _tell_data(talk: Console, data: TrainingData) -> None:
    if data.notice:
        talk.print(f"NOTE: {data.notice}", style="bold yellow")
    if data.remark:
        talk.print(f"note: {data.remark}", style="yellow")
    talk.print(f"{data.source}: {counted(len(data.train), 'image')} to train, {len(data.validation):,} to validate")


def _epoch_line(epoch: Epoch, epochs: int) -> str:
    return (
        f"epoch {epoch.epoch:>{len(str(epochs))}}/{epochs}  loss {epoch.loss:.4f}  accuracy {percent(epoch.accuracy)}  "
        f"val_loss {epoch.val_loss:.4f}  val_accuracy {percent(epoch.val_accuracy)}  {epoch.seconds:.1f} s"
    )


@app.command()
def evaluate(
    model: Model,
    data: Data = None,
    out_: Annotated[
        Path | None, typer.Option("--out", help="Folder to write to; `evaluation` beside the model unless given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Score a model on a test set, with tables and charts.

    Accuracy with its 95 % interval, precision and recall of each class, confusion matrix, the worst mistakes,
    calibration, ROC and precision-recall curves.
    """
    with messages():
        from main.evaluate import FOLDER
        from main.evaluate import evaluate as evaluate_model
        from main.evaluation_text import print_evaluation

        evaluation = evaluate_model(model, data, out_)
        if as_json:
            typer.echo(json.dumps(evaluation.summary(), indent=2, ensure_ascii=False))
        else:
            print_evaluation(evaluation, out_ or model.parent / FOLDER, out)


@app.command()
def predict(
    model: Model,
    images: Annotated[list[str], typer.Argument(help="Pictures, folders of pictures, or - for one from a pipe.")],
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV: image, class, confidence, probabilities.")] = False,
    prepare: As = None,
) -> None:
    """Say what is in pictures.

    PNG, JPEG, TIFF and more, of any size, dark on light or light on dark.
    """
    with messages():
        if as_json and as_csv:
            raise UserError("--json and --csv are two forms of output: give one of them")
        from main.predict import Predictor, Refusal, csv_text, json_text

        predictor = Predictor(model, prepare.value if prepare else None)
        asked = refused = 0

        def told() -> Iterator[Prediction | Refusal]:
            nonlocal asked, refused
            for result in predictor.predict(images):
                asked += 1
                if isinstance(result, Refusal):
                    refused += 1
                    err.print(printable(f"error: {result.reason}", kept=""), style="red")
                yield result

        if as_json or as_csv:
            for text in json_text(told()) if as_json else csv_text(told(), predictor.classes):
                typer.echo(text, nl=False)
        else:
            for result in told():
                if not isinstance(result, Refusal):
                    out.print(printable(_prediction_line(result), kept=""))
        if asked > 1:
            unread = f", {refused:,} of which could not be read" if refused else ""
            err.print(counted(asked, "picture") + unread)
        if refused:
            raise typer.Exit(BAD_INPUT)


def _prediction_line(prediction: Prediction) -> str:
    ranked = sorted(prediction.probabilities.items(), key=lambda item: -item[1])
    (_, first), *others = ranked[:3]
    rest = ", ".join(f"{name} {percent(probability, 1)}" for name, probability in others)
    return f"{prediction.image}: {prediction.label} {percent(first, 1)}  ({rest})"


@app.command()
def explain(
    model: Model,
    image: Annotated[Path | None, typer.Argument(help="A picture; without one, test images are explained.")] = None,
    data: Data = None,
    out_: Annotated[
        Path | None, typer.Option("--out", help="Folder to write to; `explanation` beside the model unless given.")
    ] = None,
    method: Annotated[
        Projection, typer.Option(help="How deep features are drawn in two dimensions.")
    ] = Projection.tsne,
    prepare: As = None,
    as_json: Json = False,
) -> None:
    """Draw what a model looks at.

    Of a picture: the first layer's filters, feature maps, saliency. Of a test set also the deep features in two
    dimensions, the hardest images, and calibration.
    """
    with messages():
        from main.explain import explain as explain_model

        paths = explain_model(
            model,
            image,
            data=data,
            out=out_,
            method=method.value,
            preparation=prepare.value if prepare else None,
        )
        if as_json:
            typer.echo(json.dumps([str(path) for path in paths], indent=2))
        else:
            out.print("\n".join(map(str, paths)))


@app.command()
def serve(
    model: Model,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port on 127.0.0.1; 0 takes a free one.")] = 8000,
    prepare: As = None,
) -> None:
    """Open a page to draw digits on, and see what is read.

    On this machine only, with a JSON API: POST /api/predict, described in /openapi.json. Needs the extra [serve].
    """
    with messages():
        try:
            from main.serve import serve as serve_model
        except ModuleNotFoundError as missing:
            needed = "pip install 'optimize-sweeps[serve]'"
            err.print(f"error: {missing.name} is not installed: {needed}", style="red")
            raise typer.Exit(BAD_INPUT) from None
        serve_model(model, port, out.print, prepare.value if prepare else None)


@app.command()
def show(model: Model, as_json: Json = False) -> None:
    """Show a model's card: how good it is, and how it was made."""
    with messages():
        from main.card_text import card_lines
        from main.modelfile import read_card

        card = read_card(model)
        if as_json:
            typer.echo(json.dumps(card, indent=2, ensure_ascii=False))
            return
        out.print("\n".join(card_lines(card)))


@app.command()
def convert(
    source: Annotated[str, typer.Argument(help="Data to read: a file, a folder, or a source's name.")],
    target: Annotated[Path, typer.Argument(help="What to write: .npz, .h5, .pkl, .pkl.gz, or a folder of IDX files.")],
    images: Annotated[
        bool, typer.Option("--images", help="Write a folder of PNGs instead, in a folder per class.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    as_json: Json = False,
) -> None:
    """Bring data from one form to another."""
    with messages():
        from main.data.convert import convert as convert_data

        written = convert_data(source, target, images=images, overwrite=overwrite)
        if as_json:
            typer.echo(
                json.dumps({"path": str(written.path), "images": written.sizes, "notes": written.notes}, indent=2)
            )
            return
        for note in written.notes:
            err.print(f"note: {note}")
        sizes = ", ".join(f"{part} {size:,}" for part, size in written.sizes.items())
        out.print(f"{written.path}  ({sizes})")


@app.command("show-data")
def show_data(
    source: Annotated[
        str | None, typer.Argument(help="A sweep or training file, a source's name or a path; mnist unless given.")
    ] = None,
    out_: Annotated[Path, typer.Option("--out", help="File (.png, .pdf, .svg) or folder to write to.")] = Path(),
) -> None:
    """Draw examples of each class, and the balance.

    Of a file that says how training changes images, each example stands beside one of its changed copies.
    """
    with messages():
        from main.data.show import show_data as draw_data

        data, augment = _shown(source)
        out.print(str(draw_data(data, out_, augment)))


def _shown(source: str | None) -> tuple[DataConfig, AugmentConfig | None]:
    """The data of a file, of a sweep too, and its augmentation unless that is swept; or a bare source's data."""
    from main.config import AugmentConfig, DataConfig
    from main.document import SUFFIXES, read

    if source is None:
        return DataConfig(source="mnist", otherwise="digits"), None
    if Path(source).suffix.lower() not in SUFFIXES:
        return DataConfig(source=source), None
    from main.annotations import value_at
    from main.checking import check, complaints
    from main.complaints import ConfigError

    document, place = read(source), ("train", "augment")
    section, problems = check(DataConfig, document.data.get("data", {}), ("data",))
    written, augment = value_at(document.data, place), None
    if isinstance(written, dict) and not _is_swept(written):
        augment, wrong = check(AugmentConfig, written, place)
        problems = [*problems, *wrong]
    if section is None or problems:
        raise ConfigError(complaints(document, problems))
    return section, augment


def _is_swept(section: Mapping[str, object]) -> bool:
    """Whether something in a section, or the whole of it, has choices, a range, or another sweep's winner."""
    return not section.keys().isdisjoint({"choices", "low", "winner"}) or any(
        isinstance(value, dict) and _is_swept(value) for value in section.values()
    )
