"""The settings and the store that a command works on."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from pydantic import ValidationError

from statistics_manager_service import bootstrap
from statistics_manager_service.errors import StatisticsError
from statistics_manager_service.settings import Settings
from statistics_manager_service.storage.database import SqlStore, driver_url
from statistics_manager_service.storage.migrate import migrate


def settings() -> Settings:
    """The settings of the environment. Raises StatisticsError that names every wrong one."""
    try:
        found = Settings()
        driver_url(found.store_url)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc'])).upper()}: {one['msg']}" for one in error.errors())
        raise StatisticsError(f"the environment's settings are wrong: {faults}") from error
    except (ValueError, sa.exc.ArgumentError) as error:  # the URL may hold a password, so it is not shown
        raise StatisticsError("DATABASE_URL is no store's; it must be sqlite:///path or postgresql://…") from error
    return found


def store_to_fill() -> SqlStore:
    """The store, made or brought up to date where the settings wish that."""
    found = settings()
    if found.migrate_on_start:
        migrate(found.store_url)
    return bootstrap.open_store(found)


def existing_store(only_household: str | None = None) -> SqlStore:
    """The store, which must be there already: a typing error must not make a new one.

    Raises StatisticsError where there is none, NotFound where it lacks the one household that is wanted.
    """
    found = settings()
    url = driver_url(found.store_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise StatisticsError(f"there is no store at {url.database}; make one with: statistics-manager migrate")
    store = bootstrap.open_store(found)
    try:
        with store.reading() as view:
            has_tables = sa.inspect(view.connection).has_table("households")
    except sa.exc.DatabaseError as error:
        raise StatisticsError("the store can't be read: it is damaged, or no store at all") from error
    if not has_tables:
        raise StatisticsError("the store has no tables yet; make them with: statistics-manager migrate")
    if only_household is not None:
        bootstrap.households_of(store).get(only_household)
    return store
