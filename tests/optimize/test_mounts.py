import sys
from pathlib import Path

import pytest

from optimize import mounts
from optimize.mounts import network_file_system

MOUNTS = r"""
/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb1 /home/me/own\040disk xfs rw 0 0
//server/share /srv/share cifs rw 0 0
systemd-1 /mnt/nas autofs rw 0 0
nas:/all /mnt/nas nfs4 rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/results", None),
        ("/home/me/results/pooling", "nfs4"),
        ("/home/me/own disk/results", None),
        ("/homes/results", None),
        ("/srv/share", "cifs"),
        ("/mnt/nas/results", "nfs4"),
    ],
)
def test_the_file_system_of_a_folder_is_that_of_the_nearest_mount(
    tmp_path: Path, folder: str, kind: str | None
) -> None:
    listed = tmp_path / "mounts"
    listed.write_text(MOUNTS.strip())
    assert network_file_system(Path(folder), listed) == kind


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone lists what is mounted there")
def test_this_machines_own_mounts_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    monkeypatch.setattr(mounts, "NETWORK", {kind for _, _, kind, *_ in lines})
    assert network_file_system(tmp_path) in mounts.NETWORK


def test_a_disk_of_this_machine_and_a_system_that_does_not_say_are_no_network(tmp_path: Path) -> None:
    assert network_file_system(tmp_path) is None
    assert network_file_system(tmp_path, tmp_path / "absent") is None
