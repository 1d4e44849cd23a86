"""Reading bodies: bounded, also when they come in pieces or packed."""

from __future__ import annotations

import json
import zlib
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import orjson
from fastapi import Request

from statistics_manager_service.core.names import repeated_members
from statistics_manager_service.errors import BadInput, Fault, TooLarge, UnsupportedMedia

_GZIP: Final = 16 + zlib.MAX_WBITS
#: Writers join a few gzip members, one a batch; each costs a new decompressor.
_MOST_MEMBERS: Final = 1000
_JSON_TYPE: Final = "application/json"
_DIGITS_OF_AN_INTEGER: Final = 18


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
    return _json(await read_body(request))


def media_type(request: Request) -> str:
    """The media type of the body; JSON where none is told, and where it is that of a form, which none is: a client's
    word for any body."""
    told = (request.headers.get("content-type") or _JSON_TYPE).split(";")[0].strip().lower()
    return _JSON_TYPE if told == "application/x-www-form-urlencoded" else told


def text_of(body: bytes) -> str:
    """A body as text in UTF-8. Raises BadInput."""
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise BadInput.of([Fault("body", f"this is not UTF-8: {error.reason} at byte {error.start}")]) from error


def exact_json(body: bytes) -> Any:
    """JSON with its numbers as they were written: those with decimals, and those of many digits, as Decimal.

    Raises BadInput.
    """
    _json(body)  # which is stricter: what is no JSON is refused there
    return json.loads(body, parse_float=_decimal, parse_int=_integer)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent that no number has; it is refused as no finite number
        return Decimal("Infinity")


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= _DIGITS_OF_AN_INTEGER else Decimal(text)


def _json(body: bytes) -> Any:
    try:
        told = orjson.loads(body)
    except ValueError as error:
        raise BadInput.of([Fault("body", f"this is not JSON: {str(error)[:200]}")]) from error
    repeated = repeated_members(body)
    if repeated:
        raise BadInput.of(repeated)
    return told
