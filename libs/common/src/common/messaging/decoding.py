"""The client's decoders, made to read the properties of every message that a broker delivers.

What the client cannot read it takes for a broken connection. The broker sends the message again on the next one, and
with it whatever waits behind it, so that one publisher's odd header stops a queue, and then the parking lot. So here a
text that is not UTF-8 has replacement characters, a table that is too deep or has no readable names is empty, and a
time outside the calendar is the time of arrival.
"""

import struct
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from pamqp import decode
from pamqp.common import FieldValue

# tables in tables; Python's own limit would come at a few hundred, and every later step has less room than this one
MAX_DEPTH: Final = 20

_Decoder = Callable[[bytes], tuple[int, FieldValue]]


def install() -> None:
    """For every connection of this process; a second call changes nothing."""
    if decode.METHODS["shortstr"] is _short_text:
        return
    table, array, moment = (_nested(decode.field_table, {}), _nested(decode.field_array, []), _in_calendar)
    decode.METHODS.update({"shortstr": _short_text, "table": table, "array": array, "timestamp": moment})
    decode.TABLE_MAPPING.update({b"F": table, b"A": array, b"T": moment})


def _short_text(value: bytes) -> tuple[int, str]:
    if not value:
        raise ValueError("no length of a short text")
    end = value[0] + 1
    return end, value[1:end].decode("utf-8", "replace")


def _in_calendar(value: bytes) -> tuple[int, datetime]:
    try:
        return decode.timestamp(value)
    except (ValueError, OverflowError, OSError):
        if len(value) < 8:
            raise
        return 8, datetime.now(UTC)


class _Nesting:
    """How deep the table is that is being read; decoding never waits, so that there is one at a time."""

    depth = 0


def _nested(read: _Decoder, empty: FieldValue) -> _Decoder:
    def decoder(value: bytes) -> tuple[int, FieldValue]:
        _Nesting.depth += 1
        try:
            if _Nesting.depth <= MAX_DEPTH:
                return read(value)
        except ValueError:  # also of a name that is not UTF-8
            if len(value) < _end(value):
                raise
        finally:
            _Nesting.depth -= 1
        return _end(value), empty

    return decoder


def _end(value: bytes) -> int:
    """Behind a table or array, which begins with its length. Raises `ValueError`."""
    try:
        (length,) = struct.unpack_from(">I", value)
    except struct.error as error:
        raise ValueError("no length of a table") from error
    return 4 + int(length)
