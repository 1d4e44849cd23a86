"""Events as messages: the JSON that FlexiHome's services exchange, and the forms that Debezium gives it.

A message's value is `{"payload": {"eventId", "eventType", "payload"}}`, beside it a `schema` where Debezium's converter
writes one. The inner payload is an object, or JSON text of one (Debezium passes the outbox's column on as text).
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any, Final

import orjson

from statistics_manager_service.services.events.event_rows import OutboxEvent
from statistics_manager_service.services.events.events import Message, Poison

_LONGEST_NAME: Final = 255
#: Names a household in the payloads of FlexiHome's events.
_USER: Final = "user_id"


def body_of(event: OutboxEvent) -> bytes:
    """The value of the message that tells an event."""
    inner = {"eventId": event.event_id, "eventType": event.event_type, "payload": dict(event.payload)}
    try:
        return orjson.dumps({"payload": inner})
    except (
        TypeError
    ):  # such as an integer of more than 64 bits: what is in the outbox has to be told, or all behind waits
        return json.dumps({"payload": inner}).encode()


def message_of(body: bytes | None, source: str, key: bytes | None = None) -> Message | Poison:
    """The event of a message's value; Poison where it can't be read.

    source: where the message was, such as `hems.statistics/0/17`; the made-up id of what can't be read comes from it
    and from the value.
    key: the message's own; it is the household's id unless the payload tells one; without either, an event is alone.
    """
    told_key = _text(key)

    def poison(reason: str) -> Poison:
        # by place and content: a topic that was made anew has other messages at the same places
        content = hashlib.sha256(body or b"").hexdigest()
        return Poison(str(uuid.uuid5(uuid.NAMESPACE_URL, f"{source} {content}")), told_key, body or b"", source, reason)

    if not body:
        return poison("the message has no value")
    try:
        outer = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return poison(f"the value is no JSON: {error}")
    envelope = outer.get("payload") if isinstance(outer, dict) else None
    if isinstance(outer, dict) and "eventType" in outer:  # a converter that writes no schema around it
        envelope = outer
    if isinstance(envelope, str):  # a converter that wrote the whole envelope as text
        envelope = _parsed(envelope)
    if not isinstance(envelope, dict):
        return poison("the value has no object `payload`")
    event_id, event_type, payload = envelope.get("eventId"), envelope.get("eventType"), envelope.get("payload")
    faults = [
        f"`{name}` is not a text of 1 to {_LONGEST_NAME} characters"
        for name, value in (("payload.eventId", event_id), ("payload.eventType", event_type))
        if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_NAME or "\0" in value
    ]
    if isinstance(payload, str):
        payload = _parsed(payload)
    if not isinstance(payload, dict):
        faults.append("`payload.payload` is no object, nor the text of one")
    if faults or not isinstance(payload, dict):
        return poison("; ".join(faults))
    return Message(str(event_id), str(event_type), _key_of(payload) or told_key or str(event_id), payload, body, source)


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _key_of(payload: Mapping[str, Any]) -> str:
    user = payload.get(_USER)
    return user[:_LONGEST_NAME].replace("\0", "") if isinstance(user, str) else ""


def _text(key: bytes | None) -> str:
    """A message's key as text; Debezium's JSON converter puts it in quotes, or into an object with a schema."""
    if key is None:
        return ""
    text = key.decode("utf-8", "replace").replace("\0", "")
    parsed = _parsed(text)
    if isinstance(parsed, dict):
        parsed = parsed.get("payload")
    return (parsed if isinstance(parsed, str) else text)[:_LONGEST_NAME]
