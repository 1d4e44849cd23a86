"""The connector as it is shipped, run by the real Debezium on a real PostgreSQL and a real broker."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import time
from collections.abc import Iterator

import psycopg
import pytest
from kafka_server import JAVA, VERSION, KafkaServer, NoKafka, artifacts
from servers import PostgresServer, free_port
from test_debezium import CONFIG
from test_end_to_end import Home, System, eventually

DEBEZIUM = "3.0.8.Final"
JARS = (
    f"org.apache.kafka:connect-runtime:{VERSION}",
    f"io.debezium:debezium-connector-postgres:{DEBEZIUM}",
    "org.slf4j:slf4j-simple:1.7.36",
)


@pytest.fixture
def logical() -> Iterator[PostgresServer]:
    """A PostgreSQL whose log tells of rows."""
    with PostgresServer() as server:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET wal_level = logical")
        server.kill9()
        time.sleep(1)
        server.start()
        yield server


class Connect:
    """Kafka Connect with the one connector, our child."""

    def __init__(self, kafka: KafkaServer, folder: pathlib.Path, config: dict[str, str]) -> None:
        jars = artifacts(f"debezium-{DEBEZIUM}", *JARS)
        worker = {
            "bootstrap.servers": kafka.endpoint,
            "key.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "offset.storage.file.filename": str(folder / "offsets"),
            "offset.flush.interval.ms": "1000",
            "listeners": f"HTTP://127.0.0.1:{free_port()}",
            "plugin.discovery": "service_load",
            "config.providers": "env",
            "config.providers.env.class": "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
        }
        for name, told in (("worker", worker), ("connector", {"name": "outbox", **config})):
            lines = [f"{key}={value}".replace("\\", "\\\\") for key, value in told.items()]
            (folder / f"{name}.properties").write_text("\n".join(lines))
        self.command = [*JAVA, "-Xmx512m", "-cp", f"{jars}/*", "org.apache.kafka.connect.cli.ConnectStandalone"]
        self.command += [str(folder / "worker.properties"), str(folder / "connector.properties")]
        self.folder = folder

    def start(self, **environment: str) -> subprocess.Popen[bytes]:
        log = (self.folder / "connect.log").open("ab")
        return subprocess.Popen(
            self.command, stdout=log, stderr=log, cwd=self.folder, env={**os.environ, **environment}
        )


def is_freed(server: PostgresServer, position: str) -> bool:
    """Whether the log up to a position is no longer kept for the connector."""
    with psycopg.connect(server.url("postgres")) as connection:
        query = "SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots WHERE slot_name = %s"
        row = connection.execute(query, (position, CONFIG["slot.name"])).fetchone()
    return bool(row and row[0])


def position(server: PostgresServer) -> str:
    with psycopg.connect(server.url("postgres")) as connection:
        row = connection.execute("SELECT pg_current_wal_lsn()::text").fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.timeout(290)
def test_an_event_goes_from_the_outbox_by_debezium_to_what_rest_shows(
    kafka: KafkaServer, logical: PostgresServer, tmp_path: pathlib.Path
) -> None:
    url = logical.create_database()
    with System(kafka, url) as system:
        config = {**CONFIG, "heartbeat.interval.ms": "1000"}
        router = "transforms.outbox.route.topic.replacement"
        config[router] = config[router].replace("hems.", f"{system.prefix}.")
        try:
            connect = Connect(kafka, tmp_path, config)
        except NoKafka as error:
            if os.environ.get("CI"):
                pytest.fail(str(error))
            pytest.skip(str(error))
        early, late = Home(system.api), Home(system.api)
        query = {"start_date": "2024-05-10T00:00:00Z", "delivery_time": 15}
        path = "/mock-consumption-curve-producer"
        assert system.api.call("POST", path, params={"user_id": early.id, **query}).status_code == 201
        process = connect.start(
            DATABASE_HOST="127.0.0.1",
            DATABASE_PORT=str(logical.port),
            DATABASE_NAME=url.rsplit("/", 1)[1],
            DATABASE_USER="tests",
            DATABASE_PASSWORD="unused",
        )
        try:
            assert eventually(lambda: system.real_kwh(early, "2024-05-10"), "curve of what was there before")
            event_id = system.api.call("POST", path, params={"user_id": late.id, **query}).json()["event_id"]
            assert eventually(lambda: system.real_kwh(late, "2024-05-10"), "curve of what came later")
            told = {key: (headers, json.loads(value)) for key, headers, value in system.messages("statistics", 2)}
            headers, value = told[late.id.encode()]
            assert headers["id"].decode() == value["payload"]["eventId"] == event_id
            assert isinstance(value["payload"]["payload"], str)
            # nothing but readings is written for a while: the log is not kept for ever for the sake of the outbox
            assert late.write()["accepted"] == 9
            written = position(logical)
            eventually(lambda: is_freed(logical, written), "heartbeat")
        except AssertionError as error:
            error.add_note((tmp_path / "connect.log").read_text()[-5000:])
            raise
        finally:
            process.kill()
            process.wait()
