"""Reading bodies: bounded, also when they come in pieces or packed."""

from __future__ import annotations

import zlib
from typing import Any

import orjson
from fastapi import Request

from statistics_manager_service.errors import BadInput, Fault, TooLarge, UnsupportedMedia

_GZIP = 16 + zlib.MAX_WBITS


async def read_body(request: Request) -> bytes:
    """The body, unpacked. Raises TooLarge, BadInput for broken gzip, UnsupportedMedia for another encoding."""
    most = int(request.app.state.services.settings.max_body_bytes)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise UnsupportedMedia(f"the encoding {encoding[:40]!r} is not read here; send gzip or none")
    unpacker = zlib.decompressobj(_GZIP) if encoding == "gzip" else None
    pieces, size = [], 0
    async for piece in request.stream():
        if unpacker is not None:
            piece = _unpacked(unpacker, piece, most - size)
        size += len(piece)
        if size > most:
            raise TooLarge(f"the body is over {most} bytes")
        pieces.append(piece)
    if unpacker is not None and not unpacker.eof:
        raise _broken()
    return b"".join(pieces)


def _unpacked(unpacker: Any, piece: bytes, room: int) -> bytes:
    """A piece unpacked, up to a byte over the room that is left: a bomb does not get to go off."""
    try:
        out = bytes(unpacker.decompress(piece, room + 1))
    except zlib.error as error:
        raise _broken() from error
    return out


def _broken() -> BadInput:
    return BadInput("the body is not gzip, or ends too early", [Fault("body", "broken gzip")], code="invalid")


async def read_json(request: Request) -> Any:
    """The body as JSON. Raises BadInput."""
    body = await read_body(request)
    try:
        return orjson.loads(body)
    except ValueError as error:
        raise BadInput.of([Fault("body", f"this is not JSON: {str(error)[:200]}")]) from error
