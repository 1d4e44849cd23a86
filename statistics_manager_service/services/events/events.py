"""Events: what they are called, what they tell, and who handles them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from statistics_manager_service.services.events.event_rows import OutboxEvent
from statistics_manager_service.services.ports import WriteView

AGGREGATE: Final = "statistics"
FORECAST_COMPUTED: Final = "ForecastComputedEvent"
MOCK_CURVE: Final = "ComputeMockConsumptionCurveEvent"
GET_REAL_DATA: Final = "GetUserRealDataEvent"


@dataclass(frozen=True, slots=True)
class Message:
    """An event as it arrives. `key` is the household; messages of a key are handled in their order.

    body: the message as it came, kept where it has to wait or is set aside. source: where it came from.
    """

    event_id: str
    event_type: str
    key: str
    payload: Mapping[str, Any]
    body: bytes
    source: str


@dataclass(frozen=True, slots=True)
class Poison:
    """A message that can't be read. `event_id` is one that was made for it: the same for the same message."""

    event_id: str
    key: str
    body: bytes
    source: str
    reason: str


#: What a handler has to write, in the transaction that marks the event as handled.
Work = Callable[[WriteView], None]


def nothing(_view: WriteView) -> None:
    """The work of a handler that has none left to do."""


#: A handler reads the payload and fetches what it needs, outside of any transaction, and returns the work.
#: It may be called again with the same event. Raises Unavailable where it is worth a retry, Refused where it is not.
Handler = Callable[[Mapping[str, Any]], Work]
#: Handlers by event type.
Handlers = Mapping[str, Handler]


def new_event(event_type: str, household: str, payload: Mapping[str, Any], now_us: int) -> OutboxEvent:
    """An event of a household for the outbox."""
    return OutboxEvent(str(uuid.uuid4()), AGGREGATE, household, event_type, now_us, payload)
