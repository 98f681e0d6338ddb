"""Wishes: an upsert is idempotent, keeps what it does not name, and archives what it leaves out."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import InvalidInput
from bridge.model.change import TenantWish
from bridge.model.ids import MemberID, RoomKey
from bridge.model.tenant import Access, Room, RoomType, Tenant, TenantSettings, TenantStatus
from bridge.policy.desired import apply_wish
from tests.unit.people import ACME, GENERAL, member, tenant_of

KEYS = ("general", "news", "board")
WISHABLE = (RoomType.GENERAL, RoomType.ANNOUNCEMENT, RoomType.SUPPORT, RoomType.CUSTOM)
OWN = Room(key=RoomKey("ai_ben"), type=RoomType.AI, name="NexusHub", access=Access.INVITE, personal=True)


def room(key: str, **more: object) -> Room:
    return replace(Room(key=RoomKey(key), type=RoomType.CUSTOM, name=key.capitalize()), **more)


@st.composite
def wishes(draw: st.DrawFn) -> TenantWish:
    keys = draw(st.lists(st.sampled_from(KEYS), unique=True))
    rooms = tuple(room(key, type=draw(st.sampled_from(WISHABLE)), optional=draw(st.booleans())) for key in keys)
    return TenantWish(
        name=draw(st.sampled_from(["Acme", "Acme Ltd"])),
        status=draw(st.sampled_from([None, *TenantStatus])),
        settings=draw(st.sampled_from([None, TenantSettings(), TenantSettings(dms=False)])),
        rooms=draw(st.sampled_from([None, rooms])),
    )


currents = st.sampled_from([None, tenant_of(member("anna")), tenant_of(rooms=(room("news"), OWN))])


@settings(max_examples=50, deadline=None)
@given(currents, wishes())
def test_the_same_wish_again_changes_nothing(current: Tenant | None, wish: TenantWish) -> None:
    once = apply_wish(ACME, current, wish)
    assert apply_wish(ACME, once, wish) == once


@settings(max_examples=50, deadline=None)
@given(currents, wishes())
def test_the_revision_rises_by_one_only_when_something_differs(current: Tenant | None, wish: TenantWish) -> None:
    wanted = apply_wish(ACME, current, wish)
    before = current.revision if current else 0
    is_same = current is not None and replace(wanted, revision=before) == current
    assert wanted.revision == (before if is_same else before + 1)


@settings(max_examples=50, deadline=None)
@given(currents, wishes())
def test_no_room_is_ever_forgotten(current: Tenant | None, wish: TenantWish) -> None:
    wanted = {found.key: found for found in apply_wish(ACME, current, wish).rooms}
    for old in current.rooms if current else ():
        assert old.key in wanted
        if wish.rooms is not None and old.key not in {new.key for new in wish.rooms}:
            assert wanted[old.key] == (old if old.personal else replace(old, archived=True))


def test_a_wish_that_names_little_keeps_the_rest() -> None:
    current = replace(tenant_of(member("anna")), settings=TenantSettings(retention_days=30))
    wanted = apply_wish(ACME, current, TenantWish(name="New Name"))
    assert wanted == replace(current, name="New Name", revision=2)


def test_a_room_that_is_wished_for_again_is_open_again() -> None:
    without = apply_wish(ACME, tenant_of(rooms=(room("general"),)), TenantWish(name="Acme", rooms=()))
    assert without.rooms == (room("general", archived=True),)
    again = apply_wish(ACME, without, TenantWish(name="Acme", rooms=(room("general"),)))
    assert again.rooms == (room("general"),)


LISTED = frozenset({MemberID("ben")})


@pytest.mark.parametrize(
    ("rooms", "path"),
    [
        ((room("general"), room("general")), "$.rooms[1].key"),
        ((room("ai_ben"),), "$.rooms[0].key"),
        ((room("general"), room("x", type=RoomType.DM)), "$.rooms[1].type"),
        ((room("x", type=RoomType.ALLIANCE),), "$.rooms[0].type"),
        ((room("x", member_ids=LISTED),), "$.rooms[0].members"),
    ],
)
def test_a_room_that_cannot_be_wished_for_is_named(rooms: tuple[Room, ...], path: str) -> None:
    current = tenant_of(rooms=(room(GENERAL), OWN))
    with pytest.raises(InvalidInput) as refused:
        apply_wish(ACME, current, TenantWish(name="Acme", rooms=rooms))
    assert refused.value.path == path
