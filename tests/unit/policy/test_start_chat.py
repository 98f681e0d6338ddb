"""Chats that people start in their own client: where we make them, and what they are told."""

import itertools

import pytest

from bridge.model.ids import TenantID, UserID
from bridge.policy.start_chat import NOBODY, SWITCHED_OFF, ChatDecision, SharedTenant, decide_chat, only_invitee
from tests.unit.people import user

READY = "Your chat with Ben Fox is ready in your list."


def shared(tenant_id: str, *, dms: bool = True, has_chat: bool = False) -> SharedTenant:
    return SharedTenant(tenant_id=TenantID(tenant_id), dms=dms, has_chat=has_chat)


@pytest.mark.parametrize(
    ("tenants", "chosen"),
    [
        ([shared("a")], "a"),
        ([shared("b"), shared("a")], "a"),
        ([shared("a"), shared("b", has_chat=True)], "b"),
        ([shared("c", has_chat=True), shared("b", has_chat=True), shared("a")], "b"),
        ([shared("a", dms=False, has_chat=True), shared("b")], "b"),
    ],
)
def test_a_chat_that_there_is_wins_then_the_first_tenant(tenants: list[SharedTenant], chosen: str) -> None:
    for order in itertools.permutations(tenants):
        decision = decide_chat(order, is_blocked=False, name="Ben Fox")
        assert decision == ChatDecision(sentence=READY, tenant_id=TenantID(chosen))


def test_a_stranger_and_one_who_blocks_get_the_same_answer() -> None:
    stranger = decide_chat([], is_blocked=False, name="Ben Fox")
    assert stranger == ChatDecision(sentence=NOBODY)
    assert decide_chat([shared("a", has_chat=True)], is_blocked=True, name="Ben Fox") == stranger
    assert decide_chat([], is_blocked=True, name="Ben Fox") == stranger


@pytest.mark.parametrize("is_blocked", [True, False])
def test_that_chats_are_switched_off_tells_nothing_of_blocks(*, is_blocked: bool) -> None:
    tenants = [shared("a", dms=False, has_chat=True), shared("b", dms=False)]
    assert decide_chat(tenants, is_blocked=is_blocked, name="Ben Fox") == ChatDecision(sentence=SWITCHED_OFF)


@pytest.mark.parametrize(
    ("invitees", "expected"),
    [([], None), (["ben"], "ben"), (["ben", "ben"], "ben"), (["ben", "carl"], None), (["anna"], None)],
)
def test_a_chat_is_with_one_other_person(invitees: list[str], expected: str | None) -> None:
    found = only_invitee(user("anna"), [UserID(user(name)) for name in invitees])
    assert found == (user(expected) if expected else None)
