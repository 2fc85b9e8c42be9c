"""Which file system a folder is on: SQLite's locks and its write-ahead log do not hold across machines."""

from __future__ import annotations

import re
from pathlib import Path

NETWORK = {
    "9p", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "glusterfs", "gpfs", "lustre", "nfs", "nfs4",
    "orangefs", "smb3", "smbfs",
}  # fmt: skip
_MOUNTS = Path("/proc/self/mounts")


def network_file_system(folder: Path, mounts: Path = _MOUNTS) -> str | None:
    """The kind of network file system that `folder` is on, or will be on once it is made.

    Returns:
        None where it is on a disk of this machine, and where the system does not say (macOS, Windows).
    """
    try:
        lines = [line.split() for line in mounts.read_text().splitlines()]
    except OSError:
        return None
    place, found = folder.resolve(), (-1, "")
    for _, point, kind, *_ in lines:
        mounted = Path(re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), point))
        if place.is_relative_to(mounted):
            # The last that was mounted at a point hides the others.
            found = max((len(mounted.parts), kind), found, key=lambda pair: pair[0])
    return found[1] if found[1] in NETWORK else None
