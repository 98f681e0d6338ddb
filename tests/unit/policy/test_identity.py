"""Ids, transaction ids, canonical JSON and the audit chain: different things never look the same."""

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import InvalidInput
from bridge.model.audit import GENESIS, Actor, AuditEntry, AuditRow, chain_row, commitment
from bridge.model.event import OutboxItem
from bridge.model.ids import (
    PLATFORM,
    SPACE,
    OutboxID,
    RoomID,
    parse_member_id,
    parse_room_key,
    parse_tenant_id,
)
from bridge.model.json import canonical_json, json_sha256
from bridge.policy.txn_ids import txn_id_of
from tests.unit.people import ACME, BOTS, GLOBEX

ITEM = OutboxItem(
    outbox_id=OutboxID(1),
    tenant_id=ACME,
    room_id=RoomID("!r"),
    kind="send",
    sender=BOTS.relay,
    event_type="m.room.message",
    content={},
    nonce="n1",
    attempts=0,
    first_attempt_at=None,
    failures=0,
    delivery_id=None,
)


def test_a_transaction_id_is_the_same_at_every_attempt() -> None:
    assert txn_id_of(ITEM) == txn_id_of(replace(ITEM, attempts=5))


def test_transaction_ids_differ_by_sender_stage_item_and_database() -> None:
    ids = {
        txn_id_of(ITEM),
        txn_id_of(ITEM, "first"),
        txn_id_of(ITEM, "edit/0/1"),
        txn_id_of(replace(ITEM, sender=BOTS.assistant)),
        txn_id_of(replace(ITEM, outbox_id=OutboxID(11))),
        txn_id_of(replace(ITEM, nonce="n11", outbox_id=OutboxID(1))),
        txn_id_of(replace(ITEM, nonce="n2")),
    }
    assert len(ids) == 7
    assert all(txn.isalnum() for txn in ids), "a transaction id is a part of a path"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab\0é", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None)
@given(json_values, json_values)
def test_canonical_json_is_injective(one: object, other: object) -> None:
    # booleans are numbers to Python, not to JSON
    assert (canonical_json(one) == canonical_json(other)) == (repr_of(one) == repr_of(other))


def repr_of(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def test_canonical_json_does_not_know_order_or_kinds_of_containers() -> None:
    assert canonical_json({"b": (1, 2), "a": {"d": 1, "c": 2}}) == b'{"a":{"c":2,"d":1},"b":[1,2]}'
    assert json_sha256({}) == hashlib.sha256(b"{}").hexdigest()


@pytest.mark.parametrize("good", ["a", "0", "_", "-", "a" * 64, "acme-2_x"])
def test_ids_within_the_grammar(good: str) -> None:
    assert parse_tenant_id(good) == parse_member_id(good) == parse_room_key(good) == good


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "A",
        "a" * 65,
        "ä",
        "a b",
        "a\n",
        "a\0",
        "a/b",
        "..",
        "%2f",
        "@space",
        "*",
        "a\u200b",
        "\uff41",
        "٣",
        "\ud800",
        "ﬁ",
    ],
)
def test_ids_outside_the_grammar_are_refused_with_their_path(bad: str) -> None:
    for parse in (parse_tenant_id, parse_member_id, parse_room_key):
        with pytest.raises(InvalidInput) as refused:
            parse(bad, path="$.there")
        assert refused.value.path == "$.there"
        refused.value.sentence.encode("ascii")  # what is shown of it cannot garble a log


def test_our_own_names_are_outside_the_grammar_so_that_nobody_takes_them() -> None:
    for name in (SPACE, PLATFORM):
        with pytest.raises(InvalidInput):
            parse_room_key(name)


SALTS = {"display_name": b"s" * 16}
ENTRY = AuditEntry(action="member.added", target="ben", details={"revision": 2}, personal={"display_name": "Ben Smith"})


def row(entry: AuditEntry = ENTRY, *, previous: bytes = GENESIS, seq: int = 1, **more: object) -> AuditRow:
    given_row = {
        "tenant_id": ACME,
        "at_ms": 1000,
        "actor": Actor(kind="platform", id="platform"),
        "salts": SALTS,
        **more,
    }
    return chain_row(entry=entry, previous_hash=previous, seq=seq, **given_row)


def is_whole(chain: list[AuditRow]) -> bool:
    """Verify a chain as a stranger would: from the rows alone."""
    previous = GENESIS
    for seq, found in enumerate(chain, start=1):
        digest = hashlib.sha256(previous + found.entry.encode()).digest()
        if (found.previous_hash, found.hash) != (previous, digest) or json.loads(found.entry)["seq"] != seq:
            return False
        previous = found.hash
    return True


def a_chain() -> list[AuditRow]:
    first = row()
    second = row(replace(ENTRY, action="member.changed"), previous=first.hash, seq=2)
    return [first, second, row(replace(ENTRY, action="member.removed", personal={}), previous=second.hash, seq=3)]


def test_the_same_act_gives_the_same_row() -> None:
    assert row() == row()
    assert row().entry == row(replace(ENTRY, details=dict(ENTRY.details))).entry


@pytest.mark.parametrize(
    "changed",
    [
        row(replace(ENTRY, action="member.removed")),
        row(replace(ENTRY, target="anna")),
        row(replace(ENTRY, details={"revision": 3})),
        row(replace(ENTRY, personal={"display_name": "Ben Smyth"})),
        row(replace(ENTRY, personal={})),
        row(tenant_id=GLOBEX),
        row(at_ms=1001),
        row(actor=Actor(kind="person", id="platform")),
        row(actor=Actor(kind="platform", id="other")),
        row(salts={"display_name": b"t" * 16}),
        row(seq=2),
        row(previous=b"\1" * 32),
    ],
)
def test_whatever_changes_changes_the_hash(changed: AuditRow) -> None:
    assert changed.hash != row().hash


def test_a_whole_chain_verifies() -> None:
    assert is_whole(a_chain())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2), st.data())
def test_a_chain_with_any_byte_changed_does_not_verify(which: int, data: st.DataObject) -> None:
    chain = a_chain()
    text = chain[which].entry
    at = data.draw(st.integers(0, len(text) - 1))
    chain[which] = replace(chain[which], entry=text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :])
    assert not is_whole(chain)


@pytest.mark.parametrize("broken", [slice(0, 1), slice(1, 2)])
def test_a_chain_with_a_row_taken_out_does_not_verify(broken: slice) -> None:
    chain = a_chain()
    del chain[broken]
    assert not is_whole(chain)


def test_a_row_that_was_forged_whole_breaks_the_next() -> None:
    chain = a_chain()
    chain[0] = row(replace(ENTRY, target="mallory"))
    assert not is_whole(chain)


def test_erasing_a_personal_value_keeps_the_chain_whole_and_the_name_gone() -> None:
    chain = a_chain()
    personal = {(1, "display_name"): (SALTS["display_name"], "Ben Smith")}
    found = json.loads(chain[0].entry)["personal"]["display_name"]
    salt, value = personal[1, "display_name"]
    assert found == commitment(salt, value), "as long as it stands it can be proven"
    personal.clear()
    assert is_whole(chain)
    assert "Ben" not in "".join(row.entry for row in chain)


def test_a_commitment_does_not_tell_the_value_without_its_salt() -> None:
    assert commitment(b"a" * 16, "Ben") != commitment(b"b" * 16, "Ben")
    assert commitment(b"a" * 16, "Ben") != hashlib.sha256(b"Ben").hexdigest()
