"""What OPTIMIZE_STORAGE may name, without a server to name."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from optimize.dashboard import read_only_storage
from optimize.results import Results
from optimize.storage import StudyUnreadable, hold_study, open_storage

Use = Callable[[Results], object]


def hold(results: Results) -> None:
    with hold_study(results, "pooling"):
        pass


@pytest.mark.parametrize("use", [open_storage, hold, read_only_storage])
@pytest.mark.parametrize(
    "address",
    [
        "mysql://u:a{hunter2}c@h/d",  # Optuna would fill in what stands in braces
        "mysql://u:a@hunter2:c@h/d",  # SQLAlchemy would say that hunter2:c is no port
        "mysql+pymysql://u:hunter2@h/d",
        "sqlite:///hunter2.db",
        "redis://:hunter2@h",
        "postgresql:u:hunter2@h/d",
        "postgresql://u:hunter2@h:port/d",
        "hunter2",
    ],
)
def test_what_is_no_postgresql_database_is_refused_and_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, use: Use
) -> None:
    monkeypatch.setenv("OPTIMIZE_STORAGE", address)
    with pytest.raises(StudyUnreadable, match="OPTIMIZE_STORAGE is no address of a PostgreSQL database") as refused:
        use(Results(tmp_path / "results"))
    assert "hunter2" not in str(refused.value)
    assert refused.value.__suppress_context__
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("use", [open_storage, hold, read_only_storage])
def test_a_postgresql_database_without_psycopg_is_said_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: Use
) -> None:
    monkeypatch.setenv("OPTIMIZE_STORAGE", "postgresql://u:hunter2@h/d")
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StudyUnreadable, match=r"psycopg: pip install 'optimize-sweeps\[cluster\]'") as refused:
        use(Results(tmp_path / "results"))
    assert "hunter2" not in str(refused.value)
