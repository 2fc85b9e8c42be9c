"""Imported by the process that workers are forked from, for what importing it does: TensorFlow is there for all."""

import contextlib
import gc

with contextlib.suppress(Exception):  # whatever fails here fails again in the workers, which can tell of it
    from main.backend import quiet_import

    quiet_import(whole=False)
    import main.train  # noqa: F401

    gc.freeze()  # collections leave alone what was imported, and workers go on sharing its memory
