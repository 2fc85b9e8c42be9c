"""A PostgreSQL server of a test's own: in a temporary folder, on a free port, as a user that is not root."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest

from processes import free_port

PASSWORD = "pa{ss%w@r/d:+"
"""What a password must survive: braces and percent signs in templates, @ and / in addresses."""


class Postgres:
    def __init__(self, folder: Path) -> None:
        self._programs = _programs()
        self._user = _user()
        self._data = folder / "data"
        self.port = free_port()
        secret = folder / "secret"
        secret.write_text(PASSWORD)
        if self._user:
            for path in (folder, secret):
                shutil.chown(path, self._user)
            for parent in folder.parents:
                if parent.stat().st_uid == os.getuid() and parent != Path("/"):
                    parent.chmod(parent.stat().st_mode | 0o011)
        self._run("initdb", "-D", str(self._data), "-A", "scram-sha-256", "-U", "someone", f"--pwfile={secret}", "-N")
        secret.unlink()
        self.start()

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        log = self._data.parent / "server.log"
        self._run("pg_ctl", "-D", str(self._data), "-l", str(log), "-w", "-t", "300", "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def address(self, database: str = "postgres", password: str = PASSWORD) -> str:
        """As somebody writes it into an environment variable who has not heard of percent-encoding."""
        return f"postgres://someone:{password}@127.0.0.1:{self.port}/{database}"

    def _run(self, program: str, *arguments: str) -> None:
        prefix = ["runuser", "-u", self._user, "--"] if self._user else []
        done = subprocess.run(
            [*prefix, str(self._programs / program), *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            cwd="/",
        )
        log = self._data.parent / "server.log"
        assert done.returncode == 0, f"{program} failed; {log.read_text()[-1500:] if log.exists() else 'no log'}"


def _programs() -> Path:
    """Debian keeps the server's programs off the path."""
    candidates = [Path(found).parent] if (found := shutil.which("initdb")) else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in candidates:
        if (folder / "initdb").exists():
            return folder
    pytest.skip("PostgreSQL's server is not installed (Debian's package postgresql)")


def _user() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return None
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres to run it as")
    if shutil.which("runuser") is None:
        pytest.skip("PostgreSQL does not run as root, and there is no runuser to run it as somebody else")
    return "postgres"
