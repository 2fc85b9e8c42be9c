"""optuna-dashboard with a sweep's study open, for reading only: it may stay open while the sweep runs."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote

import optuna
import optuna_dashboard
from sqlalchemy import URL, QueuePool, make_url

from main.errors import UserError
from optimize.config import stored_sweep
from optimize.loopback import ADDRESS, LoopbackServer, Refusal, refuse
from optimize.results import Results
from optimize.storage import LOCKED_SECONDS, StudyUnreadable, clear_faults, storage_address

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


_OF_A_STUDY = re.compile(r"/(?:api/studies|csv)/(?P<study>[^/]+)(?:/plot/(?P<plot>[^/]+))?")
"""The paths with which optuna-dashboard asks the storage for the study of a number, unseen whether there is one."""

_READING_THE_STORAGE = ("/api/", "/csv/")


class NoStudy(UserError):
    """A sweep's folder is there, and its study is not."""


class PortTaken(UserError):
    """The port cannot be listened on."""


def serve_dashboard(results: Results, port: int, announce: Callable[[str], None]) -> None:
    """Serve the study on 127.0.0.1 until Ctrl-C.

    Args:
        results: the sweep.
        port: the port; 0 takes a free one.
        announce: is told the address of the study's page once it can be opened.

    Raises:
        NoStudy: the sweep has no study yet, or has lost it.
        PortTaken: another program listens there.
        optimize.storage.StudyUnreadable: the storage is damaged or out of reach.
    """
    app, page = dashboard_app(results)
    try:
        server = LoopbackServer(app, port)
    except OSError as error:
        raise PortTaken(f"port {port} of {ADDRESS}: {error.strerror}; choose another with --port") from None
    with server:
        announce(f"http://{ADDRESS}:{server.server_port}{page}")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            announce("closed")


def dashboard_app(results: Results) -> tuple[WSGIApplication, str]:
    """The dashboard of a sweep's study, and the path of the study's page in it.

    Raises:
        NoStudy, optimize.storage.StudyUnreadable: as `serve_dashboard`.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = read_only_storage(results)
    name = _study_name(results)
    with clear_faults(results):
        try:
            page = f"/dashboard/studies/{storage.get_study_id_from_name(name)}"
        except KeyError:
            raise NoStudy(f"{results.folder} has no study named {name} yet; run the sweep first") from None
    dashboard: WSGIApplication = optuna_dashboard.wsgi(storage)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] in ("", "/"):
            start_response("302 Found", [("Location", page), ("Content-Length", "0")])
            return []
        try:
            with clear_faults(results):
                refusal = _refusal(environ, storage)
        except StudyUnreadable as error:
            refusal = Refusal("503 Service Unavailable", str(error))
        return dashboard(environ, start_response) if refusal is None else refuse(refusal, start_response)

    return app, page


def _refusal(environ: WSGIEnvironment, storage: optuna.storages.RDBStorage) -> Refusal | None:
    """Why a request is not passed on: optuna-dashboard answers what it does not expect with 500 and a stack trace.

    Raises:
        optuna.exceptions.StorageInternalError: the storage is damaged, or out of reach for now.
    """
    if environ.get("CONTENT_LENGTH") not in (None, "", "0"):
        return Refusal("400 Bad Request", "what is asked for stands in the address: a body is not read")
    after = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True).get("after", ["0"])[-1]
    if not _is_number(after):
        return Refusal("400 Bad Request", "`after` is the number of a trial")
    if environ["PATH_INFO"].startswith(_READING_THE_STORAGE):
        storage.get_all_studies()
    asked = _OF_A_STUDY.match(environ["PATH_INFO"])
    return None if asked is None else _refusal_of_study(asked["study"], asked["plot"], storage)


def _refusal_of_study(study: str, plot: str | None, storage: optuna.storages.RDBStorage) -> Refusal | None:
    absent = Refusal("404 Not Found", f"there is no study {study[:20]}")
    if not _is_number(study):
        return absent
    try:
        objectives = len(storage.get_study_directions(int(study)))
    except KeyError:
        return absent
    if plot == "pareto_front" and objectives == 1:
        return Refusal("400 Bad Request", "a Pareto front needs two objectives or more, and this study has one")
    if plot is not None and find_spec("plotly") is None:
        return Refusal("404 Not Found", "the page draws its charts itself: plotly is not installed here")
    return None


def _is_number(text: str) -> bool:
    """Whether a text is a number as requests give them, small enough for every database."""
    return text.isascii() and text.isdigit() and len(text) < 10


def _study_name(results: Results) -> str:
    """What the storage calls the sweep's study: `study/loss`, of configs/study/loss.yaml."""
    facts = results.provenance() if results.provenance_file.exists() else {}
    return str(facts.get("study") or stored_sweep(results).name)


def read_only_storage(results: Results) -> optuna.storages.RDBStorage:
    """The storage of the sweep's study over connections that the database itself refuses every change.

    The sweep writes SQLite's write-ahead log, which readers neither block nor wait for.

    Raises:
        NoStudy: there is no study.db.
        optimize.storage.StudyUnreadable: the storage is damaged, of another version, or out of reach.
    """
    with clear_faults(results):
        url = make_url(storage_address(results))
        engine = _READING[url.get_backend_name()]
        return optuna.storages.RDBStorage(
            url.render_as_string(hide_password=False), engine_kwargs=engine(url), skip_table_creation=True
        )


def _sqlite(url: URL) -> dict[str, Any]:
    path = url.database or ""

    def connect() -> sqlite3.Connection:
        # `check_same_thread`: SQLAlchemy's pool hands a connection to one thread at a time.
        return sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=LOCKED_SECONDS, check_same_thread=False)

    try:
        connect().close()
    except sqlite3.OperationalError:
        raise NoStudy(f"{path} is missing or cannot be opened; run the sweep first") from None
    return {"creator": connect, "poolclass": QueuePool}


def _postgresql(_: URL) -> dict[str, Any]:
    options = "-c default_transaction_read_only=on -c statement_timeout=60000"
    return {"pool_pre_ping": True, "connect_args": {"connect_timeout": 10, "options": options}}


_READING = {"sqlite": _sqlite, "postgresql": _postgresql}
