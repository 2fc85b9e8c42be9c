"""One model's life: data, training, the file it is kept in, and what can be learned from it afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from main.modelfile import load_model

__all__ = ["load_model"]


def __getattr__(name: str) -> Any:
    if name == "load_model":  # on first use, so that `import main` costs nothing
        from main.modelfile import load_model

        return load_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
