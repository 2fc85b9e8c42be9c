"""Errors that are a message for a person, not a fault of the program."""

from __future__ import annotations

from main.wording import printable


def told(error: Exception) -> str:
    """An error's message for a person's terminal: of what the system refused, the file first and no number."""
    if isinstance(error, OSError) and error.strerror:
        return printable(f"{error.filename}: {error.strerror}" if error.filename else error.strerror)
    return printable(str(error))


class UserError(ValueError):
    """Something the person at the keyboard can mend; a command shows its message alone and exits with status 2."""
