"""A real broker for the tests of events."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from kafka_server import KafkaServer, NoKafka, broker_jars
from structlog.testing import capture_logs


@pytest.fixture(autouse=True)
def log() -> Iterator[list[Any]]:
    """What is logged, kept instead of printed: it may quote what no terminal can show."""
    with capture_logs() as lines:
        yield lines


@pytest.fixture(scope="session")
def kafka_jars() -> None:
    """What a broker needs is on this machine; where it is not, its tests fail, or are passed over."""
    try:
        broker_jars()
    except NoKafka as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def kafka(kafka_jars: None) -> Iterator[KafkaServer]:
    """A broker of the session's own."""
    with KafkaServer() as server:
        yield server
