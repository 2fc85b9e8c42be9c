"""What every command of a model shares: where it speaks, and how it refuses."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Console

from main.wording import printable

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses."""


class Terminal(Console):
    """A console that shows a text as it is: nothing in it is markup, or for the terminal to obey."""

    def print(self, *objects: Any, **how: Any) -> None:
        """As every console does."""
        if all(isinstance(shown, str) for shown in objects):
            objects, how = tuple(map(printable, objects)), {**how, "markup": False}
        super().print(*objects, **how)


out = Terminal(soft_wrap=True, highlight=False, emoji=False)
err = Terminal(stderr=True, soft_wrap=True, highlight=False, emoji=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"optimize-sweeps {version('optimize-sweeps')}")
        raise typer.Exit(DONE)


Version = Annotated[
    bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
]


@contextlib.contextmanager
def messages() -> Iterator[None]:
    """Turn what a person can mend into one message and status 2; a fault of the program stays a traceback."""
    from main.complaints import ConfigError, render
    from main.errors import UserError, told
    from main.single import TrainingFailedError
    from models import ImpossibleNetwork

    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: err.print(f"note: {message}", style="yellow")
            yield
    except ConfigError as error:
        err.print(render(error.complaints))
        raise typer.Exit(BAD_INPUT) from None
    except BrokenPipeError:  # whoever reads us has read enough
        raise
    except (UserError, ImpossibleNetwork, OSError) as error:
        err.print(f"error: {told(error)}", style="red")
        raise typer.Exit(BAD_INPUT) from None
    except TrainingFailedError as error:
        err.print(f"error: {error}", style="red")
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        err.print("interrupted; nothing was saved")
        raise typer.Exit(INTERRUPTED) from None
