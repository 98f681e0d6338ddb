"""Golden cases: what a JSON file says of a tenant, of what stands in Matrix, and of the effects that follow.

A case has what it ``says``; the ``tenant`` as desired; what stood ``before``: "nothing", another tenant, or the tenant
itself when it is left out; what happened ``meanwhile``; and the ``effects``. Happenings and effects are arrays
of a verb and what it is about. People go by their names: ``anna`` is ``@u_anna:s``, and the room ``general`` is
``!general``.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import msgspec

from bridge.model.effect import (
    CreateRoom,
    Effect,
    JoinUser,
    LeaveRoom,
    RegisterUser,
    RemoveUser,
    SetAvatar,
    SetDisplayName,
    SetState,
)
from bridge.model.ids import MemberID, RoomKey, UserID
from bridge.model.room import (
    MatrixHouse,
    Membership,
    Observed,
    ObservedMembership,
    ObservedPerson,
    ObservedRoom,
)
from bridge.model.tenant import Access, Room, RoomType, Tenant, TenantStatus
from bridge.policy.layout import lay_out
from bridge.policy.reconcile import reconcile
from tests.unit.people import BOTS, HOUSE, HOUSE_11, member, room_id, room_ids_of, stand, tenant_of, user
from tests.unit.policy.simulator import Matrix, apply

FOLDER = Path(__file__).parent / "cases"
NOTHING = Observed(rooms={}, people={})

_MEMBERSHIPS: dict[str, Membership] = {
    "joins": "join",
    "leaves": "leave",
    "knocks": "knock",
    "is invited": "invite",
    "is kicked": "leave",
    "is banned": "ban",
}


class CaseRoom(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: str
    type: str = "general"
    name: str | None = None
    topic: str = ""
    access: str = "tenant"
    members: tuple[str, ...] = ()
    optional: bool = False
    personal: bool = False
    archived: bool = False
    group: str = ""
    avatar_url: str = ""
    blocked: bool = False


class CaseTenant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    members: dict[str, str]
    rooms: tuple[CaseRoom, ...] = (CaseRoom(key="general"),)
    status: str = "active"
    inactive: tuple[str, ...] = ()
    names: dict[str, str] = {}
    avatars: dict[str, str] = {}
    elsewhere: tuple[str, ...] = ()
    """Those who have another tenant that is active."""


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    says: str
    tenant: CaseTenant
    effects: tuple[list[Any], ...]
    then: tuple[list[Any], ...] = ()
    """What a second plan finds once those are made: our bots leave when they have seen everybody inside."""
    before: CaseTenant | Literal["nothing"] | None = None
    meanwhile: tuple[list[Any], ...] = ()
    room_version: Literal["11", "12"] = "12"


def load(path: Path) -> Case:
    return msgspec.json.decode(path.read_bytes(), type=Case)


def run(case: Case) -> list[list[Any]]:
    """Return the effects that the case leads to, in short form."""
    return [_short(effect) for effect in plan(case)]


def plan(case: Case) -> tuple[Effect, ...]:
    """Return the effects that the case leads to."""
    house, observed = _house(case), _observed(case)
    ids = {key: room.room_id for key, room in observed.rooms.items()}
    return reconcile(lay_out(_tenant(case.tenant), house, ids), observed, BOTS)


def left_after(case: Case) -> list[list[Any]]:
    """Return what is still to be done once Matrix, as strict as Synapse, has made the case's effects."""
    return [_short(effect) for effect in _again(case, plans=1)]


def left_at_the_end(case: Case) -> list[list[Any]]:
    """Return what is to be done after the second plan."""
    return [_short(effect) for effect in _again(case, plans=2)]


def _again(case: Case, *, plans: int) -> tuple[Effect, ...]:
    observed, tenant = _observed(case), _tenant(case.tenant)
    matrix, ids = Matrix.of(observed, _house(case)), {key: room.room_id for key, room in observed.rooms.items()}
    effects = plan(case)
    for _ in range(plans):
        apply(matrix, effects, ids)
        seen = matrix.observe(ids, [member.user_id for member in tenant.members])
        effects = reconcile(lay_out(tenant, _house(case), ids), seen, BOTS)
    return effects


def _house(case: Case) -> MatrixHouse:
    return HOUSE_11 if case.room_version == "11" else HOUSE


def _observed(case: Case) -> Observed:
    """Return what stands when the case begins."""
    house, observed = _house(case), NOTHING
    if case.before != "nothing":
        before = _tenant(case.before or case.tenant)
        observed = stand(lay_out(before, house, room_ids_of(before)), room_ids_of(before))
    for verb, *about in case.meanwhile:
        observed = _happen(observed, verb, about)
    return observed


def _tenant(told: CaseTenant) -> Tenant:
    return tenant_of(
        *(
            replace(
                member(name, role, active=name not in told.inactive, display_name=told.names.get(name)),
                avatar_url=told.avatars.get(name, ""),
                has_other_active_tenant=name in told.elsewhere,
            )
            for name, role in told.members.items()
        ),
        rooms=tuple(_room(room) for room in told.rooms),
        status=TenantStatus(told.status),
    )


def _room(told: CaseRoom) -> Room:
    return Room(
        key=RoomKey(told.key),
        type=RoomType(told.type),
        name=told.name or told.key.capitalize(),
        topic=told.topic,
        access=Access(told.access),
        optional=told.optional,
        member_ids=frozenset(MemberID(name) for name in told.members),
        personal=told.personal,
        archived=told.archived,
        group=told.group,
        avatar_url=told.avatar_url,
        blocked=told.blocked,
    )


def _happen(observed: Observed, verb: str, about: list[Any]) -> Observed:
    """Return what stands once something has happened."""
    if verb == "is unknown":
        return _with_person(observed, about[0], ObservedPerson(registered=False, profile_name=None))
    if verb == "is called":
        return _with_person(observed, about[0], ObservedPerson(registered=True, profile_name=about[1]))
    key = RoomKey(about[0])
    if verb == "is not made":
        return replace(observed, rooms={k: room for k, room in observed.rooms.items() if k != key})
    changed = _change_room(observed.rooms[key], verb, *about[1:])
    return replace(observed, rooms={**observed.rooms, key: changed})


def _change_room(room: ObservedRoom, verb: str, *about: Any) -> ObservedRoom:
    if verb == "state":
        event_type, state_key, content = about
        return replace(room, state={**room.state, (event_type, state_key): content})
    if verb == "has no":
        return replace(room, state={key: content for key, content in room.state.items() if key != tuple(about)})
    if verb == "is missing":
        return replace(room, members={k: m for k, m in room.members.items() if k != user(about[0])})
    sender = user(about[1] if len(about) > 1 else about[0])
    membership = ObservedMembership(membership=_MEMBERSHIPS[verb], sender=sender)
    return replace(room, members={**room.members, user(about[0]): membership})


def _with_person(observed: Observed, name: str, person: ObservedPerson) -> Observed:
    return replace(observed, people={**observed.people, user(name): person})


def _short(effect: Effect) -> list[Any]:
    match effect:
        case RegisterUser() | SetDisplayName() | SetAvatar():
            return _short_of_person(effect)
        case CreateRoom():
            return ["create", effect.room_key, *(_name(bot) for bot in effect.bots)]
        case SetState():
            assert effect.room_id in {room_id(effect.room_key), f"!pending:{effect.room_key}"}
            return ["state", effect.room_key, effect.event_type, effect.state_key, effect.content]
        case JoinUser():
            by = [f"as {_name(effect.inviter)}"] if effect.inviter else []
            return ["invite and join" if effect.invite else "join", effect.room_key, _name(effect.user_id), *by]
        case LeaveRoom():
            return ["leave", effect.room_key, _name(effect.user_id)]
        case RemoveUser():
            assert effect.room_id == room_id(effect.room_key)
            return ["remove", effect.room_key, _name(effect.user_id)]


def _short_of_person(effect: RegisterUser | SetDisplayName | SetAvatar) -> list[Any]:
    match effect:
        case RegisterUser():
            return ["register", _name(effect.user_id)]
        case SetDisplayName():
            return ["call", _name(effect.user_id), effect.display_name]
        case SetAvatar():
            return ["picture", _name(effect.user_id), effect.avatar_url]


def _name(user_id: UserID) -> str:
    return user_id.removesuffix(":s").removeprefix("@u_")
