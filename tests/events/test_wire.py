"""Events as messages: each form in which they come is read, and nothing that can come raises."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statistics_manager_service.events.wire import body_of, message_of
from statistics_manager_service.services.events.event_rows import OutboxEvent
from statistics_manager_service.services.events.events import Message, Poison

ID, TYPE, PLACE = "0b0e6f0e-36a5-4e3b-8a4f-5b7f5b0e6f0e", "ForecastComputedEvent", "hems.statistics/0/17"
PAYLOAD = {"user_id": "abcde12345", "forecast_date": "2023-01-20"}
ENVELOPE = {"eventId": ID, "eventType": TYPE, "payload": PAYLOAD}
AS_TEXT = {**ENVELOPE, "payload": json.dumps(PAYLOAD)}
SCHEMA = {"type": "struct", "fields": [{"type": "string", "optional": False, "field": "payload"}]}


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def read(value: Any, key: bytes | None = None) -> Message:
    found = message_of(value if isinstance(value, bytes) else encoded(value), PLACE, key)
    assert isinstance(found, Message), found
    return found


def reason(value: bytes | None) -> str:
    found = message_of(value, PLACE, b"home1")
    assert isinstance(found, Poison)
    assert (found.key, found.body, found.source) == ("home1", value or b"", PLACE)
    return found.reason


FORMS = {
    "payload as an object": {"payload": ENVELOPE},
    "payload as text": {"payload": AS_TEXT},
    "a schema beside it": {"schema": SCHEMA, "payload": AS_TEXT},
    "a schema after it": {"payload": AS_TEXT, "schema": SCHEMA},
    "no schema": {"schema": None, "payload": AS_TEXT},
    "the envelope as text": {"payload": json.dumps(ENVELOPE)},
    "the envelope as text, and its payload": {"schema": {"type": "string"}, "payload": json.dumps(AS_TEXT)},
    "members that are not known": {"payload": {**ENVELOPE, "x": 1}, "op": "c"},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_of_an_event_is_read_as_the_same(form: Any) -> None:
    body = encoded(form)
    assert read(body, b"another") == Message(ID, TYPE, "abcde12345", PAYLOAD, body, PLACE)


@pytest.mark.parametrize(
    ("key", "household"),
    [
        (b"home1", "home1"),
        (b'"home1"', "home1"),
        (encoded({"schema": {"type": "string"}, "payload": "home1"}), "home1"),
        (b"12345", "12345"),
        (b"null", "null"),
        ("maison é".encode(), "maison é"),
        (b"a\0b", "ab"),
        (b"\xff", "\N{REPLACEMENT CHARACTER}"),
        (b"h" * 300, "h" * 255),
    ],
)
def test_the_messages_key_names_the_household_where_the_payload_does_not(key: bytes, household: str) -> None:
    assert read({"payload": {**ENVELOPE, "payload": {"a": 1}}}, key).key == household


def test_an_event_that_names_no_household_has_a_key_of_its_own_so_that_it_holds_up_no_other() -> None:
    body = {"payload": {**ENVELOPE, "payload": {}}}
    assert read(body).key == read(body, b"").key == ID


@pytest.mark.parametrize("user", [None, 5, "", ["home2"], {"id": "home2"}])
def test_a_household_that_is_no_text_is_passed_over(user: Any) -> None:
    assert read({"payload": {**ENVELOPE, "payload": {"user_id": user}}}, b"home1").key == "home1"


def test_a_household_of_the_payload_is_cut_and_cleaned_for_the_store() -> None:
    assert read({"payload": {**ENVELOPE, "payload": {"user_id": "\0" + "u" * 400}}}).key == "u" * 254


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "no value"),
        (b"", "no value"),
        (b"\xff\xfe", "is no JSON"),
        (b"{", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b'{"payload":' * 5_000 + b"1" + b"}" * 5_000, "is no JSON"),
        (b'{"payload": {"eventId": "\\ud800"}}', "is no JSON"),
        (b'{"payload": NaN}', "is no JSON"),
        (b"null", "no object `payload`"),
        (b"[]", "no object `payload`"),
        (b"{}", "no object `payload`"),
        (b'{"payload": "no JSON"}', "no object `payload`"),
        (b'{"payload": 5}', "no object `payload`"),
        (b'{"payload": {}}', "`payload.eventId`"),
        (encoded({"payload": {**ENVELOPE, "eventId": ""}}), "`payload.eventId` is not a text of 1 to 255"),
        (encoded({"payload": {**ENVELOPE, "eventId": "x" * 256}}), "`payload.eventId` is not a text of 1 to 255"),
        (encoded({"payload": {**ENVELOPE, "eventId": 17}}), "`payload.eventId`"),
        (encoded({"payload": {**ENVELOPE, "eventId": "a\0"}}), "`payload.eventId`"),
        (encoded({"payload": {**ENVELOPE, "eventType": None}}), "`payload.eventType`"),
        (encoded({"payload": {**ENVELOPE, "eventType": "x" * 256}}), "`payload.eventType`"),
        (encoded({"payload": {**ENVELOPE, "payload": "[1]"}}), "`payload.payload` is no object"),
        (encoded({"payload": {**ENVELOPE, "payload": "{"}}), "`payload.payload` is no object"),
        (encoded({"payload": {**ENVELOPE, "payload": None}}), "`payload.payload` is no object"),
    ],
    ids=lambda one: repr(one)[:40],
)
def test_what_is_no_event_tells_why(value: bytes | None, told: str) -> None:
    assert told in reason(value)


def test_all_faults_are_told_at_once() -> None:
    told = reason(b'{"payload": {}}')
    assert all(f"`payload.{name}`" in told for name in ("eventId", "eventType", "payload"))


def test_ids_of_the_greatest_length_are_read() -> None:
    assert len(read({"payload": {**ENVELOPE, "eventId": "é" * 255}}).event_id) == 255


def test_what_can_not_be_read_has_an_id_of_its_place_and_its_content() -> None:
    ids = {
        found.event_id
        for body, place in ((b"x", "t/0/1"), (b"x", "t/0/1"), (b"x", "t/0/2"), (b"y", "t/0/1"))
        if isinstance(found := message_of(body, place), Poison)
    }
    assert len(ids) == 3
    assert all(str(uuid.UUID(one)) == one for one in ids)


def fits(found: Message | Poison) -> None:
    """What every store can keep: short texts without NUL and lone surrogates."""
    for text in (found.event_id, found.key, found.event_type if isinstance(found, Message) else ""):
        assert len(text) <= 255
        assert "\0" not in text
        text.encode()
    assert isinstance(found, Message) or found.reason


@given(body=st.none() | st.binary(), key=st.none() | st.binary())
def test_no_bytes_raise(body: bytes | None, key: bytes | None) -> None:
    fits(message_of(body, PLACE, key))


LEAVES = st.none() | st.booleans() | st.floats() | st.text() | st.integers(-(2**70), 2**70)
NAMES = st.sampled_from(["payload", "schema", "eventId", "eventType", "user_id"]) | st.text(max_size=3)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4) | inner.map(json.dumps),
    max_leaves=12,
)


@given(value=VALUES, key=st.none() | VALUES.map(encoded))
def test_no_json_raises(value: Any, key: bytes | None) -> None:
    fits(message_of(encoded(value), PLACE, key))
    fits(message_of(encoded({"payload": value}), PLACE, key))
    fits(message_of(encoded({"payload": {**ENVELOPE, "payload": value}}), PLACE, key))


KEPT = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


@given(event_id=st.uuids(), payload=st.dictionaries(st.text(max_size=5), KEPT), home=st.text("ab1", min_size=1))
def test_an_event_that_is_told_is_read_as_it_was_put(event_id: uuid.UUID, payload: dict[str, Any], home: str) -> None:
    payload = {**payload, "user_id": home}
    event = OutboxEvent(str(event_id), "statistics", home, TYPE, 0, payload)
    body = body_of(event)
    assert message_of(body, PLACE, home.encode()) == Message(str(event_id), TYPE, home, payload, body, PLACE)
    assert set(json.loads(body)) == {"payload"}
    assert set(json.loads(body)["payload"]) == {"eventId", "eventType", "payload"}


def test_a_number_too_large_for_the_wire_is_told_all_the_same_so_that_it_holds_up_nothing() -> None:
    event = OutboxEvent(ID, "statistics", "home1", TYPE, 0, {"user_id": "home1", "delivery_time": 10**30})
    assert read(body_of(event)).payload["delivery_time"] == 1e30


def test_half_a_character_of_the_outbox_is_told_and_set_aside_by_the_reader() -> None:
    event = OutboxEvent(ID, "statistics", "home1", TYPE, 0, {"user_id": "home1", "text": "\ud800"})
    assert "is no JSON" in reason(body_of(event))
