import atexit
import gc

from optimize.cli import app

if __name__ == "__main__":
    atexit.register(gc.freeze)  # or the interpreter's last collections walk through all that was imported
    app(prog_name="python -m optimize")
