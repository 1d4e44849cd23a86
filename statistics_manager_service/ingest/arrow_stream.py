"""Arrow streams from whoever sends them: no more is unpacked, and no more rows are taken, than a limit."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.ipc

from statistics_manager_service.errors import BadInput, Fault, TooLarge

#: Places of fields in the tables of Arrow's Message.fbs.
_MESSAGE_HEADER: Final = 2
_DICTIONARY_DATA: Final = 1
_BATCH_BUFFERS: Final = 2
_BATCH_COMPRESSION: Final = 3
#: Before a compressed buffer stands the length that it unpacks to, or -1 where it is as it is.
_PREFIX: Final = struct.Struct("<q")


def read_stream(body: bytes, most_rows: int, most_bytes: int, check: Callable[[pa.Schema], None]) -> Any:
    """The table of an Arrow IPC stream, checked. Raises BadInput, TooLarge, pa.ArrowException, OSError, ValueError.

    Some bytes of a compressed buffer can unpack to any size, so the sizes are added up before anything is unpacked.

    most_bytes: of what is compressed, unpacked; of texts that batches hold by reference. check: raises BadInput where
    the columns are not of the types that are taken.
    """
    if sum(map(_unpacked_bytes, pa.ipc.MessageReader.open_stream(body))) > most_bytes:
        raise TooLarge(f"the table unpacks to over {most_bytes} bytes; send it in parts")
    batches, rows = [], 0
    with pa.ipc.open_stream(body) as reader:
        check(reader.schema)
        for batch in reader:
            rows += batch.num_rows
            if rows > most_rows:
                raise TooLarge(f"the table has over {most_rows} rows; send it in parts")
            batches.append(batch)
        table = pa.Table.from_batches(batches, reader.schema)
    table.validate()
    if sum(_viewed_bytes(chunk) for column in table.columns for chunk in column.chunks) > most_bytes:
        raise TooLarge(f"the texts of the table have over {most_bytes} bytes; send it in parts")
    table.validate(full=True)
    return table


def _viewed_bytes(array: Any) -> int:
    """The length of texts that are views; any number of them can be of the same bytes of the body."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary
    if not pa.types.is_string_view(array.type) or not len(array):
        return 0
    sizes = np.frombuffer(array.buffers()[1], "<i4").reshape(-1, 4)[array.offset : array.offset + len(array), 0]
    return int(sizes[array.is_valid().to_numpy(zero_copy_only=False)].astype(np.int64).sum())


def _unpacked_bytes(message: Any) -> int:
    """What the buffers of a message unpack to, 0 where they are not compressed. Raises BadInput.

    It is read from the metadata, which pyarrow has verified, and from the length before each buffer, which pyarrow
    unpacks to and not beyond.
    """
    if message.type not in ("record batch", "dictionary"):
        return 0
    data = memoryview(message.metadata)
    header = _followed(data, _field(data, _followed(data, 0), _MESSAGE_HEADER))
    if message.type == "dictionary":
        header = _followed(data, _field(data, header, _DICTIONARY_DATA))
    if not _field(data, header, _BATCH_COMPRESSION):
        return 0
    vector = _followed(data, _field(data, header, _BATCH_BUFFERS))
    (count,) = struct.unpack_from("<I", data, vector)
    body, total = memoryview(message.body), 0
    for start, length in struct.iter_unpack("<qq", data[vector + 4 : vector + 4 + 16 * count]):
        if not length:
            continue
        if start < 0 or not _PREFIX.size <= length <= len(body) - start:
            raise BadInput.of(
                [Fault("body", "this is no Arrow stream: a compressed buffer lies outside of its message")]
            )
        (told,) = _PREFIX.unpack_from(body, start)
        if told < -1:
            raise BadInput.of([Fault("body", f"this is no Arrow stream: a buffer unpacks to {told} bytes")])
        total += length if told == -1 else told
    return total


def _followed(data: memoryview, place: int) -> int:
    """Where an offset of a flatbuffer leads."""
    return place + int(struct.unpack_from("<I", data, place)[0])


def _field(data: memoryview, table: int, number: int) -> int:
    """The place of a field of a flatbuffer's table, 0 where it has none."""
    vtable = table - int(struct.unpack_from("<i", data, table)[0])
    (size,) = struct.unpack_from("<H", data, vtable)
    entry = 4 + 2 * number
    if entry >= size:
        return 0
    (offset,) = struct.unpack_from("<H", data, vtable + entry)
    return table + int(offset) if offset else 0
