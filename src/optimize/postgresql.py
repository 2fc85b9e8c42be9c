"""A study in PostgreSQL: reached with patience, its tables made once, and held by one process at a time."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import re
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote, unquote

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial
from sqlalchemy import URL, Connection, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from optimize.locks import SweepLocked

T = TypeVar("T")

while_away: ContextVar[Callable[[float], None]] = ContextVar("while_away", default=lambda _: None)
"""Called again and again while the database is waited for, with the seconds it has been away; what it raises ends the
wait."""
OUTAGE_SECONDS = 600.0  # how long a database that went away is waited for
LONGEST_PAUSE = 5.0  # seconds between two tries
LONGEST_UNHEARD = 0.2  # seconds between two calls of `while_away`
FORGOTTEN_SECONDS = 120.0  # until the server has surely freed a lock whose connection is gone
_ADDRESS = re.compile(r"postgres(?:ql)?(?:\+\w+)?://(?P<rest>.*)", re.DOTALL)
_TABLES_LOCK = zlib.crc32(b"optimize: tables")
_STUDY_LOCKS = zlib.crc32(b"optimize: study") - 2**31  # the first half of a lock's key, a signed 32-bit number

_CONNECTION = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "tcp_user_timeout": 30_000,
    # The server forgets a machine that vanished, and with it the lock it held, after about a minute.
    "options": "-c statement_timeout=60000 -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 "
    "-c tcp_keepalives_count=3",
}


class BadAddress(ValueError):
    """What names the storage is no address of a PostgreSQL database."""

    def __init__(self) -> None:
        super().__init__("is no address of a PostgreSQL database, such as postgresql://user:password@host:5432/name")


class NoDriver(ValueError):
    """There is nothing here with which to speak to PostgreSQL."""

    def __init__(self) -> None:
        super().__init__(
            "names a PostgreSQL database, which needs the package psycopg: pip install 'optimize-sweeps[cluster]'"
        )


def check_driver() -> None:
    """Make sure that psycopg can be imported, as SQLAlchemy does at the first connection.

    Raises:
        NoDriver: it is not installed, or is without the library that it needs.
    """
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise NoDriver from None


def normalised(address: str) -> str:
    """An address as SQLAlchemy and Optuna read it: driver psycopg 3, user and password percent-encoded.

    `postgres://` is taken as what it is meant as. A password may stand as it is, with `{ % @ /` in it, or
    percent-encoded; `%41` is taken as encoded.

    Raises:
        BadAddress: it cannot be read; the message does not repeat it.
    """
    match = _ADDRESS.match(address)
    if match is None:
        raise BadAddress
    account, at, place = match["rest"].rpartition("@")
    user, colon, password = account.partition(":")
    encoded = quote(unquote(user), safe="") + (colon and ":" + quote(unquote(password), safe="")) + at
    try:
        url = make_url(f"postgresql+psycopg://{encoded}{place}")
    except (ArgumentError, ValueError):
        raise BadAddress from None
    return url.render_as_string(hide_password=False)


def without_secrets(words: str, address: str) -> str:
    """Words about a connection, with the password of its address blotted out wherever they hold it."""
    match = _ADDRESS.match(address)
    account = match["rest"].rpartition("@")[0] if match else ""
    password = account.partition(":")[2]
    for secret in {address, password, unquote(password), quote(unquote(password), safe="")}:
        words = words.replace(secret, "***") if secret else words
    return words


def open_storage(address: str) -> optuna.storages.RDBStorage:
    """The storage, its tables made by one process at a time: without that most of those that start at once fail."""
    with _connection(address, "optimize: making tables") as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _TABLES_LOCK})
        return PatientStorage(address, engine_kwargs={"pool_pre_ping": True, "connect_args": _CONNECTION})


class PatientStorage(optuna.storages.RDBStorage):
    """Optuna's storage, whose every call outlasts a restart of the database or an outage of up to ten minutes.

    Each call can be made twice without harm, because a single process writes to a study: values are set to what they
    are already, and a trial or an ending that was committed before the answer got lost is found to be there.
    """

    def _get_prepared_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None, session: Session
    ) -> models.TrialModel:
        """The row of a new trial; of one that this very call has entered already, the row that it has.

        It is the last, for a single process enters the trials of a study, and began in the same microsecond.
        """
        trial = models.TrialModel
        last = session.query(trial).filter_by(study_id=study_id).order_by(trial.trial_id.desc()).first()
        if last is not None and template_trial is not None and last.datetime_start == template_trial.datetime_start:
            return last
        return super()._get_prepared_new_trial(study_id, template_trial, session)

    def set_trial_state_values(self, trial_id: int, state: optuna.trial.TrialState, values: Any = None) -> bool:
        """End a trial; one that this very call has ended before its answer got lost is well ended."""
        try:
            return super().set_trial_state_values(trial_id, state, values)
        except optuna.exceptions.UpdateFinishedTrialError:
            if self.get_trial(trial_id).state == state:
                return True
            raise


def _patient(method: Callable[..., T]) -> Callable[..., T]:
    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> T:
        return with_patience(lambda: method(*args, **kwargs))

    return call


_CALLS = (
    "set_study_user_attr",
    "set_study_system_attr",
    "get_study_id_from_name",
    "get_study_name_from_id",
    "get_study_directions",
    "get_study_user_attrs",
    "get_study_system_attrs",
    "get_all_studies",
    "_create_new_trial",
    "_set_trial_param",
    "get_trial_id_from_study_id_trial_number",
    "_get_best_trial_id",
    "set_trial_state_values",
    "set_trial_intermediate_value",
    "set_trial_user_attr",
    "set_trial_system_attr",
    "get_trial",
    "_get_trials",
)
"""What Optuna calls of a storage while trials are asked for and told."""

for _name in _CALLS:
    setattr(PatientStorage, _name, _patient(getattr(PatientStorage, _name)))


def with_patience(call: Callable[[], T]) -> T:
    """What `call` returns, tried again while the database is away.

    Raises:
        StorageInternalError, DBAPIError: it failed for another reason, or has been away for ten minutes.
    """
    began, pause = time.monotonic(), 0.1
    while True:
        try:
            return call()
        except (StorageInternalError, DBAPIError) as error:
            if not _is_away(error) or time.monotonic() - began > OUTAGE_SECONDS:
                raise
        _wait(pause * random.uniform(0.5, 1.0), began)
        pause = min(2 * pause, LONGEST_PAUSE)


def _wait(seconds: float, began: float) -> None:
    """Wait between two tries of what failed first at `began`, a moment of the monotonic clock."""
    ends = time.monotonic() + seconds
    while (now := time.monotonic()) < ends:
        while_away.get()(now - began)
        time.sleep(min(ends - now, LONGEST_UNHEARD))


def _is_away(error: BaseException) -> bool:
    """Whether the connection is at fault and not what was asked of it."""
    cause = error if isinstance(error, DBAPIError) else error.__cause__
    return isinstance(cause, OperationalError | InterfaceError) or (
        isinstance(cause, DBAPIError) and cause.connection_invalidated
    )


class _HeldByUs(SweepLocked):
    """The server has not noticed yet that the connection which took the lock is gone."""


class StudyLock:
    """A study held by this process through a connection of its own; whoever dies, frees it.

    Raises:
        SweepLocked: another process holds it; the message names it.
    """

    def __init__(self, address: str, study: str) -> None:
        self._address, self._study = address, study
        self._key = {"space": _STUDY_LOCKS, "study": zlib.crc32(study.encode()) - 2**31}
        since = datetime.now(UTC).isoformat(timespec="seconds")
        # PostgreSQL keeps 63 bytes of it.
        self._holder = f"process {os.getpid()} on {socket.gethostname()[:20]}, since {since[:16]}"
        self._backend: int | None = None  # the server's process for our connection
        self._held = contextlib.ExitStack()
        self._connection = self._take()

    def check(self) -> None:
        """Make sure that the study is still held; take it again where the database has been away meanwhile.

        Raises:
            SweepLocked: another process took it meanwhile.
        """
        try:
            self._connection.execute(text("SELECT 1"))
        except DBAPIError:
            with contextlib.suppress(DBAPIError):
                self._held.close()
            self._connection = self._take_again()

    def release(self) -> None:
        """Let go of it."""
        with contextlib.suppress(DBAPIError):
            self._held.close()

    def _take_again(self) -> Connection:
        """The lock, once the database is back and has freed it from the connection that was lost."""
        began = time.monotonic()
        while True:
            try:
                return with_patience(self._take)
            except _HeldByUs:
                if time.monotonic() - began > FORGOTTEN_SECONDS:
                    raise
            _wait(LONGEST_PAUSE, began)

    def _take(self) -> Connection:
        with contextlib.ExitStack() as stack:
            connection = stack.enter_context(_connection(self._address, self._holder))
            taken = connection.execute(text("SELECT pg_try_advisory_lock(:space, :study)"), self._key).scalar()
            if not taken:
                backend, holder = self._find_holder(connection)
                kind = _HeldByUs if backend is not None and backend == self._backend else SweepLocked
                raise kind(f"the study {self._study} is being run by {holder}")
            self._backend = connection.execute(text("SELECT pg_backend_pid()")).scalar()
            self._held = stack.pop_all()
            return connection

    def _find_holder(self, connection: Connection) -> tuple[int | None, str]:
        """The server's process for whoever holds the study, where there still is one, and who that is."""
        query = (
            "SELECT pid, application_name, client_addr::text FROM pg_locks JOIN pg_stat_activity USING (pid) "
            "WHERE locktype = 'advisory' AND granted "
            "AND classid::bigint = :space + 4294967296 * (:space < 0)::int "
            "AND objid::bigint = :study + 4294967296 * (:study < 0)::int"
        )
        found = connection.execute(text(query), self._key).first()
        if not found:
            return None, "another process"
        return int(found[0]), f"{found[1]} ({found[2] or 'on the database server'})"


@contextlib.contextmanager
def _connection(address: str, name: str) -> Iterator[Connection]:
    """A connection outside any pool, each statement by itself; locks it took are freed as it ends."""
    settings: dict[str, Any] = {**_CONNECTION, "application_name": name}
    url: URL = make_url(address)
    engine = create_engine(url, poolclass=NullPool, connect_args=settings, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
