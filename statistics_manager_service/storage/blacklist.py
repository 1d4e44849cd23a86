"""FlexiHome's table `token_blacklist`, in a database of its own."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psycopg
import sqlalchemy as sa
import structlog

from statistics_manager_service.errors import Unavailable
from statistics_manager_service.storage.database import driver_url

_LOG = structlog.get_logger()
TABLE: Final = "token_blacklist"
_CONNECT_S: Final = 2
_STATEMENT_MS: Final = 2000
#: For a lookup as a whole: a host that has vanished tells nothing, so a driver would wait for it.
_LONGEST_S: Final = 3.0
_RETRY_AFTER_S: Final = 5
_UNAVAILABLE: Final = "whether the token was withdrawn can't be found out at the moment"


class TokenBlacklist:
    """Looks tokens up. Threads may share it. Nothing is connected before the first lookup."""

    def __init__(self, url: str, column: str, longest_s: float = _LONGEST_S) -> None:
        """Raises ValueError for other databases than SQLite and PostgreSQL."""
        self._engine, self._longest_s = _open(driver_url(url)), longest_s
        token: sa.ColumnClause[str] = sa.column(column, sa.Text)
        self._statement = (
            sa.select(sa.literal(1))
            .select_from(sa.table(TABLE, token))
            .where(token.in_(sa.bindparam("tokens", expanding=True)))
            .limit(1)
        )

    def has(self, tokens: Sequence[str]) -> bool:
        """Whether any of some tokens is listed. Raises Unavailable, within seconds."""
        return _within(self._longest_s, lambda: self._look_up(tokens))

    def _look_up(self, tokens: Sequence[str]) -> bool:
        try:
            with self._engine.connect() as connection:
                return connection.execute(self._statement, {"tokens": list(tokens)}).first() is not None
        except (sa.exc.SQLAlchemyError, psycopg.Error, sqlite3.Error) as error:
            reason = getattr(error, "orig", None) or error
            _LOG.warning("token_blacklist_not_read", reason=f"{type(reason).__name__}: {reason}"[:300])
            raise Unavailable(_UNAVAILABLE, _RETRY_AFTER_S) from error

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _open(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() == "postgresql":
        return sa.create_engine(
            url,
            pool_size=2,
            max_overflow=3,
            pool_timeout=1,
            pool_pre_ping=True,
            isolation_level="AUTOCOMMIT",
            connect_args={
                "connect_timeout": _CONNECT_S,
                "tcp_user_timeout": _STATEMENT_MS,
                "options": f"-c statement_timeout={_STATEMENT_MS} -c default_transaction_read_only=on",
            },
        )
    path = quote(str(Path(url.database or "").absolute()))

    def connect() -> Any:  # read only: a file that is not there is a fault, and is not made
        return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=_CONNECT_S, check_same_thread=False)

    return sa.create_engine("sqlite://", creator=connect, poolclass=sa.pool.NullPool)


def _within(longest_s: float, work: Callable[[], bool]) -> bool:
    """The result of work that may hang. Raises Unavailable where it is not there in time; the work goes on then, in a
    thread that does not keep the process, and what it finds is lost."""
    found: list[bool] = []
    faults: list[BaseException] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:
            faults.append(error)

    thread = threading.Thread(target=run, name="token-blacklist", daemon=True)
    thread.start()
    thread.join(longest_s)
    if faults:
        raise faults[0]
    if not found:
        raise Unavailable(_UNAVAILABLE, _RETRY_AFTER_S)
    return found[0]
