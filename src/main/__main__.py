"""`python -m main`."""

from main.cli import app

app(prog_name="python -m main")
