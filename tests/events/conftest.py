"""A real broker for the tests of events."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from kafka_server import KafkaServer, NoKafka
from structlog.testing import capture_logs


@pytest.fixture(autouse=True)
def log() -> Iterator[list[Any]]:
    """What is logged, kept instead of printed: it may quote what no terminal can show."""
    with capture_logs() as lines:
        yield lines


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaServer]:
    """A broker of the session's own."""
    try:
        server = KafkaServer()
    except NoKafka as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    with server:
        yield server
