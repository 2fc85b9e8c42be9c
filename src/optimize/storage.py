"""Where a study is kept: a file in the sweep's folder, or the database that OPTIMIZE_STORAGE names."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from sqlalchemy import URL, Engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from main.errors import UserError
from optimize import postgresql
from optimize.engine import STORAGE_VARIABLE
from optimize.mounts import network_file_system
from optimize.results import Results

LOCKED_SECONDS = 60  # how long another writer's lock on the file is waited for

Check = Callable[[], None]


class StudyUnreadable(UserError):
    """The study's storage is damaged, of another version, full, or out of reach."""


def storage_address(results: Results) -> str:
    """The address of the study's storage as SQLAlchemy reads it; holds the password, where there is one.

    Raises:
        optimize.postgresql.BadAddress: OPTIMIZE_STORAGE names something else than a PostgreSQL database.
        optimize.postgresql.NoDriver: it names one, and psycopg is not installed.
    """
    address = os.environ.get(STORAGE_VARIABLE)
    if not address:
        # Optuna fills in what stands in braces, and a question mark ends a path, unless they are written otherwise.
        return URL.create("sqlite", database=str(results.study_file.resolve())).render_as_string()
    normalised = postgresql.normalised(address)
    postgresql.check_driver()
    return normalised


def open_storage(results: Results) -> optuna.storages.RDBStorage:
    """The storage of the sweep's study, its tables made where it has none.

    Raises:
        StudyUnreadable: it cannot be opened, or is not what this version of Optuna writes.
    """
    with clear_faults(results):
        address = storage_address(results)
        if os.environ.get(STORAGE_VARIABLE):
            return postgresql.open_storage(address)
        _refuse_damaged(results)
        storage = optuna.storages.RDBStorage(address, engine_kwargs={"connect_args": {"timeout": LOCKED_SECONDS}})
        _use_write_ahead_log(storage.engine)
        return storage


def close_study(results: Results, study: optuna.Study) -> None:
    """Leave a study in the sweep's folder whole in one file, to be copied, and to be read where nothing can be written.

    Where somebody else has it open, as a dashboard does, SQLite's log stays beside it, and has nothing that it lacks.
    """
    study._storage._backend.engine.dispose()  # type: ignore[attr-defined]  # of the cache that Optuna puts before it
    if os.environ.get(STORAGE_VARIABLE):
        return
    with (
        contextlib.suppress(sqlite3.Error),  # removed, damaged, or in use: the next run says so, or can do without
        contextlib.closing(sqlite3.connect(f"{results.study_file.resolve().as_uri()}?mode=rw", uri=True)) as connection,
    ):
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        connection.execute("PRAGMA journal_mode=DELETE")


@contextlib.contextmanager
def hold_study(results: Results, name: str) -> Iterator[Check]:
    """Hold the study `name` for this process, and tell how to make sure, from time to time, that it still does.

    A study in the sweep's own folder is held by the folder's lock. One in PostgreSQL is held by a lock of the
    database's, which whoever runs the same sweep elsewhere is refused by.

    Raises:
        SweepLocked: another process holds the study; the message names it. The check raises it too.
        StudyUnreadable: the storage cannot be reached; from the check: it has been removed or replaced.
    """
    if not os.environ.get(STORAGE_VARIABLE):
        yield _SameFile(results)
        return
    with clear_faults(results):
        lock = postgresql.StudyLock(storage_address(results), name)
    try:
        yield lock.check
    finally:
        lock.release()


@contextlib.contextmanager
def while_away(hear: Callable[[float], None]) -> Iterator[None]:
    """In the body, have `hear` called while the study's database is waited for.

    Args:
        hear: told how many seconds it has been away, several times a second; what it raises ends the wait.
    """
    token = postgresql.while_away.set(hear)
    try:
        yield
    finally:
        postgresql.while_away.reset(token)


class _SameFile:
    """Whether study.db is still the file that was opened: one that was deleted swallows all that is written to it."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self._opened: tuple[int, int] | None = None

    def __call__(self) -> None:
        try:
            found = self._results.study_file.stat()
        except FileNotFoundError:
            raise StudyUnreadable(
                f"{self._results.study_file} was removed while the sweep ran; {_KEPT}. Run again: the study is made "
                "anew from them"
            ) from None
        now = (found.st_dev, found.st_ino)
        self._opened = self._opened or now
        if now != self._opened:
            raise StudyUnreadable(
                f"{self._results.study_file} was replaced while the sweep ran; {_KEPT}. {_advice(self._results)}"
            )


@contextlib.contextmanager
def clear_faults(results: Results) -> Iterator[None]:
    """Turn what a storage raises into one message that says what is safe and what to do.

    Raises:
        StudyUnreadable: instead of whatever SQLAlchemy, Optuna or the database's driver raised.
    """
    try:
        yield
    except (postgresql.BadAddress, postgresql.NoDriver) as error:
        raise StudyUnreadable(f"{STORAGE_VARIABLE} {error}") from None
    except (SQLAlchemyError, StorageInternalError, sqlite3.Error) as error:
        raise StudyUnreadable(_explanation(results, error)) from None  # the cause's words may hold a password
    except RuntimeError as error:
        if "table schema" not in str(error):
            raise
        raise StudyUnreadable(_explanation(results, error)) from None


@contextlib.contextmanager
def clear_damage(results: Results) -> Iterator[None]:
    """`clear_faults` where a study is only read: damage inside a cell, which no database notices, is told too.

    Raises:
        StudyUnreadable: instead of whatever was raised but for what a person is told already.
        OSError: a file beside the study cannot be read.
    """
    try:
        with clear_faults(results):
            yield
    except (UserError, OSError):
        raise
    except Exception as error:  # json's, SQLAlchemy's, and whatever else a damaged cell makes Optuna raise
        raise StudyUnreadable(_explanation(results, error)) from None


_KEPT = "the outcome of every finished trial is kept in trials/"


def _explanation(results: Results, error: BaseException) -> str:
    cause = _cause(error)
    if os.environ.get(STORAGE_VARIABLE):
        said = postgresql.without_secrets(cause, os.environ[STORAGE_VARIABLE])
        return f"the storage that {STORAGE_VARIABLE} names cannot be used ({said}); {_KEPT}"
    for sign, advice in _ADVICE.items():
        if sign in cause:
            return f"{results.study_file}: {cause}; {_KEPT}. {advice}"
    return f"{results.study_file} cannot be read as a study ({cause}); {_KEPT}. {_advice(results)}"


_ADVICE = {
    "disk is full": "Make room and run again.",
    "readonly": "Make it writable and run again.",
    "locked": "Another program holds the file: close it and run again.",
    "table schema": "Update this program, or run it as it was installed when the sweep began.",
}


def network_warning(results: Results) -> str:
    """What a person should know of a study that is on a network file system; empty where it is not."""
    kind = None if os.environ.get(STORAGE_VARIABLE) else network_file_system(results.folder)
    if kind is None:
        return ""
    return (
        f"{results.folder} is on a network file system ({kind}), on which SQLite can lose what it wrote: use a disk of "
        f"this machine (--results), or a PostgreSQL database ({STORAGE_VARIABLE})"
    )


def _advice(results: Results) -> str:
    aside = results.study_file.with_suffix(".damaged")
    return f"Move the file away (mv {results.study_file} {aside}) and run again: the study is made anew from them."


def _cause(error: BaseException) -> str:
    """What the database itself said."""
    while not isinstance(error, DBAPIError) and error.__cause__ is not None:
        error = error.__cause__
    original = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return " ".join(str(original).split()) or type(original).__name__


def _refuse_damaged(results: Results) -> None:
    """SQLite itself notices damage only where it happens to read."""
    if not results.study_file.exists():
        for ending in ("-wal", "-shm"):  # of a file that was moved away; SQLite would play them into the new one
            results.study_file.with_name(results.study_file.name + ending).unlink(missing_ok=True)
        return
    with contextlib.closing(sqlite3.connect(results.study_file, timeout=LOCKED_SECONDS)) as connection:
        [(found,), *_] = connection.execute("PRAGMA quick_check(1)").fetchall()
    if found != "ok":
        raise sqlite3.DatabaseError(found)


def _use_write_ahead_log(engine: Engine) -> None:
    """Readers such as a dashboard never block the coordinator, and a kill leaves the database whole."""

    @event.listens_for(engine, "connect")
    def _set(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    engine.dispose()  # or the connection that made the tables, open already, would remain the only one, without it
