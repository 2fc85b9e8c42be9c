"""Imported by the process that workers are forked from, for what importing it does: TensorFlow is there for all.

Whatever fails is left to the workers, which import the same and can tell of it.
"""

import contextlib
import gc
import signal

for _name in ("SIGINT", "SIGTERM", "SIGHUP"):  # a terminal, and a batch system, signal the whole process group
    signal.signal(getattr(signal, _name), signal.SIG_IGN)

with contextlib.suppress(Exception):
    from main.backend import quiet_import

    quiet_import(whole=False)
    import main.train
    import optimize.workers  # noqa: F401

    gc.freeze()  # collections leave alone what was imported, and workers share its memory
