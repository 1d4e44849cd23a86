"""From a producer's POST to what REST shows, over a real broker: by the relay, and by messages in Debezium's form."""

from __future__ import annotations

import json
import pathlib
import secrets
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from confluent_kafka import Consumer, Producer
from kafka_server import KafkaServer
from servers import PostgresServer, RunningService

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "api"))

from homes import Api, Home
from influx_server import InfluxServer, Point
from measured import us

from statistics_manager_service.storage.database import open_engine

WAIT_S = 90


def eventually(look: Callable[[], Any], what: str) -> Any:
    """What a look finds, once it finds something."""
    until = time.monotonic() + WAIT_S
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < until, f"in {WAIT_S} s there was no {what}"
        time.sleep(0.1)


class System:
    """The service, its store and the broker, with topics of their own."""

    def __init__(self, kafka: KafkaServer, database_url: str, **settings: str) -> None:
        self.kafka, self.prefix = kafka, f"t{secrets.token_hex(4)}"
        self.url = database_url
        self.service = RunningService(
            {
                "DATABASE_URL": database_url,
                "KAFKA_BROKER_ENDPOINT": kafka.endpoint,
                "KAFKA_TOPIC_PREFIX": self.prefix,
                "EVENT_RETRY_FIRST_S": "0.2",
                **settings,
            }
        )

    def __enter__(self) -> System:
        self.service.start()
        self.api = Api(self.service)
        return self

    def __exit__(self, *_: object) -> None:
        self.service.stop()

    def outbox(self) -> list[dict[str, Any]]:
        engine = open_engine(self.url)
        with engine.connect() as connection:
            rows = connection.execute(sa.text("SELECT * FROM events ORDER BY sequence")).mappings().all()
        engine.dispose()
        return [dict(row) for row in rows]

    def messages(self, topic: str, count: int) -> list[tuple[bytes | None, dict[str, bytes], bytes]]:
        """The first so many messages of a topic: key, headers, value."""
        consumer = Consumer(
            {"bootstrap.servers": self.kafka.endpoint, "group.id": secrets.token_hex(4),
             "auto.offset.reset": "earliest", "topic.metadata.refresh.interval.ms": 500}
        )  # fmt: skip
        consumer.subscribe([f"{self.prefix}.{topic}"])
        found: list[tuple[bytes | None, dict[str, bytes], bytes]] = []

        def look() -> bool:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                found.append((message.key(), dict(message.headers() or []), message.value() or b""))
            return len(found) >= count

        eventually(look, f"{count} messages in {topic}, but {len(found)}")
        consumer.close()
        return found

    def send(self, topic: str, key: bytes, value: bytes) -> None:
        producer = Producer({"bootstrap.servers": self.kafka.endpoint})
        producer.produce(f"{self.prefix}.{topic}", value, key)
        assert producer.flush(10) == 0

    def real_kwh(self, home: Home, day: str) -> float | None:
        answer = self.api.get(
            "/power-consumed-real",
            {"user_id": home.id, "start_date": day, "end_date": f"{day}T23:59:59Z", "group_by": "daily"},
        )
        real = answer.json()[0]["real"]
        return real[0]["energy"] if real else None

    def forecast_kwh(self, home: Home, day: str) -> float | None:
        answer = self.api.get(
            "/energy-consumed-forecast-vs-real",
            {"user_ids": home.id, "start_date": day, "end_date": f"{day}T23:59:59Z", "group_by": "daily"},
        )
        forecast = answer.json()[0]["forecast"]
        return forecast[0]["energy"] if forecast else None


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def store_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('events') / 'statistics.sqlite3'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.create_database()


@pytest.fixture(scope="module")
def relayed(kafka: KafkaServer, store_url: str) -> Iterator[System]:
    """The service with its own relay."""
    with System(kafka, store_url, KAFKA_RELAY="true") as system:
        yield system


def test_a_mock_curve_goes_by_outbox_and_topic_to_what_rest_shows(relayed: System) -> None:
    home = Home(relayed.api)
    query = {"user_id": home.id, "start_date": "2024-05-10T00:00:00Z", "delivery_time": 30}
    answer = relayed.api.call("POST", "/mock-consumption-curve-producer", params=query)
    assert answer.status_code == 201, answer.text
    event = next(row for row in relayed.outbox() if row["aggregateid"] == home.id)
    assert str(uuid.UUID(str(event["id"]))) == answer.json()["event_id"]
    assert event["type"] == "ComputeMockConsumptionCurveEvent"
    kwh = eventually(lambda: relayed.real_kwh(home, "2024-05-10"), "mock curve")
    assert kwh > 1
    eventually(lambda: relayed.forecast_kwh(home, "2024-05-10"), "forecast")
    sent = [one for one in relayed.messages("statistics", 1) if one[0] == home.id.encode()]
    assert json.loads(sent[0][2])["payload"]["eventId"] == answer.json()["event_id"]
    assert sent[0][1]["id"].decode() == answer.json()["event_id"]
    eventually(
        lambda: all(row["told_us"] for row in relayed.outbox() if row["aggregateid"] == home.id), "mark in the outbox"
    )


def test_a_forecast_goes_the_same_way(relayed: System) -> None:
    home = Home(relayed.api)
    days = [f"2024-05-{day:02d}" for day in range(1, 9)]
    for day in days:
        query = {"user_id": home.id, "start_date": day, "delivery_time": 15}
        assert relayed.api.call("POST", "/mock-consumption-curve-producer", params=query).status_code == 201
    eventually(lambda: relayed.real_kwh(home, days[-1]), "mock curve")
    query = {"user_id": home.id, "forecast_day": "2024-05-09"}
    assert relayed.api.call("POST", "/trigger-computed-forecast-producer", params=query).status_code == 201
    kwh = eventually(lambda: relayed.forecast_kwh(home, "2024-05-09"), "forecast")
    mean = sum(float(relayed.real_kwh(home, day) or 0) for day in days) / len(days)
    assert mean / 2 < kwh < mean * 2


def test_telemetry_goes_from_influxdb_by_outbox_and_topic_to_what_rest_shows(
    kafka: KafkaServer, tmp_path: pathlib.Path
) -> None:
    start_ns = us("2023-01-01") * 1000
    with InfluxServer() as influx:
        influx.points = [
            Point("key1", "energyImported", start_ns + n * 3_600 * 10**9, 1_000 + n * n) for n in range(25)
        ]
        url = f"sqlite:///{tmp_path / 's.sqlite3'}"
        with System(kafka, url, KAFKA_RELAY="true", **influx.settings()) as system:
            home = Home(system.api, api_key="key1", register_unit="Wh")
            query = {"user_id": home.id, "start_datetime": "2023-01-01", "end_datetime": "2023-01-02"}
            assert system.api.call("POST", "/users-get-real-data-producer", params=query).status_code == 201
            assert eventually(lambda: system.real_kwh(home, "2023-01-01"), "telemetry") == 0.58
            assert system.messages("statistics", 1)[0][0] == home.id.encode()


def test_what_can_not_be_handled_is_found_in_the_dead_letter_topic_and_in_health(relayed: System) -> None:
    relayed.send("statistics", b"nobody", b"\xff no JSON")
    home = Home(relayed.api)
    query = {"user_id": home.id, "start_datetime": "2024-05-10", "end_datetime": "2024-05-11"}
    assert relayed.api.call("POST", "/users-get-real-data-producer", params=query).status_code == 201
    found = relayed.messages("statistics.dead-letter", 2)
    bodies = [value for _, _, value in found]
    assert b"\xff no JSON" in bodies
    reasons = [headers["reason"].decode() for _, headers, _ in found]
    assert any("no JSON" in reason for reason in reasons)
    assert any("INFLUX_URL" in reason or "api_key" in reason for reason in reasons)
    health = relayed.api.get("/health").json()
    assert health["dependencies"]["kafka"] == "ok"
    assert health["events"]["set_aside"] >= 2


@pytest.mark.parametrize("inner_is_text", [True, False])
@pytest.mark.parametrize("with_schema", [True, False])
def test_messages_in_debeziums_form_are_handled(relayed: System, inner_is_text: bool, with_schema: bool) -> None:
    """The outbox event router with a converter to JSON: an envelope, its payload as text; the key in quotes."""
    home = Home(relayed.api)
    told = {"user_id": home.id, "start_date": "2024-05-10T00:00:00Z", "delivery_time": 15, "contracted_power": 6.9}
    payload: Any = json.dumps(told) if inner_is_text else told
    envelope = {"eventId": str(uuid.uuid4()), "eventType": "ComputeMockConsumptionCurveEvent", "payload": payload}
    body: dict[str, Any] = {"payload": envelope}
    if with_schema:
        body["schema"] = {"type": "struct", "optional": False, "fields": [{"field": "payload", "type": "string"}]}
    relayed.send("statistics", json.dumps(home.id).encode(), json.dumps(body).encode())
    assert eventually(lambda: relayed.real_kwh(home, "2024-05-10"), "mock curve") > 1


def test_without_the_relay_events_stay_in_the_outbox_for_debezium(kafka: KafkaServer, tmp_path: pathlib.Path) -> None:
    with System(kafka, f"sqlite:///{tmp_path / 's.sqlite3'}") as system:
        home = Home(system.api)
        query = {"user_id": home.id, "forecast_day": "2024-05-10"}
        assert system.api.call("POST", "/trigger-computed-forecast-producer", params=query).status_code == 201
        time.sleep(1)
        assert [row["told_us"] for row in system.outbox()] == [None]


def test_the_service_starts_and_answers_without_its_broker_and_catches_up(
    kafka_jars: None, tmp_path: pathlib.Path
) -> None:
    kafka = KafkaServer()
    try:
        with System(kafka, f"sqlite:///{tmp_path / 's.sqlite3'}", KAFKA_RELAY="true") as system:
            home = Home(system.api)
            query = {"user_id": home.id, "start_date": "2024-05-10", "delivery_time": 15}
            assert system.api.call("POST", "/mock-consumption-curve-producer", params=query).status_code == 201
            eventually(lambda: system.api.get("/health").json()["dependencies"]["kafka"] == "down", "state down")
            assert system.api.get("/health").json()["status"] == "degraded"
            kafka.start()
            assert eventually(lambda: system.real_kwh(home, "2024-05-10"), "mock curve") > 1
            eventually(lambda: system.api.get("/health").json()["dependencies"]["kafka"] == "ok", "state ok")
    finally:
        kafka.stop()
