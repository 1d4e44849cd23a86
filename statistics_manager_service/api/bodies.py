"""Reading bodies: bounded, also when they come in pieces or packed."""

from __future__ import annotations

import zlib
from typing import Any, Final

import orjson
from fastapi import Request

from statistics_manager_service.core.names import repeated_members
from statistics_manager_service.errors import BadInput, Fault, TooLarge, UnsupportedMedia

_GZIP: Final = 16 + zlib.MAX_WBITS
#: Writers join a few gzip members, one a batch; each costs a new decompressor.
_MOST_MEMBERS: Final = 1000


async def read_body(request: Request) -> bytes:
    """The body, unpacked. Raises TooLarge, BadInput for broken gzip, UnsupportedMedia for another encoding."""
    most = int(request.app.state.services.settings.max_body_bytes)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise UnsupportedMedia(f"the encoding {encoding[:40]!r} is not read here; send gzip or none")
    unpacker = _Unpacker() if encoding == "gzip" else None
    pieces, size = [], 0
    async for piece in request.stream():
        if unpacker is not None:
            piece = unpacker.unpack(piece, most - size)
        size += len(piece)
        if size > most:
            raise TooLarge(f"the body is over {most} bytes")
        pieces.append(piece)
    if unpacker is not None:
        unpacker.finish()
    return b"".join(pieces)


class _Unpacker:
    """Unpacks gzip that comes in pieces: one member or several, as RFC 1952 has it."""

    def __init__(self) -> None:
        self._member, self._members = zlib.decompressobj(_GZIP), 1

    def unpack(self, piece: bytes, room: int) -> bytes:
        """A piece unpacked, up to a byte over the room that is left: a bomb does not get to go off."""
        out = b""
        while piece and len(out) <= room:
            if self._member.eof:
                piece = piece.lstrip(b"\0")  # padding behind a member
                if not piece:
                    break
                self._member, self._members = zlib.decompressobj(_GZIP), self._members + 1
                if self._members > _MOST_MEMBERS:
                    raise _broken()
            try:
                out += self._member.decompress(piece, room + 1 - len(out))
            except zlib.error as error:
                raise _broken() from error
            piece = self._member.unused_data
        return out

    def finish(self) -> None:
        """The body has ended. Raises BadInput where it ended inside a member."""
        if not self._member.eof:
            raise _broken()


def _broken() -> BadInput:
    return BadInput("the body is not gzip, or ends too early", [Fault("body", "broken gzip")])


async def read_json(request: Request) -> Any:
    """The body as JSON. Raises BadInput."""
    body = await read_body(request)
    try:
        told = orjson.loads(body)
    except ValueError as error:
        raise BadInput.of([Fault("body", f"this is not JSON: {str(error)[:200]}")]) from error
    repeated = repeated_members(body)
    if repeated:
        raise BadInput.of(repeated)
    return told
