"""Imported first by the process that workers are forked from, for what importing it does.

A terminal, and a batch system, signal the whole process group: ending is for the coordinator to decide.
"""

import signal

for _name in ("SIGINT", "SIGTERM", "SIGHUP"):
    signal.signal(getattr(signal, _name), signal.SIG_IGN)

import optimize.workers  # noqa: E402, F401
