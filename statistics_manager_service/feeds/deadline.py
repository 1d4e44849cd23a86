"""Deadlines of whole calls over HTTP. The client's own timeouts count anew for each piece that arrives, so that a byte
now and then would keep a call going for ever."""

from __future__ import annotations

import math
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import httpcore
import httpx

#: A time of `time.monotonic` by which what this thread is about ends.
_UNTIL_S: ContextVar[float] = ContextVar("until_s", default=math.inf)
_PIECE_BYTES: Final = 2**16


@contextmanager
def until(deadline_s: float) -> Iterator[None]:
    """Let what waits for the network in this block end by a time of `time.monotonic`, with httpx.TimeoutException. Of
    blocks in each other the earliest counts."""
    before = _UNTIL_S.set(min(deadline_s, _UNTIL_S.get()))
    try:
        yield
    finally:
        _UNTIL_S.reset(before)


def keep_deadlines(client: httpx.Client) -> None:
    """Make a client's connections keep to `until`.

    It has no public way to be given a network of another make, but through a transport, with which it would no longer
    heed the proxies that the environment names.
    """
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx.HTTPTransport):
            transport._pool._network_backend = _Network(transport._pool._network_backend)


def _left_s(timeout_s: float | None, late: type[Exception]) -> float | None:
    left_s = _UNTIL_S.get() - time.monotonic()
    if left_s <= 0:
        raise late("the call has run out of time")
    if math.isinf(left_s):
        return timeout_s
    return left_s if timeout_s is None else min(timeout_s, left_s)


class _Network(httpcore.NetworkBackend):
    def __init__(self, network: httpcore.NetworkBackend) -> None:
        self._network = network

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect, by the deadline."""
        left_s = _left_s(timeout, httpcore.ConnectTimeout)
        return _Stream(self._network.connect_tcp(host, port, left_s, local_address, socket_options))


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has come, by the deadline."""
        return self._stream.read(max_bytes, _left_s(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send, by the deadline: in pieces, as one that is slow to take them is given the timeout for each."""
        for first in range(0, len(buffer), _PIECE_BYTES):
            self._stream.write(buffer[first : first + _PIECE_BYTES], _left_s(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        """Close."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Begin TLS, by the deadline."""
        left_s = _left_s(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left_s))

    def get_extra_info(self, info: str) -> Any:
        """What the stream below tells."""
        return self._stream.get_extra_info(info)
