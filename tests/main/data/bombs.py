"""Small files that unpack to gigabytes, and how much memory reading them takes."""

import gzip
import subprocess
import sys
from pathlib import Path

PIECE = 64 * 2**20


def gzip_of_zeros(path: Path, gigabytes: int, before: bytes = b"") -> Path:
    """A gzip file of `before` and then so many gigabytes of zeros: a member, repeated."""
    member = gzip.compress(bytes(PIECE), 9)
    with path.open("wb") as file:
        file.write(gzip.compress(before) if before else b"")
        for _ in range(gigabytes * 2**30 // PIECE):
            file.write(member)
    return path


def peak_memory(imports: str, statement: str) -> tuple[int, str]:
    """Bytes that a Python process held at most while it ran the statement, and what it said of the exception."""
    script = rf"""
import pathlib, re, resource, sys
{imports}
try:
    {statement}
except BaseException as error:
    print(type(error).__name__, error)
status = pathlib.Path("/proc/self/status")  # ru_maxrss there starts with what the parent held
if status.exists():
    print(int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) * 1024)
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # macOS counts bytes
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    *output, peak = ran.stdout.strip().splitlines()
    return int(peak), "\n".join(output)
