"""The one kind of error that is a message for a person, not a fault of the program."""

from __future__ import annotations


class UserError(ValueError):
    """Something the person at the keyboard can mend; a command shows its message alone and exits with status 2."""
