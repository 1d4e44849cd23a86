"""Event producers: each puts events of households into the outbox, in one transaction. A consumer does the work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from statistics_manager_service.core.labels import iso_label
from statistics_manager_service.observability import CORRELATION_ID
from statistics_manager_service.services.events.event_rows import OutboxEvent
from statistics_manager_service.services.events.events import FORECAST_COMPUTED, GET_REAL_DATA, MOCK_CURVE, new_event
from statistics_manager_service.services.homes import known_household
from statistics_manager_service.services.ports import Household, Store

#: Where a household's contracted power is not known, so that a mock curve has some height.
USUAL_CONTRACTED_POWER_KVA: Final = 6.9


@dataclass(frozen=True, slots=True)
class Wish:
    """An event that is to be put. told: of the household as it is then, what the event tells beside its id."""

    household: str
    event_type: str
    told: Callable[[Household], Mapping[str, Any]]


def forecast_wish(household: str, forecast_date: str) -> Wish:
    """Asks for the forecast of a household's day (YYYY-MM-DD)."""
    return Wish(household, FORECAST_COMPUTED, lambda _: {"forecast_date": forecast_date})


def mock_curve_wish(household: str, start_us: int, delivery_time_minutes: int) -> Wish:
    """Asks for a mock curve of the day of an instant."""
    told = {"start_date": iso_label(start_us), "delivery_time": delivery_time_minutes}
    return Wish(
        household,
        MOCK_CURVE,
        lambda owner: {**told, "contracted_power": owner.contracted_power_kva or USUAL_CONTRACTED_POWER_KVA},
    )


def real_data_wish(household: str, start_us: int, end_us: int) -> Wish:
    """Asks for a household's telemetry of a time."""
    return Wish(household, GET_REAL_DATA, lambda _: {"start_date": iso_label(start_us), "end_date": iso_label(end_us)})


class Producers:
    """Puts events into the outbox."""

    def __init__(self, store: Store, now_us: Callable[[], int]) -> None:
        self._store, self._now_us = store, now_us

    def forecast(self, household: str, forecast_date: str) -> OutboxEvent:
        """Ask for the forecast of a household's day (YYYY-MM-DD). Raises NotFound, Unavailable."""
        return self._put_one(forecast_wish(household, forecast_date))

    def mock_curve(self, household: str, start_us: int, delivery_time_minutes: int) -> OutboxEvent:
        """Ask for a mock curve of the day of an instant. Raises NotFound, Unavailable."""
        return self._put_one(mock_curve_wish(household, start_us, delivery_time_minutes))

    def real_data(self, household: str, start_us: int, end_us: int) -> OutboxEvent:
        """Ask for a household's telemetry of a time. Raises NotFound, Unavailable."""
        return self._put_one(real_data_wish(household, start_us, end_us))

    def put(self, wishes: Sequence[Wish]) -> list[OutboxEvent]:
        """Put events in one transaction: one commit for many. Those of households that are not there (any more) are
        left out. Raises Unavailable."""
        with self._store.writing() as view:
            owners = view.households_by_id(list({one.household for one in wishes}))
            events = [self._event(one, owners[one.household]) for one in wishes if one.household in owners]
            for event in events:
                view.add_event(event)
        return events

    def _put_one(self, wish: Wish) -> OutboxEvent:
        with self._store.writing() as view:
            event = self._event(wish, known_household(view, wish.household))
            view.add_event(event)
        return event

    def _event(self, wish: Wish, owner: Household) -> OutboxEvent:
        payload = {"user_id": owner.id, **wish.told(owner)}
        correlation_id = CORRELATION_ID.get()
        if correlation_id is not None:
            payload["correlation_id"] = correlation_id
        return new_event(wish.event_type, owner.id, payload, self._now_us())
