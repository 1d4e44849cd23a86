"""Debezium's connector as it is shipped: it reads the outbox's columns, and sends messages that the consumer reads.

Its documentation: Outbox Event Router, https://debezium.io/documentation/reference/stable/transformations/outbox-event-router.html
"""

from __future__ import annotations

import json
import pathlib
import uuid

import pytest
import sqlalchemy as sa
from measured import open_store

from statistics_manager_service.events.kafka import Topics
from statistics_manager_service.events.wire import message_of
from statistics_manager_service.services.events.events import AGGREGATE, FORECAST_COMPUTED, Message, new_event
from statistics_manager_service.settings import Settings
from statistics_manager_service.storage import schema

FILE = pathlib.Path(__file__).parent.parent.parent / "deploy" / "debezium" / "outbox-connector.json"
CONFIG: dict[str, str] = json.loads(FILE.read_text())["config"]
ROUTER = "transforms.outbox."
#: The router's defaults of the columns that the configuration does not name.
DEFAULTS = {
    "table.field.event.id": "id",
    "table.field.event.key": "aggregateid",
    "table.field.event.payload": "payload",
    "route.by.field": "aggregatetype",
}


def routed(name: str) -> str:
    return CONFIG.get(ROUTER + name, DEFAULTS.get(name, ""))


def placements() -> list[tuple[str, str, str]]:
    """Column, place, name."""
    told = CONFIG[ROUTER + "table.fields.additional.placement"].split(",")
    return [(column, place, name) for column, place, name in (one.split(":") for one in told)]


@pytest.mark.parametrize("name", DEFAULTS)
def test_each_field_that_the_router_reads_is_a_column_of_the_outbox(name: str) -> None:
    assert routed(name) in schema.events.columns


def test_the_table_that_is_read_is_the_outbox() -> None:
    assert CONFIG["table.include.list"] == f"public.{schema.events.name}"


def test_inserts_alone_are_told_so_that_neither_marking_nor_forgetting_sends_anything() -> None:
    assert set(CONFIG["skipped.operations"].split(",")) == {"u", "d", "t"}
    assert CONFIG["tombstones.on.delete"] == "false"


def test_the_envelope_has_the_id_and_the_type_of_the_event() -> None:
    assert {name: (column, place) for column, place, name in placements()} == {
        "eventId": (schema.events.c.id.name, "envelope"),
        "eventType": (schema.events.c.type.name, "envelope"),
    }


def test_events_go_to_the_topic_that_the_consumer_reads() -> None:
    prefix = Settings.model_fields["kafka_topic_prefix"].default
    topic = CONFIG[ROUTER + "route.topic.replacement"].replace("${routedByValue}", AGGREGATE)
    assert topic == Topics.of(prefix).events == "hems.statistics"


def test_the_converters_write_what_the_consumer_reads() -> None:
    assert CONFIG["value.converter"].endswith(".JsonConverter")
    assert CONFIG["value.converter.schemas.enable"] == "true"  # it puts all into `payload`
    assert ROUTER + "table.expand.json.payload" not in CONFIG  # so the payload is text


def test_no_secret_stands_in_the_configuration() -> None:
    for name in ("database.hostname", "database.user", "database.password"):
        assert CONFIG[name].startswith("${env:")


def test_a_row_of_the_outbox_in_the_routers_documented_form_is_read_as_the_event(database_url: str) -> None:
    store = open_store(database_url)
    event = new_event(FORECAST_COMPUTED, "home1", {"user_id": "home1", "forecast_date": "2023-01-20"}, 1_674_172_800)
    with store.writing() as view:
        view.add_event(event)
    with store.reading() as view:
        statement = sa.text("SELECT id, aggregatetype, aggregateid, type, payload FROM events")
        row = dict(view.connection.execute(statement).mappings().one())
    store.close()
    payload = row[routed("table.field.event.payload")]
    row["payload"] = payload if isinstance(payload, str) else json.dumps(payload)  # as text, as the log has it
    row["id"] = str(uuid.UUID(str(row["id"])))
    assert row[routed("route.by.field")] == AGGREGATE
    struct = {"payload": row["payload"], **{name: row[column] for column, _, name in placements()}}
    fields = [{"type": "string", "optional": name == "payload", "field": name} for name in struct]
    told = {"schema": {"type": "struct", "fields": fields, "optional": False}, "payload": struct}
    body = json.dumps(told).encode()
    found = message_of(body, "hems.statistics/0/0", str(row[routed("table.field.event.key")]).encode())
    assert found == Message(event.event_id, FORECAST_COMPUTED, "home1", event.payload, body, "hems.statistics/0/0")
