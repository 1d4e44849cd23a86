"""The store itself, of each kind, for the one suite of its contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from statistics_manager_service.storage.database import SqlStore, open_engine


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    """A fresh, migrated store of each kind."""
    made = SqlStore(open_engine(database_url))
    yield made
    made.close()
