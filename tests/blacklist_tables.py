"""FlexiHome's table of withdrawn tokens, as its authentication service keeps it, in SQLite and PostgreSQL."""

from __future__ import annotations

import sqlalchemy as sa

from statistics_manager_service.storage.database import driver_url


class TokenTable:
    """The table, and who writes to it."""

    def __init__(self, url: str, column: str = "token") -> None:
        self.url, self.column = url, column
        self.engine = sa.create_engine(driver_url(url), poolclass=sa.pool.NullPool)
        with self.engine.begin() as connection:
            kind = "SERIAL" if url.startswith("postgresql") else "INTEGER"
            connection.execute(
                sa.text(
                    f'CREATE TABLE token_blacklist (id {kind} PRIMARY KEY, "{column}" VARCHAR(4000) UNIQUE NOT NULL, '
                    "blacklisted_on TIMESTAMP NOT NULL)"
                )
            )

    def add(self, *tokens: str) -> None:
        with self.engine.begin() as connection:
            for token in tokens:
                connection.execute(
                    sa.text(f'INSERT INTO token_blacklist ("{self.column}", blacklisted_on) VALUES (:token, :at)'),
                    {"token": token, "at": "2024-05-10 12:00:00"},
                )
