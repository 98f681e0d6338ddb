"""Tenants, and Matrix in whatever state people have brought it to."""

from dataclasses import replace

from hypothesis import strategies as st

from bridge.model.ids import SPACE, MemberID, RoomID, RoomKey, TenantID, UserID
from bridge.model.json import JsonObject
from bridge.model.room import Desired, DesiredRoom, MatrixHouse, ObservedMembership, StateKey
from bridge.model.tenant import Access, Member, Role, Room, RoomType, Tenant, TenantStatus
from bridge.policy.layout import lay_out
from tests.unit.people import ACME, BOTS, HOUSE, HOUSE_11, member, room_id, tenant_of, user
from tests.unit.policy.simulator import Matrix, StandingRoom

NAMES = ("anna", "ben", "carl", "dana", "eve")
STRANGERS = ("mallory", "trent")
KEYS = ("general", "news", "board", "ai_x", "old")

houses = st.sampled_from([HOUSE, HOUSE_11])


@st.composite
def rooms(draw: st.DrawFn, key: str) -> Room:
    access = draw(st.sampled_from(Access))
    listed = draw(st.frozensets(st.sampled_from(NAMES))) if access is Access.INVITE else frozenset()
    return Room(
        key=RoomKey(key),
        type=draw(st.sampled_from(RoomType)),
        name=draw(st.sampled_from(["One", "Two"])),
        topic=draw(st.sampled_from(["", "of the day"])),
        access=access,
        optional=draw(st.booleans()),
        member_ids=frozenset(MemberID(name) for name in listed),
        personal=draw(st.booleans()),
        archived=draw(st.booleans()),
    )


@st.composite
def members(draw: st.DrawFn, name: str) -> Member:
    return member(
        name,
        draw(st.sampled_from(Role)).value,
        active=draw(st.booleans()),
        display_name=draw(st.sampled_from([name.capitalize(), "Somebody"])),
    )


@st.composite
def tenants(draw: st.DrawFn, tenant_id: TenantID = ACME) -> Tenant:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    keys = draw(st.lists(st.sampled_from(KEYS), unique=True))
    return tenant_of(
        *[draw(members(name)) for name in names],
        rooms=tuple([draw(rooms(key)) for key in keys]),
        tenant_id=tenant_id,
        status=draw(st.sampled_from([TenantStatus.ACTIVE, TenantStatus.ACTIVE, TenantStatus.SUSPENDED])),
        name=draw(st.sampled_from(["Acme", "Acme Ltd"])),
    )


@st.composite
def standing(draw: st.DrawFn, tenant: Tenant, house: MatrixHouse = HOUSE) -> tuple[Matrix, dict[RoomKey, RoomID]]:
    """Return Matrix with some of a tenant's rooms, their state and people meddled with, and the ids of those rooms."""
    keys = (SPACE, *(room.key for room in tenant.rooms))
    ids = {key: room_id(key, tenant.tenant_id) for key in keys if draw(st.booleans())}
    desired = lay_out(tenant, house, ids)
    matrix = Matrix(house=house)
    for key, found in ids.items():
        matrix.rooms[found] = draw(standing_rooms(desired.rooms[key], desired)) if key in desired.rooms else _empty()
    for name in NAMES:
        if draw(st.booleans()) or _is_anywhere(matrix, user(name)):
            matrix.accounts[user(name)] = draw(st.sampled_from([None, "Old Name", name.capitalize()]))
    return matrix, ids


@st.composite
def standing_rooms(draw: st.DrawFn, room: DesiredRoom, desired: Desired) -> StandingRoom:
    state: dict[StateKey, JsonObject] = {("m.room.create", ""): room.creation_content}
    for key, content in room.state.items():
        if "!pending:" not in f"{key}{content}":
            state |= {key: draw(st.sampled_from([content, content, {"meddled": True}]))}
    if draw(st.booleans()):
        link = draw(st.sampled_from(["m.space.child", "m.space.parent"]))
        state[link, "!foreign"] = draw(st.sampled_from([{"via": ["s"]}, {}]))
    if draw(st.booleans()):
        state.pop(draw(st.sampled_from(sorted(state))))
    found = StandingRoom(state=state, members=draw(memberships()))
    for bot in BOTS.all:
        if draw(st.booleans()):
            found.put(bot, draw(st.sampled_from(["join", "invite", "leave"])), user("anna"))
    found.put(BOTS.creator, "join", BOTS.creator)
    return found


@st.composite
def memberships(draw: st.DrawFn) -> dict[UserID, ObservedMembership]:
    people = draw(st.lists(st.sampled_from(NAMES + STRANGERS), unique=True))
    return {user(name): draw(_membership_of(user(name))) for name in people}


@st.composite
def _membership_of(draw: st.DrawFn, user_id: UserID) -> ObservedMembership:
    membership = draw(st.sampled_from(["join", "join", "invite", "leave", "ban", "knock"]))
    others = {"join": [user_id], "knock": [user_id], "invite": [BOTS.creator, user("anna")], "ban": [user("anna")]}
    sender = draw(st.sampled_from(others.get(membership, [user_id, user("anna"), BOTS.creator])))
    return ObservedMembership(membership=membership, sender=sender)


def with_wish(tenant: Tenant, other: Tenant) -> Tenant:
    """Return ``tenant`` with the rooms of another, as a wish may change them."""
    return replace(tenant, rooms=other.rooms)


def _empty() -> StandingRoom:
    room = StandingRoom(state={}, members={})
    room.put(BOTS.creator, "join", BOTS.creator)
    return room


def _is_anywhere(matrix: Matrix, user_id: UserID) -> bool:
    return any(user_id in room.members for room in matrix.rooms.values())
