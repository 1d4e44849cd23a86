"""Event producers: each puts an event of a household into the outbox, in one transaction. A consumer does the work"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from statistics_manager_service.core.labels import iso_label
from statistics_manager_service.observability import CORRELATION_ID
from statistics_manager_service.services.event_rows import OutboxEvent
from statistics_manager_service.services.events import FORECAST_COMPUTED, GET_REAL_DATA, MOCK_CURVE, new_event
from statistics_manager_service.services.homes import known_household
from statistics_manager_service.services.ports import Household, Store

#: Where a household's contracted power is not known, so that a mock curve has some height.
USUAL_CONTRACTED_POWER_KVA = 6.9


class Producers:
    """Puts events into the outbox."""

    def __init__(self, store: Store, now_us: Callable[[], int]) -> None:
        self._store, self._now_us = store, now_us

    def forecast(self, household: str, forecast_date: str) -> OutboxEvent:
        """Ask for the forecast of a household's day (YYYY-MM-DD). Raises NotFound, Unavailable."""
        return self._put(household, FORECAST_COMPUTED, lambda _: {"forecast_date": forecast_date})

    def mock_curve(self, household: str, start_us: int, delivery_time_minutes: int) -> OutboxEvent:
        """Ask for a mock curve of the day of an instant. Raises NotFound, Unavailable."""
        told = {"start_date": iso_label(start_us), "delivery_time": delivery_time_minutes}
        return self._put(
            household,
            MOCK_CURVE,
            lambda owner: {**told, "contracted_power": owner.contracted_power_kva or USUAL_CONTRACTED_POWER_KVA},
        )

    def real_data(self, household: str, start_us: int, end_us: int) -> OutboxEvent:
        """Ask for a household's telemetry of a time. Raises NotFound, Unavailable."""
        told = {"start_date": iso_label(start_us), "end_date": iso_label(end_us)}
        return self._put(household, GET_REAL_DATA, lambda _: told)

    def _put(
        self, household: str, event_type: str, payload_of: Callable[[Household], Mapping[str, Any]]
    ) -> OutboxEvent:
        with self._store.writing() as view:
            owner = known_household(view, household)
            payload = {"user_id": household, **payload_of(owner)}
            correlation_id = CORRELATION_ID.get()
            if correlation_id is not None:
                payload["correlation_id"] = correlation_id
            event = new_event(event_type, household, payload, self._now_us())
            view.add_event(event)
        return event
