"""One room at a time, and off-boarding: what a change leads to, and what is refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import BitnexusError, Conflict, InvalidInput, NotFound
from bridge.model.change import Offboarding, RoomWish, TenantWish
from bridge.model.ids import MemberID, RoomKey
from bridge.model.tenant import Access, Room, RoomType, TenantStatus
from bridge.policy.desired import MAX_ROOMS, add_room, apply_wish, change_room, offboard, open_room
from tests.unit.people import ACME, member, room, tenant_of

BEN = frozenset({MemberID("ben")})
OWN = room("ai_ben", type=RoomType.AI, access=Access.INVITE, personal=True)
BOARD = room("board", access=Access.INVITE, member_ids=BEN, topic="Of the board")
OLD = room("old", archived=True)
TENANT = tenant_of(member("anna", "owner"), rooms=(room("general"), BOARD, OLD, OWN))
FULL = tenant_of(rooms=tuple(room(f"r{n}") for n in range(MAX_ROOMS)))


def test_a_room_is_added_and_an_archived_one_opened_again() -> None:
    assert add_room(TENANT, room("new")) == room("new")
    assert add_room(TENANT, room("old", topic="Again")) == room("old", topic="Again")
    assert add_room(TENANT, BOARD) == BOARD, "the same once more"


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        (room("general", topic="Another"), Conflict),
        (room("ai_ben"), Conflict),
        (room("x", type=RoomType.DM), InvalidInput),
        (room("x", member_ids=BEN), InvalidInput),
    ],
)
def test_a_room_that_cannot_be_added(wanted: Room, error: type[BitnexusError]) -> None:
    with pytest.raises(error):
        add_room(TENANT, wanted)


def test_a_tenant_has_at_most_500_rooms_and_peoples_own_and_archived_ones_do_not_count() -> None:
    with pytest.raises(Conflict):
        add_room(FULL, room("one_more"))
    roomy = replace(FULL, rooms=(*FULL.rooms[1:], OWN, OLD))
    assert add_room(roomy, room("one_more")) == room("one_more")


@pytest.mark.parametrize(
    ("key", "wish", "expected"),
    [
        ("general", RoomWish(), room("general")),
        ("general", RoomWish(name="All", topic="t"), room("general", name="All", topic="t")),
        ("general", RoomWish(type=RoomType.ANNOUNCEMENT), room("general", type=RoomType.ANNOUNCEMENT)),
        ("general", RoomWish(optional=True, group="Sales"), room("general", optional=True, group="Sales")),
        ("board", RoomWish(topic=""), replace(BOARD, topic="")),
        ("board", RoomWish(member_ids=frozenset()), replace(BOARD, member_ids=frozenset())),
        ("board", RoomWish(access=Access.TENANT), replace(BOARD, access=Access.TENANT, member_ids=frozenset())),
        ("general", RoomWish(access=Access.INVITE, member_ids=BEN),
         room("general", access=Access.INVITE, member_ids=BEN)),
    ],
)  # fmt: skip
def test_a_change_names_what_it_changes_and_keeps_the_rest(key: str, wish: RoomWish, expected: Room) -> None:
    assert change_room(TENANT, RoomKey(key), wish) == expected


def test_a_list_of_members_is_for_rooms_that_have_one() -> None:
    with pytest.raises(InvalidInput) as refused:
        change_room(TENANT, RoomKey("general"), RoomWish(member_ids=BEN))
    assert refused.value.path == "$.members"


@pytest.mark.parametrize("key", ["old", "ai_ben", "absent", "@space"])
def test_what_is_archived_personal_or_absent_is_not_there_for_a_change(key: str) -> None:
    for attempt in (open_room, lambda tenant, found: change_room(tenant, found, RoomWish(name="x"))):
        with pytest.raises(NotFound) as refused:
            attempt(TENANT, RoomKey(key))
        assert refused.value.sentence == "there is no such room in this tenant"


NOW = datetime(2026, 5, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=3)


def days(count: int) -> timedelta:
    return timedelta(days=count)


def test_off_boarding_suspends_at_once_and_keeps_the_day_it_began() -> None:
    once = offboard(TENANT, Offboarding(), now=NOW, usual_days=30)
    assert (once.status, once.offboarded_at, once.removes_at) == (TenantStatus.SUSPENDED, NOW, NOW + days(30))
    assert once.revision == TENANT.revision + 1
    assert once.rooms == TENANT.rooms, "nothing is taken away before the time of grace is over"
    assert offboard(once, Offboarding(), now=LATER, usual_days=7) == once


def test_other_days_of_grace_count_from_the_beginning() -> None:
    once = offboard(TENANT, Offboarding(grace_days=10), now=NOW, usual_days=30)
    again = offboard(once, Offboarding(grace_days=5), now=LATER, usual_days=30)
    assert (once.removes_at, again.removes_at, again.offboarded_at) == (NOW + days(10), NOW + days(5), NOW)
    assert offboard(TENANT, Offboarding(grace_days=0), now=NOW, usual_days=30).removes_at == NOW


def test_at_once_the_time_of_grace_is_over() -> None:
    gone = offboard(TENANT, Offboarding(at_once=True), now=NOW, usual_days=30)
    assert (gone.status, gone.removes_at) == (TenantStatus.REMOVING, NOW)
    assert all(found.archived for found in gone.rooms)
    assert gone.members == TENANT.members, "who is to be taken out must still be known"


def test_an_archived_tenant_stays_archived_while_it_is_off_boarded() -> None:
    archived = replace(TENANT, status=TenantStatus.ARCHIVED)
    assert offboard(archived, Offboarding(), now=NOW, usual_days=30).status is TenantStatus.ARCHIVED


@given(st.sampled_from([None, *[s for s in TenantStatus if s not in {TenantStatus.REMOVING, TenantStatus.REMOVED}]]))
def test_only_to_be_active_again_ends_an_off_boarding(status: TenantStatus | None) -> None:
    leaving = offboard(TENANT, Offboarding(), now=NOW, usual_days=30)
    wanted = apply_wish(ACME, leaving, TenantWish(name="Acme", status=status))
    is_back = status is TenantStatus.ACTIVE
    assert (wanted.removes_at is None) == (wanted.offboarded_at is None) == is_back
    assert wanted.status is (status or TenantStatus.SUSPENDED)
