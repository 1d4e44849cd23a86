"""Arrow streams from whoever sends them: nothing is unpacked, and no more rows are taken than a limit."""

from __future__ import annotations

import struct
from typing import Any, Final

import pyarrow as pa
import pyarrow.ipc

from statistics_manager_service.errors import BadInput, Fault, TooLarge

#: Places of fields in the tables of Arrow's Message.fbs.
_MESSAGE_HEADER: Final = 2
_DICTIONARY_DATA: Final = 1
_BATCH_COMPRESSION: Final = 3


def read_stream(body: bytes, most_rows: int) -> Any:
    """The table of an Arrow IPC stream, checked. Raises BadInput, TooLarge, pa.ArrowException, OSError, ValueError.

    Buffers that are packed one by one are refused: some bytes of them can unpack to any size.
    """
    for message in pa.ipc.MessageReader.open_stream(body):
        if message.type in ("record batch", "dictionary") and _is_packed(message):
            why = "its buffers are compressed; send it uncompressed, or the whole body with Content-Encoding: gzip"
            raise BadInput.of([Fault("body", why)])
    batches, rows = [], 0
    with pa.ipc.open_stream(body) as reader:
        for batch in reader:
            rows += batch.num_rows
            if rows > most_rows:
                raise TooLarge(f"the table has over {most_rows} rows; send it in parts")
            batches.append(batch)
        table = pa.Table.from_batches(batches, reader.schema)
    table.validate(full=True)
    return table


def _is_packed(message: Any) -> bool:
    """Whether the buffers of a message are compressed, from its metadata, which pyarrow has verified."""
    data = memoryview(message.metadata)
    header = _followed(data, _field(data, _followed(data, 0), _MESSAGE_HEADER))
    if message.type == "dictionary":
        header = _followed(data, _field(data, header, _DICTIONARY_DATA))
    return _field(data, header, _BATCH_COMPRESSION) != 0


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
