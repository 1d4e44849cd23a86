"""Events: their handlers, and the threads that bring and handle them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any

from statistics_manager_service.bootstrap.feeds import account_manager, carbon_source, forecast_service, puller_of
from statistics_manager_service.core.units import QUARTER_S, S_PER_HOUR, US_PER_DAY
from statistics_manager_service.errors import Unavailable
from statistics_manager_service.events.kafka import STATISTICS_MS, EventConsumer, Link, Sender, Topics
from statistics_manager_service.events.wire import body_of, message_of
from statistics_manager_service.services.accounts.account_events import account_handlers
from statistics_manager_service.services.carbon.histories import CarbonHistories
from statistics_manager_service.services.events.event_rows import OutboxEvent
from statistics_manager_service.services.events.events import FORECAST_COMPUTED, GET_REAL_DATA, MOCK_CURVE, Handlers
from statistics_manager_service.services.events.inbox import Backoff, Inbox
from statistics_manager_service.services.events.jobs import DailyForecasts, Jobs
from statistics_manager_service.services.events.mock_curves import MockCurveHandler
from statistics_manager_service.services.events.producing import Producers
from statistics_manager_service.services.events.relaying import (
    LEASE_S,
    Lease,
    Relay,
    Retries,
    Tell,
    Undertaker,
    forget_events,
    forget_processed,
)
from statistics_manager_service.services.events.working import Duty, Workers
from statistics_manager_service.services.forecasts.forecasting import ForecastHandler, Forecasts
from statistics_manager_service.services.ports import Store
from statistics_manager_service.services.telemetry.pulling import RealDataHandler
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.settings import Settings

#: How soon an event is looked for, where there was none.
_REST_S = 0.2


def handlers_of(settings: Settings, store: Store, recorder: Recorder, now_us: Callable[[], int]) -> Handlers:
    """Who handles events of which type."""
    return {
        FORECAST_COMPUTED: ForecastHandler(Forecasts(store, forecast_service(settings), now_us)),
        GET_REAL_DATA: RealDataHandler(store, puller_of(settings, store, recorder, now_us), now_us),
        MOCK_CURVE: MockCurveHandler(store, recorder),
        **account_handlers(store, account_manager(settings)),
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
        told: list[int] = []
        for event in events:
            message = message_of(body_of(event), f"outbox {event.sequence}", event.aggregate_id.encode())
            try:
                self._inbox.take(message)
            except Unavailable:
                if not told:
                    raise
                break  # those before it are told all the same
            told.append(event.sequence)
            if time.monotonic() > until_s:
                break
        return told


def daily_forecasts(settings: Settings, store: Store, lease: Lease, now_us: Callable[[], int]) -> Duty:
    """What a scheduler would do else: asking for forecasts."""
    jobs = Jobs(store, Producers(store, now_us), Forecasts(store, forecast_service(settings), now_us), now_us)
    return Duty("forecasts", DailyForecasts(jobs, lease, now_us).step, QUARTER_S)


def carbon_history(settings: Settings, store: Store, holder: str, now_us: Callable[[], int]) -> list[Duty]:
    """What keeps the carbon intensities of yesterday and today, where they come from somewhere. Raises StatisticsError
    where a setting of the source lacks."""
    source = carbon_source(settings)
    if source is None or not settings.carbon_history:
        return []
    kept = CarbonHistories(store, source, settings.carbon_zone, settings.carbon_ttl_s, holder, now_us)
    return [Duty("carbon", kept.step, kept.rest_s)]


def client_settings(settings: Settings, link: Link) -> dict[str, Any]:
    """What producers, consumers and the admin client have in common."""
    found: dict[str, Any] = {
        "bootstrap.servers": settings.kafka_broker_endpoint,
        "client.id": "statistics-manager",
        "security.protocol": settings.kafka_security_protocol,
        "statistics.interval.ms": STATISTICS_MS,
        "stats_cb": link.on_statistics,
        "error_cb": link.on_error,
        "topic.metadata.refresh.interval.ms": 30_000,
        "reconnect.backoff.ms": 250,
        "reconnect.backoff.max.ms": 2_000,
        "log_level": 2,  # what it tells of errors comes by `error_cb`, as lines of the service's own form
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        password = settings.kafka_sasl_password
        found |= {
            "sasl.mechanism": settings.kafka_sasl_mechanism,
            "sasl.username": settings.kafka_sasl_username or "",
            "sasl.password": password.get_secret_value() if password else "",
        }
    if settings.kafka_ssl_ca:
        found["ssl.ca.location"] = settings.kafka_ssl_ca
    return found


class Running:
    """What runs beside the requests, and its state."""

    def __init__(self, settings: Settings, store: Store, recorder: Recorder, now_us: Callable[[], int]) -> None:
        self._store = store
        self._holder, self._now_us = secrets.token_hex(8), now_us
        self._leases: list[Lease] = []
        self._closing: list[Callable[[], None]] = []
        self._link: Link | None = None
        #: Without the relay, events are told by who reads the table's log, and nobody marks them here.
        self._marks_told = settings.kafka_relay or not settings.kafka_broker_endpoint
        inbox = inbox_of(settings, store, recorder, now_us)
        duties = [Duty("forget", _resting(lambda: self._forget(settings)), S_PER_HOUR)]
        if settings.kafka_broker_endpoint:
            duties += self._with_kafka(settings, inbox)
        else:
            duties += [*self._relay(InProcess(inbox)), *self._retries(inbox)]
        if settings.forecast_daily:
            duties.append(daily_forecasts(settings, store, self._lease("forecasts"), now_us))
        duties += carbon_history(settings, store, self._holder, now_us)
        self._workers = Workers(duties, self._finish)
        self.start, self.stop = self._workers.start, self._workers.stop

    def state(self) -> dict[str, Any]:
        """What health tells of it: Kafka's state where there is one, and how many events are where: None where the
        store is down, and of the untold ones where nobody marks them."""
        kafka = None if self._link is None else self._link.state
        try:
            with self._store.reading() as view:
                counts: dict[str, int | None] = view.event_counts()._asdict()
        except Unavailable:
            return {"kafka": kafka, "events": None}
        return {"kafka": kafka, "events": counts if self._marks_told else {**counts, "untold": None}}

    def _lease(self, name: str) -> Lease:
        lease = Lease(self._store, name, self._holder, self._now_us)
        self._leases.append(lease)
        return lease

    def _relay(self, tell: Tell) -> list[Duty]:
        return [Duty("relay", Relay(self._store, tell, self._lease("relay"), self._now_us).step, _REST_S)]

    def _retries(self, inbox: Inbox) -> list[Duty]:
        return [Duty("retries", Retries(self._store, inbox, self._lease("retries"), self._now_us).step, _REST_S)]

    def _forget(self, settings: Settings) -> None:
        now_us = self._now_us()
        forget_events(self._store, now_us - round(settings.event_keep_days * US_PER_DAY), untold=not self._marks_told)
        forget_processed(self._store, now_us - round(settings.event_remember_days * US_PER_DAY))

    def _with_kafka(self, settings: Settings, inbox: Inbox) -> list[Duty]:
        link = self._link = Link()
        common, topics = client_settings(settings, link), Topics.of(settings.kafka_topic_prefix)
        sender = Sender(common, topics)
        self._closing.append(sender.close)
        undertaker = Undertaker(self._store, sender.publish, self._lease("dead-letter"), self._now_us)
        duties = [Duty("dead-letter", undertaker.step, 1), Duty("kafka", sender.poll, 1)]
        if settings.kafka_consumer:
            consumer = EventConsumer(common, topics, settings.kafka_group, inbox, link)
            self._closing.append(consumer.close)
            duties += [Duty("consumer", consumer.step, 0), *self._retries(inbox)]
        return duties + self._relay(sender.tell) if settings.kafka_relay else duties

    def _finish(self) -> None:
        for close in self._closing:
            close()
        for lease in self._leases:
            try:
                lease.release()
            except Unavailable:
                return  # they run out by themselves


def _resting(work: Callable[[], object]) -> Callable[[], int]:
    """A step that is done once in each of its duty's rests."""

    def step() -> int:
        work()
        return 0

    return step
