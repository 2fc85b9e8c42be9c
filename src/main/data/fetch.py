"""Let Keras download one of its data sets: run as a script, in a process of its own.

    python fetch.py mnist SECONDS

The folder is $KERAS_HOME. Fails with the reason as the last line of its output, after SECONDS of silence from
the network at the latest. It stands alone: nothing of this project is imported.
"""

from __future__ import annotations

import importlib
import socket
import sys
import urllib.request

PROBE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
"""Where Keras keeps its data sets; asked for its headers first, since importing Keras takes seconds."""


def fetch(name: str, silence: float) -> None:
    """Download the data set `keras.datasets.<name>`; raises what the network or Keras raises."""
    socket.setdefaulttimeout(silence)
    with urllib.request.urlopen(urllib.request.Request(PROBE, method="HEAD"), timeout=silence):
        pass
    importlib.import_module(f"keras.datasets.{name}").load_data()


def main() -> int:
    """Status 0 where the data set was downloaded, 1 where not."""
    name, silence = sys.argv[1:]
    try:
        fetch(name, float(silence))
    except Exception as error:  # Keras raises a bare Exception for a failed download
        print(" ".join(str(error).split()) or type(error).__name__)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
