"""The benchmarks are scripts beside the packages: their folder becomes importable here, and made-up results with it."""

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "bench"), str(REPOSITORY / "tests" / "optimize")]
