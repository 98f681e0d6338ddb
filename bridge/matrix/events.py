"""Events as Synapse writes them, into the model's."""

import json
import re
from collections.abc import Iterator, Mapping, MutableSequence, Sequence
from contextlib import suppress
from typing import Annotated, Any, Literal, NamedTuple, cast

import msgspec

from bridge.model.event import MatrixEvent, Receipt
from bridge.model.ids import EventID, RoomID, UserID
from bridge.model.json import json_sha256

_LAST_MS = 253_402_300_799_999  # the last millisecond of the year 9999
_INTEGER_DIGITS = 18
_ODD = re.compile("[\0\ud800-\udfff]")
_ODD_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_AS_ZEROS = bytes.maketrans(b"0123456789", b"0" * 10)
_LONG_INTEGER = b"0" * (_INTEGER_DIGITS + 1)

STREAM_POSITION = "com.bitnexus.stream_position"
"""Where our module puts an event's stream ordering, in ``unsigned``."""

Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=_LAST_MS)]


class Transaction(NamedTuple):
    """What a transaction of Synapse holds for the inbox."""

    items: list[tuple[str, MatrixEvent | Receipt]]
    unparsable: list[tuple[str, str]]


class NotAnObject(ValueError):
    """The body is JSON, but no object."""


class _RawEvent(msgspec.Struct):
    event_id: EventID
    room_id: RoomID
    type: str
    sender: UserID
    content: dict[str, Any]
    origin_server_ts: Milliseconds
    state_key: str | None = None
    redacts: EventID | None = None
    unsigned: dict[str, Any] | None = None


def parse_event(raw: object) -> MatrixEvent:
    """Return one event; raises msgspec.ValidationError, which names the field."""
    event = msgspec.convert(raw, _RawEvent)
    return MatrixEvent(
        event_id=event.event_id,
        room_id=event.room_id,
        event_type=event.type,
        sender=event.sender,
        content=event.content,
        origin_server_ts=event.origin_server_ts,
        state_key=event.state_key,
        redacts=event.redacts,
        stream_position=_stream_position(event.unsigned or {}),
    )


def _stream_position(unsigned: Mapping[str, Any]) -> int | None:
    found = unsigned.get(STREAM_POSITION)
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else None


def parse_transaction(body: bytes) -> Transaction:
    """Read the body of ``PUT /_matrix/app/v1/transactions/{txnId}``; raises ValueError when it is no JSON object.

    What one event gets wrong never holds up the others: it is set apart with the reason.
    """
    tree = _read_json(body)
    if not isinstance(tree, dict):
        raise NotAnObject("the body must be a JSON object")
    transaction = Transaction([], [])
    for raw in _list(tree, "events"):
        try:
            event = parse_event(raw)
        except msgspec.ValidationError as error:
            transaction.unparsable.append((json.dumps(raw), str(error)))
        else:
            transaction.items.append((event.event_id, event))
    for raw in _list(tree, "ephemeral"):
        transaction.items.extend(_receipts(raw))
    return transaction


def _read_json(body: bytes) -> Any:
    """Read what is plain the fast way, and whatever may hold something odd the careful one."""
    if not _may_be_odd(body):
        with suppress(msgspec.DecodeError):
            return msgspec.json.decode(body)
    return _storable(json.loads(body, parse_int=_integer))


def _may_be_odd(body: bytes) -> bool:
    """Look for escapes of NUL and of surrogates, and for integers beyond 64 bits.

    Each look is a search for fixed bytes, as long as there is nothing: an expression for all of them would take longer
    than everything else that is done with a transaction before it is stored.
    """
    if b"\\u" in body and _ODD_ESCAPE.search(body):
        return True
    return _LONG_INTEGER in body.translate(_AS_ZEROS)


def _list(tree: Any, key: str) -> list[Any]:
    found = tree.get(key)
    return [*cast("Sequence[Any]", found)] if isinstance(found, list) else []


class _RawReceipts(msgspec.Struct):
    type: Literal["m.receipt"]
    room_id: RoomID
    content: dict[EventID, dict[str, dict[UserID, dict[str, Any]]]]


def _receipts(raw: object) -> Iterator[tuple[str, Receipt]]:
    """Yield the read receipts of an ephemeral event; typing and whatever else is ephemeral is let go."""
    try:
        receipts = msgspec.convert(raw, _RawReceipts)
    except msgspec.ValidationError:
        return
    for event_id, by_type in receipts.content.items():
        for receipt_type in ("m.read", "m.read.private"):
            for user_id, details in by_type.get(receipt_type, {}).items():
                ts = details.get("ts")
                if isinstance(ts, int) and not isinstance(ts, bool) and 0 <= ts <= _LAST_MS:
                    receipt = Receipt(room_id=receipts.room_id, event_id=event_id, user_id=user_id, ts=ts)
                    yield receipt_id(receipt, receipt_type), receipt


def receipt_id(receipt: Receipt, receipt_type: str) -> str:
    """Return the id by which the inbox knows a receipt, however it came."""
    return "receipt:" + json_sha256([receipt.room_id, receipt.event_id, receipt.user_id, receipt.ts, receipt_type])


def _integer(text: str) -> int | str:
    """Read an integer; one beyond 64 bits, which Matrix has none of, stays text and fails where a number is wanted."""
    return int(text) if len(text.lstrip("-")) <= _INTEGER_DIGITS else text


def _storable(tree: Any) -> Any:
    """Put U+FFFD in place of what PostgreSQL's text cannot hold: NUL and lone surrogates.

    Without recursion: an event nested as deep as Synapse takes it must not be the one that holds up all others.
    """
    whole: list[Any] = [tree]
    unseen: list[Any] = [whole]
    while unseen:
        value = unseen.pop()
        if isinstance(value, dict):
            fields = cast("dict[str, Any]", value)
            items = [(_ODD.sub("\ufffd", key), _leaf(item)) for key, item in fields.items()]
            fields.clear()
            fields.update(items)
            unseen.extend(fields.values())
        elif isinstance(value, list):
            elements = cast("MutableSequence[Any]", value)
            elements[:] = [_leaf(item) for item in elements]
            unseen.extend(elements)
    return whole[0]


def _leaf(value: Any) -> Any:
    return _ODD.sub("\ufffd", value) if isinstance(value, str) else value
