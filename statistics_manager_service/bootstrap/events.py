"""Events: their handlers, and the threads that bring and handle them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence

from statistics_manager_service.bootstrap.feeds import forecast_service
from statistics_manager_service.core.units import QUARTER_S, S_PER_HOUR
from statistics_manager_service.events.wire import body_of, message_of
from statistics_manager_service.services.event_rows import OutboxEvent
from statistics_manager_service.services.events import FORECAST_COMPUTED, MOCK_CURVE, Handlers
from statistics_manager_service.services.forecasting import ForecastHandler, Forecasts
from statistics_manager_service.services.inbox import Backoff, Inbox
from statistics_manager_service.services.jobs import DailyForecasts, Jobs
from statistics_manager_service.services.mock_curves import MockCurveHandler
from statistics_manager_service.services.ports import Store
from statistics_manager_service.services.producing import Producers
from statistics_manager_service.services.recording import Recorder
from statistics_manager_service.services.relaying import LEASE_S, Lease, Relay, Retries
from statistics_manager_service.services.working import Duty, Workers
from statistics_manager_service.settings import Settings

#: How soon an event is looked for, where there was none.
_REST_S = 0.2


def handlers_of(settings: Settings, store: Store, recorder: Recorder, now_us: Callable[[], int]) -> Handlers:
    """Who handles events of which type."""
    return {
        FORECAST_COMPUTED: ForecastHandler(Forecasts(store, forecast_service(settings), now_us)),
        MOCK_CURVE: MockCurveHandler(store, recorder),
    }


def inbox_of(settings: Settings, store: Store, recorder: Recorder, now_us: Callable[[], int]) -> Inbox:
    """The inbox with all handlers."""
    backoff = Backoff(settings.event_retry_first_s, settings.event_retry_last_s, settings.event_retry_for_s)
    return Inbox(store, handlers_of(settings, store, recorder, now_us), now_us, backoff, message_of)


class InProcess:
    """Tells events by handing them to the inbox here: as messages, so that they go the way of those of a broker."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def __call__(self, events: Sequence[OutboxEvent]) -> list[int]:
        """Hand events over, one after the other, for a while: within the relay's lease; the sequences of those handed
        over. Raises Unavailable where the store is down."""
        until_s = time.monotonic() + LEASE_S / 4
        told = []
        for event in events:
            self._inbox.take(message_of(body_of(event), f"outbox {event.sequence}", event.aggregate_id.encode()))
            told.append(event.sequence)
            if time.monotonic() > until_s:
                break
        return told


def daily_duties(settings: Settings, store: Store, holder: str, now_us: Callable[[], int]) -> list[Duty]:
    """What a scheduler would do else: asking for forecasts."""
    if not settings.forecast_daily:
        return []
    forecasts = Forecasts(store, forecast_service(settings), now_us)
    jobs = Jobs(store, Producers(store, now_us), forecasts, now_us)
    daily = DailyForecasts(jobs, Lease(store, "forecasts", holder, now_us), now_us)
    return [Duty("forecasts", daily.step, QUARTER_S)]


def workers_of(settings: Settings, store: Store, recorder: Recorder, now_us: Callable[[], int]) -> Workers:
    """The threads that run beside the requests."""
    holder = secrets.token_hex(8)
    inbox = inbox_of(settings, store, recorder, now_us)
    relay = Relay(store, InProcess(inbox), Lease(store, "relay", holder, now_us), now_us, settings.event_keep_days)
    retries = Retries(store, inbox, Lease(store, "retries", holder, now_us), now_us)
    return Workers(
        [
            Duty("relay", relay.step, _REST_S),
            Duty("retries", retries.step, _REST_S),
            *daily_duties(settings, store, holder, now_us),
            Duty("forget", lambda: relay.forget() * 0, S_PER_HOUR),
        ]
    )
