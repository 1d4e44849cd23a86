"""Databases of PostgreSQL for tests, used again and again: one is emptied in a tenth of the time that it is made in."""

from __future__ import annotations

import psycopg
from psycopg import sql
from servers import PostgresServer

from statistics_manager_service.storage.migrate import migrate

_TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1"
#: All that a test could have done to tables and the database but for rows, as one text.
_SHAPE = """
SELECT string_agg(told, chr(10) ORDER BY told) FROM (
    SELECT concat_ws(' ', attrelid::regclass, attnum, attname, atttypid::regtype, atttypmod, attnotnull) AS told
        FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger
    UNION ALL SELECT pubname FROM pg_publication
    UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'
    UNION ALL SELECT extname FROM pg_extension
    UNION ALL SELECT setconfig::text FROM pg_db_role_setting
) AS shape
"""
_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_RESTART = "SELECT setval(oid::regclass, seqstart, false) FROM pg_class JOIN pg_sequence ON seqrelid = oid"


class Databases:
    """Migrated databases of a server, each lent to one test at a time."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        url = server.create_database()
        migrate(url)
        self.template = url.rsplit("/", 1)[1]
        self._free: list[str] = []
        with psycopg.connect(url, autocommit=True) as connection:
            self._tables = [row[0] for row in connection.execute(_TABLES)]
            self._shape = connection.execute(_SHAPE).fetchone()
            self._rows = {}
            for name in self._tables:
                query = sql.SQL("SELECT json_agg(one)::text FROM {} AS one").format(sql.Identifier(name))
                told = connection.execute(query).fetchone()
                if told is not None and told[0] is not None:
                    self._rows[name] = told[0]

    def take(self) -> str:
        """The URL of one that is as migrating leaves it."""
        return self._free.pop() if self._free else self.server.create_database(self.template)

    def give_back(self, url: str) -> None:
        """Empty it for the next; one that was changed beyond its rows is left behind."""
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(_OTHERS)
                connection.execute("SET lock_timeout = '5s'; SET session_replication_role = replica")
                for (name,) in connection.execute(_TABLES).fetchall():
                    if name not in self._tables:
                        connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
                if connection.execute(_SHAPE).fetchone() != self._shape:
                    return
                deletions = (sql.SQL("DELETE FROM {}").format(sql.Identifier(name)) for name in self._tables)
                connection.execute(sql.SQL("; ").join(deletions))
                for name, rows in self._rows.items():
                    query = sql.SQL("INSERT INTO {0} SELECT * FROM json_populate_recordset(NULL::{0}, %s)")
                    connection.execute(query.format(sql.Identifier(name)), (rows,))
                connection.execute(_RESTART)
        except psycopg.Error:
            return
        self._free.append(url)
