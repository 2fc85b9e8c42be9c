"""What is raised when data cannot be had, or is not what it should be."""

from main.errors import UserError


class DataError(UserError):
    """Data was refused: the message names the file, what was expected and what was found."""

    field: str = "source"
    """The key of `data` that asks for what cannot be had."""


class UnknownSource(DataError):
    """Nothing is called what a file names as its source."""


class MissingData(DataError):
    """A source is nowhere to be found; the message lists everywhere it was looked for."""
