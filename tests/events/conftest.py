"""A real broker for the tests of events."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from kafka_server import KafkaServer, NoKafka


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
