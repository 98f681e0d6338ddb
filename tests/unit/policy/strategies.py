"""Tenants, and Matrix in whatever state people have brought it to."""

from dataclasses import replace

from hypothesis import strategies as st

from bridge.model.ids import SPACE, MemberID, RoomID, RoomKey, TenantID, UserID, group_key
from bridge.model.json import JsonObject
from bridge.model.room import DesiredRoom, MatrixHouse, ObservedMembership, StateKey
from bridge.model.tenant import Access, Member, Role, Room, RoomType, Tenant, TenantStatus
from bridge.policy.layout import groups_of, lay_out
from bridge.policy.templates import TEMPLATES
from tests.unit.people import ACME, BOTS, HOUSE, HOUSE_11, member, room_id, tenant_of, user
from tests.unit.policy.simulator import Matrix, StandingRoom

NAMES = ("anna", "ben", "carl", "dana", "eve")
STRANGERS = ("mallory", "trent")
KEYS = ("general", "news", "board", "ai_x", "old")

houses = st.sampled_from([HOUSE, HOUSE_11])


_ACCESS = st.sampled_from(Access)
_TYPES = st.sampled_from(RoomType)
_ROLES = st.sampled_from(Role)
_BOOLEANS = st.booleans()
_LISTED = st.frozensets(st.sampled_from(NAMES))
_NAMES = st.lists(st.sampled_from(NAMES), unique=True)
_PEOPLE = st.lists(st.sampled_from(NAMES + STRANGERS), unique=True)
_KEYS = st.lists(st.sampled_from(KEYS), unique=True)
_STATUSES = st.sampled_from([*[TenantStatus.ACTIVE] * 4, *TenantStatus])
_GROUPS = st.sampled_from(["", "Sales", "Sales & more"])
_AVATARS = st.sampled_from(["", "", "mxc://s/one", "mxc://s/two"])
_MEMBERSHIPS = st.sampled_from(["join", "join", "invite", "leave", "ban", "knock"])
_BOTS_MEMBERSHIPS = st.sampled_from(["join", "invite", "leave"])
_LINKS = st.sampled_from(["m.space.child", "m.space.parent"])
_THIRDS = st.integers(0, 2)
# strategies are made once: making them costs more than drawing from them


@st.composite
def _rooms(draw: st.DrawFn, key: str) -> Room:
    room_type = draw(_TYPES)
    access = Access.INVITE if TEMPLATES[room_type].on_demand else draw(_ACCESS)
    listed = draw(_LISTED) if access is Access.INVITE else frozenset()
    return Room(
        key=RoomKey(key),
        type=room_type,
        name=("One", "Two")[draw(_BOOLEANS)],
        topic=("", "of the day")[draw(_BOOLEANS)],
        access=access,
        optional=draw(_BOOLEANS),
        member_ids=frozenset(MemberID(name) for name in listed),
        personal=TEMPLATES[room_type].on_demand or draw(_BOOLEANS),
        archived=draw(_BOOLEANS),
        group=draw(_GROUPS),
        avatar_url=draw(_AVATARS),
    )


@st.composite
def _members(draw: st.DrawFn, name: str) -> Member:
    display_name = (name.capitalize(), "Somebody")[draw(_BOOLEANS)]
    person = member(name, draw(_ROLES).value, active=draw(_BOOLEANS), display_name=display_name)
    return replace(person, avatar_url=draw(_AVATARS), has_other_active_tenant=draw(_BOOLEANS))


_ROOMS = {key: _rooms(key) for key in KEYS}
_MEMBERS = {name: _members(name) for name in NAMES}


@st.composite
def tenants(draw: st.DrawFn, tenant_id: TenantID = ACME) -> Tenant:
    return tenant_of(
        *[draw(_MEMBERS[name]) for name in draw(_NAMES)],
        rooms=tuple([draw(_ROOMS[key]) for key in draw(_KEYS)]),
        tenant_id=tenant_id,
        status=draw(_STATUSES),
        name=("Acme", "Acme Ltd")[draw(_BOOLEANS)],
    )


@st.composite
def standing(draw: st.DrawFn, tenant: Tenant, house: MatrixHouse = HOUSE) -> tuple[Matrix, dict[RoomKey, RoomID]]:
    """Return Matrix with some of a tenant's rooms, their state and people meddled with, and the ids of those rooms."""
    groups = (*groups_of(tenant), "of old")
    keys = (SPACE, *(group_key(name) for name in groups), *(room.key for room in tenant.rooms))
    ids = {key: room_id(key, tenant.tenant_id) for key in keys if draw(_BOOLEANS)}
    desired = lay_out(tenant, house, ids)
    matrix = Matrix(house=house)
    for key, found in ids.items():
        matrix.rooms[found] = _meddled(draw, desired.rooms[key])
    for name in NAMES:
        if draw(_BOOLEANS) or _is_anywhere(matrix, user(name)):
            matrix.accounts[user(name)] = (None, "Old Name", name.capitalize())[draw(_THIRDS)]
            matrix.avatars[user(name)] = draw(_AVATARS)
    return matrix, ids


def _meddled(draw: st.DrawFn, room: DesiredRoom) -> StandingRoom:
    state: dict[StateKey, JsonObject] = {("m.room.create", ""): room.creation_content}
    for key, content in room.state.items():
        if "!pending:" not in f"{key}{content}":
            state[key] = content if draw(_THIRDS) else {"meddled": True}
    if draw(_BOOLEANS):
        state[draw(_LINKS), "!foreign"] = {"via": ["s"]} if draw(_BOOLEANS) else {}
    if draw(_BOOLEANS):
        names = sorted(state)
        del state[names[draw(st.integers(0, len(names) - 1))]]
    found = StandingRoom(state=state, members={user(name): _membership_of(draw, user(name)) for name in draw(_PEOPLE)})
    for bot in sorted(BOTS.all):
        if draw(_BOOLEANS):
            found.put(bot, draw(_BOTS_MEMBERSHIPS), user("anna"))
    found.put(BOTS.creator, "join", BOTS.creator)
    return found


def _membership_of(draw: st.DrawFn, user_id: UserID) -> ObservedMembership:
    membership = draw(_MEMBERSHIPS)
    others = {"join": [user_id], "knock": [user_id], "invite": [BOTS.creator, user("anna")], "ban": [user("anna")]}
    senders = others.get(membership, [user_id, user("anna"), BOTS.creator])
    return ObservedMembership(membership=membership, sender=senders[draw(_THIRDS) % len(senders)])


def _is_anywhere(matrix: Matrix, user_id: UserID) -> bool:
    return any(user_id in room.members for room in matrix.rooms.values())
