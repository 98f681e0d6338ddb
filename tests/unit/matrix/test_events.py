"""Transactions of Synapse: everything that can be read is, and what cannot is set apart."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.matrix.events import parse_event, parse_transaction
from bridge.model.event import MatrixEvent, Receipt

EVENT: dict[str, Any] = {
    "event_id": "$1",
    "room_id": "!r",
    "type": "m.room.message",
    "sender": "@u_ben:s",
    "content": {"msgtype": "m.text", "body": "Hello"},
    "origin_server_ts": 1_700_000_000_000,
    "unsigned": {"age": 5},
}


def without(field: str) -> dict[str, Any]:
    return {key: value for key, value in EVENT.items() if key != field}


def parse(*events: object, ephemeral: object = ()) -> tuple[list[MatrixEvent | Receipt], list[tuple[str, str]]]:
    transaction = parse_transaction(json.dumps({"events": events, "ephemeral": ephemeral}).encode())
    return [body for _, body in transaction.items], transaction.unparsable


def test_an_event_is_read_whole() -> None:
    redaction = {**EVENT, "type": "m.room.redaction", "redacts": "$0"}
    state = {**EVENT, "type": "m.room.name", "state_key": "", "content": {"name": "General"}}
    (message, redacted, named), unparsable = parse(EVENT, redaction, state)
    assert unparsable == []
    assert message == MatrixEvent(
        event_id="$1",
        room_id="!r",
        event_type="m.room.message",
        sender="@u_ben:s",
        content={"msgtype": "m.text", "body": "Hello"},
        origin_server_ts=1_700_000_000_000,
    )
    assert (redacted.redacts, redacted.state_key) == ("$0", None)
    assert (named.state_key, named.content) == ("", {"name": "General"})


def test_an_item_is_known_by_its_event_id() -> None:
    transaction = parse_transaction(json.dumps({"events": [EVENT]}).encode())
    assert [item_id for item_id, _ in transaction.items] == ["$1"]


@pytest.mark.parametrize(
    "malformed",
    [
        without("sender"),
        without("event_id"),
        without("content"),
        {**EVENT, "content": []},
        {**EVENT, "content": None},
        {**EVENT, "room_id": 5},
        {**EVENT, "type": None},
        {**EVENT, "state_key": 5},
        {**EVENT, "origin_server_ts": "yesterday"},
        {**EVENT, "origin_server_ts": 1.5},
        {**EVENT, "origin_server_ts": 10**20},
        {**EVENT, "origin_server_ts": 10**16},
        {**EVENT, "origin_server_ts": -(10**15)},
        {**EVENT, "origin_server_ts": [1]},
        [],
        "event",
        None,
        5,
    ],
)
def test_a_malformed_event_is_set_apart_and_holds_up_no_other(malformed: object) -> None:
    items, ((text, error),) = parse(EVENT, malformed, {**EVENT, "event_id": "$3"})
    assert [item.event_id for item in items] == ["$1", "$3"]
    assert json.loads(text) == malformed or isinstance(malformed, dict)
    assert error


def test_an_event_with_a_number_that_no_database_holds_still_leaves_a_transaction_that_can_be_stored() -> None:
    huge = {**EVENT, "event_id": "$2", "content": {"n": 10**30, "deep": [{"n": -(10**25)}]}}
    items, unparsable = parse(EVENT, huge)
    assert len(items) + len(unparsable) == 2
    msgspec.json.encode([msgspec.to_builtins(item) for item in items])


@pytest.mark.parametrize("odd", ["\0", "\ud800", "x\udfff", "a\0b\ud83dc"])
def test_what_postgresql_cannot_hold_is_replaced(odd: str) -> None:
    (event,), _ = parse({**EVENT, "content": {odd: odd, "list": [odd]}})
    replaced = "".join("\ufffd" if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in odd)
    assert event.content == {replaced: replaced, "list": [replaced]}


def test_what_only_looks_odd_is_kept() -> None:
    (event,), _ = parse({**EVENT, "content": {"body": "🎓\u200b\x01\ufffd"}})
    assert event.content == {"body": "🎓\u200b\x01\ufffd"}


def receipt(content: object, **more: object) -> dict[str, object]:
    return {"type": "m.receipt", "room_id": "!r", "content": content, **more}


def test_receipts_of_both_kinds_are_read() -> None:
    content = {
        "$1": {"m.read": {"@u_ben:s": {"ts": 5, "thread_id": "main"}}, "m.read.private": {"@u_anna:s": {"ts": 6}}},
        "$2": {"m.read": {"@u_carl:s": {"ts": 7}}},
    }
    items, unparsable = parse(ephemeral=[receipt(content)])
    assert unparsable == []
    assert items == [
        Receipt(room_id="!r", event_id="$1", user_id="@u_ben:s", ts=5),
        Receipt(room_id="!r", event_id="$1", user_id="@u_anna:s", ts=6),
        Receipt(room_id="!r", event_id="$2", user_id="@u_carl:s", ts=7),
    ]


def test_a_receipt_that_comes_again_is_known_and_another_is_not() -> None:
    def ids(ts: int, kind: str = "m.read") -> list[str]:
        raw = {"ephemeral": [receipt({"$1": {kind: {"@u_ben:s": {"ts": ts}}}})]}
        return [item_id for item_id, _ in parse_transaction(json.dumps(raw).encode()).items]

    assert ids(5) == ids(5)
    assert len({*ids(5), *ids(6), *ids(5, "m.read.private")}) == 3
    assert all(item_id.startswith("receipt:") for item_id in ids(5)), "never an event's id"


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "m.typing", "room_id": "!r", "content": {"user_ids": ["@u_ben:s"]}},
        {"type": "m.presence", "content": {}},
        receipt(None),
        receipt([]),
        receipt({"$1": []}),
        receipt({"$1": {"m.read": []}}),
        receipt({"$1": {"m.read": {"@u_ben:s": None}}}),
        receipt({"$1": {"m.read": {"@u_ben:s": {}}}}),
        receipt({"$1": {"m.read": {"@u_ben:s": {"ts": "5"}}}}),
        receipt({"$1": {"m.read": {"@u_ben:s": {"ts": True}}}}),
        receipt({"$1": {"m.read": {"@u_ben:s": {"ts": 2**53}}}}),
        receipt({"$1": {"m.read": {"@u_ben:s": {"ts": 10**30}}}}),
        receipt({"$1": {"m.read": {"@u_ben:s": {"ts": -(10**15)}}}}),
        receipt({"$1": {"m.read": {"@u_ben:s": {"ts": 1.5}}}}),
        receipt({"$1": {"m.fully_read": {"@u_ben:s": {"ts": 5}}}}),
        receipt({"$1": {"m.read": {"@u_ben:s": {"ts": 5}}}}, room_id=None),
        "receipt",
        None,
        [],
    ],
)
def test_what_is_ephemeral_and_no_good_receipt_is_let_go(odd: object) -> None:
    good = receipt({"$9": {"m.read": {"@u_anna:s": {"ts": 9}}}})
    items, unparsable = parse(EVENT, ephemeral=[odd, good])
    assert [item.event_id for item in items] == ["$1", "$9"]
    assert unparsable == []


@pytest.mark.parametrize(
    "body", [b"[]", b'"text"', b"5", b"null", b"true", b"", b"{", b"\xff", b'{"events": [}', b"\x00"]
)
def test_a_body_that_is_no_json_object_is_an_error(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the port says ValueError, of any kind
        parse_transaction(body)


@pytest.mark.parametrize("lists", [{}, {"events": {}}, {"events": None}, {"events": "x", "ephemeral": 5}])
def test_a_transaction_without_events_is_empty(lists: dict[str, object]) -> None:
    transaction = parse_transaction(json.dumps(lists).encode())
    assert (transaction.items, transaction.unparsable) == ([], [])


def test_state_of_a_room_is_read_the_same_way() -> None:
    assert parse_event({**EVENT, "state_key": ""}).state_key == ""
    with pytest.raises(msgspec.ValidationError, match="sender"):
        parse_event({**EVENT, "sender": 5})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=10,
)
odd_events = st.fixed_dictionaries({}, optional={key: json_values | st.just(EVENT[key]) for key in EVENT})
odd_receipts = st.fixed_dictionaries(
    {"type": st.just("m.receipt"), "room_id": st.just("!r") | json_values},
    optional={"content": json_values | st.dictionaries(st.just("$1"), st.dictionaries(st.just("m.read"), json_values))},
)
transactions = st.fixed_dictionaries(
    {},
    optional={
        "events": st.lists(odd_events | json_values, max_size=3) | json_values,
        "ephemeral": st.lists(odd_receipts | json_values, max_size=3),
    },
)


@settings(max_examples=50, deadline=None)
@given(transactions)
def test_whatever_synapse_sends_can_be_stored_or_set_apart(tree: dict[str, Any]) -> None:
    transaction = parse_transaction(json.dumps(tree).encode())
    events = tree.get("events")
    of_events = [body for _, body in transaction.items if isinstance(body, MatrixEvent)]
    assert len(of_events) + len(transaction.unparsable) == (len(events) if isinstance(events, list) else 0)
    stored = msgspec.json.encode([msgspec.to_builtins(body) for _, body in transaction.items])
    assert b"\\u0000" not in stored
    for text, error in transaction.unparsable:
        f"{text}{error}".encode()
        assert "\0" not in f"{text}{error}"


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=40) | json_values.map(lambda tree: json.dumps(tree).encode()))
def test_any_body_is_read_or_a_value_error(body: bytes) -> None:
    try:
        parse_transaction(body)
    except ValueError:
        return
    assert isinstance(json.loads(body), dict)


@pytest.mark.parametrize("depth", [1, 100, 495, 900])
@pytest.mark.parametrize("leaf", ["plain", "\0", "\ud800", 10**20])
def test_an_event_deeper_than_synapse_takes_any_can_be_read(depth: int, leaf: object) -> None:
    text = "[" * depth + json.dumps(leaf) + "]" * depth
    body = json.dumps({"events": [{**EVENT, "content": {"deep": "HERE"}}]}).replace('"HERE"', text)
    transaction = parse_transaction(body.encode())
    assert transaction.unparsable == []
    ((_, event),) = transaction.items
    assert isinstance(event, MatrixEvent)
    found: object = event.content["deep"]
    for _ in range(depth):
        assert isinstance(found, list)
        (found,) = found
    assert found == ("plain" if leaf == "plain" else "\ufffd" if isinstance(leaf, str) else str(leaf))


@pytest.mark.parametrize("position", [1, 7, 2**40])
def test_the_place_in_synapses_stream_is_read(position: int) -> None:
    (event,), _ = parse({**EVENT, "unsigned": {"com.bitnexus.stream_position": position}})
    assert event.stream_position == position


@pytest.mark.parametrize("unsigned", [None, {}, *({"com.bitnexus.stream_position": odd} for odd in
    (None, 0, -1, True, "7", 7.0, [7], {}))])  # fmt: skip
def test_an_event_without_a_good_place_is_read_all_the_same(unsigned: object) -> None:
    (event,), unparsable = parse({**EVENT, "unsigned": unsigned})
    assert (event.stream_position, unparsable) == (None, [])


plain_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**18) + 1, max_value=10**18 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc\u00e9", max_size=4), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(content=plain_values, ascii_only=st.booleans())
@example(content=-(10**17), ascii_only=True)
@example(content=10**18 - 1, ascii_only=True)
@example(content="\U0001f393", ascii_only=True)
def test_what_is_plain_is_read_the_same_the_fast_way_and_the_careful_one(*, content: object, ascii_only: bool) -> None:
    events = [{**EVENT, "content": {"x": content}}]
    body = json.dumps({"events": events}, ensure_ascii=ascii_only)
    # something odd beside it has the whole body read carefully
    odd = json.dumps({"events": events, "odd": "\0"}, ensure_ascii=ascii_only)
    assert b"\\u0000" in odd.encode()
    assert parse_transaction(body.encode()) == parse_transaction(odd.encode())
