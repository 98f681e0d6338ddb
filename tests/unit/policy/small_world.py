"""A small world: two tenants, three rooms, three people; copied before every step, so that each can be taken back.

What Matrix has and what the bridge has recorded of it are apart: a crash may come between the two.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from bridge.model.effect import (
    CreateRoom,
    Effect,
    JoinUser,
    RegisterUser,
    RemoveUser,
    SetDisplayName,
    SetState,
    resolve_content,
    resolve_room_id,
)
from bridge.model.ids import SPACE, RoomID, RoomKey, TenantID, UserID
from bridge.model.room import Observed, ObservedPerson
from bridge.model.tenant import Tenant
from bridge.policy.layout import CREATION_KEY, CREATION_TENANT, lay_out
from bridge.policy.reconcile import reconcile
from tests.unit.people import ACME, BOTS, GENERAL, GLOBEX, HOUSE, member, tenant_of, user
from tests.unit.policy.simulator import Matrix, Refused, StandingRoom

ANNA, BEN, CARL = user("anna"), user("ben"), user("carl")
WISHES: tuple[Tenant, ...] = (
    tenant_of(member("anna", "owner"), member("ben")),
    tenant_of(member("anna", "owner")),
    tenant_of(member("anna"), member("ben", "owner")),
)
"""What is desired of Acme, one after another: Ben is taken out, or the two change roles."""
OTHER = tenant_of(member("ben"), member("carl", "owner"), rooms=(), tenant_id=GLOBEX, name="Globex")

Step = Callable[["World"], None]


@dataclass(slots=True, kw_only=True)
class World:
    """Matrix, what is recorded of it, and which wish for Acme is in force."""

    matrix: Matrix
    ids: dict[TenantID, dict[RoomKey, RoomID]]
    names: dict[UserID, str | None]
    """Accounts that are recorded, with the display name that is."""
    wish: int = 0

    @staticmethod
    def empty() -> "World":
        return World(matrix=Matrix(house=HOUSE), ids={ACME: {}, GLOBEX: {}}, names={})

    def copy(self) -> "World":
        rooms = {
            room_id: StandingRoom(state=dict(room.state), members=dict(room.members))
            for room_id, room in self.matrix.rooms.items()
        }
        return World(
            matrix=replace(self.matrix, rooms=rooms, accounts=dict(self.matrix.accounts), requests=[]),
            ids={tenant_id: dict(ids) for tenant_id, ids in self.ids.items()},
            names=dict(self.names),
            wish=self.wish,
        )

    def fingerprint(self) -> object:
        """Return what two worlds have in common that are the same."""
        rooms = tuple(
            (
                room_id,
                frozenset((name, _number_of(content)) for name, content in room.state.items()),
                frozenset((who, _number_of(seen)) for who, seen in room.members.items()),
            )
            for room_id, room in sorted(self.matrix.rooms.items())
        )
        ids = tuple(tuple(sorted(ids.items())) for ids in self.ids.values())
        accounts = tuple(sorted((who, name or "") for who, name in self.matrix.accounts.items()))
        return self.wish, rooms, ids, accounts, tuple(sorted((who, name or "") for who, name in self.names.items()))

    def tenant(self, tenant_id: TenantID) -> Tenant:
        return WISHES[self.wish] if tenant_id == ACME else OTHER

    def plan(self, tenant_id: TenantID) -> tuple[Effect, ...]:
        """Return the plan after a look at every recorded room."""
        tenant, ids = self.tenant(tenant_id), self.ids[tenant_id]
        seen = self.matrix.observe(ids, ())
        people = {
            who.user_id: ObservedPerson(registered=who.user_id in self.names, profile_name=self.names.get(who.user_id))
            for who in tenant.members
        }
        return reconcile(lay_out(tenant, HOUSE, ids), Observed(rooms=seen.rooms, people=people), BOTS)

    def orphan(self, tenant_id: TenantID, key: RoomKey) -> RoomID | None:
        """Return a room that was made and never recorded."""
        for room_id, room in self.matrix.rooms.items():
            birth = room.state["m.room.create", ""]
            is_it = (birth[CREATION_TENANT], birth[CREATION_KEY]) == (tenant_id, key)
            if is_it and room_id not in self.ids[tenant_id].values():
                return room_id
        return None


_seen: dict[int, tuple[object, int]] = {}
_numbers: dict[str, int] = {}


def _number_of(content: object) -> int:
    """Return one number for all contents that are equal; an object that was seen before is not looked at again."""
    found = _seen.get(id(content))
    if found is None:
        found = _seen[id(content)] = content, _numbers.setdefault(repr(content), len(_numbers))
    return found[1]


def steps_of(effect: Effect, tenant_id: TenantID) -> Iterator[Step]:
    """Return the single acts that an effect is made of: requests to Matrix, and what is recorded after them."""
    match effect:
        case RegisterUser(user_id=user_id):
            yield lambda world: world.matrix.register(user_id)
            yield lambda world: world.names.update({user_id: None})
        case SetDisplayName(user_id=user_id, display_name=name):
            yield lambda world: world.matrix.set_display_name(user_id, name)
            yield lambda world: world.names.update({user_id: name})
        case CreateRoom(room_key=key, bots=bots):
            yield lambda world: _create(world, effect, tenant_id)
            yield lambda world: _record_room(world, tenant_id, key)
            for bot in bots:
                yield lambda world, bot=bot: world.matrix.join(world.ids[tenant_id][key], bot)
        case _:
            yield from _room_steps(effect, tenant_id)


def _room_steps(effect: Effect, tenant_id: TenantID) -> Iterator[Step]:
    match effect:
        case SetState():
            yield lambda world: _set_state(world, effect, tenant_id)
        case JoinUser(room_key=key, user_id=user_id, invite=invite):
            if invite:
                yield lambda world: _invite(world, world.ids[tenant_id][key], user_id)
            yield lambda world: world.matrix.join(world.ids[tenant_id][key], user_id)
        case RemoveUser(room_id=room_id, user_id=user_id):
            yield lambda world: world.matrix.kick(room_id, user_id)
        case _:
            raise AssertionError(effect)


def _invite(world: World, room_id: RoomID, user_id: UserID) -> None:
    try:
        world.matrix.invite(room_id, user_id)
    except Refused:
        return  # perhaps they are in already: the join tells


def _create(world: World, effect: CreateRoom, tenant_id: TenantID) -> None:
    ids = world.ids[tenant_id]
    state = tuple((kind, resolve_room_id(key, ids), resolve_content(c, ids)) for kind, key, c in effect.state)
    if world.orphan(tenant_id, effect.room_key) is None:
        world.matrix.create_room(replace(effect, state=state))


def _record_room(world: World, tenant_id: TenantID, key: RoomKey) -> None:
    found = world.orphan(tenant_id, key)
    assert found is not None
    world.ids[tenant_id].setdefault(key, found)


def _set_state(world: World, effect: SetState, tenant_id: TenantID) -> None:
    ids = world.ids[tenant_id]
    room_id = RoomID(resolve_room_id(effect.room_id, ids))
    content = resolve_content(effect.content, ids)
    world.matrix.set_state(room_id, effect.event_type, resolve_room_id(effect.state_key, ids), content)


def edits_of(world: World) -> Iterator[tuple[str, Step]]:
    """Return what somebody else may do next, by name."""
    yield from ((f"wish {n}", _wish(n)) for n in range(len(WISHES)) if n != world.wish)
    space, general = world.ids[ACME].get(SPACE), world.ids[ACME].get(GENERAL)
    other = world.ids[GLOBEX].get(SPACE)
    for name, room_id in (("acme", space), ("general", general)):
        if room_id is not None:
            yield f"carl joins {name}", _member(room_id, CARL, "join", CARL)
            yield f"ben leaves {name}", _member(room_id, BEN, "leave", BEN)
            yield f"anna bans ben from {name}", _member(room_id, BEN, "ban", ANNA)
            yield f"levels of {name}", _state(room_id, "m.room.power_levels", {"users": {BEN: 100}})
            yield f"{name} is renamed", _state(room_id, "m.room.name", {"name": "Eve's"})
            yield f"{name} is opened", _state(room_id, "m.room.join_rules", {"join_rule": "public"})
    if space is not None:
        yield "anna kicks ben from acme", _member(space, BEN, "leave", ANNA)
        yield "acme links a stranger", _state(space, "m.space.child", {"via": ["s"]}, state_key="!x")
    if general is not None:
        yield "the creator leaves general", _member(general, BOTS.creator, "leave", BOTS.creator)
    if other is not None:
        yield "anna joins globex", _member(other, ANNA, "join", ANNA)


def _wish(number: int) -> Step:
    def act(world: World) -> None:
        world.wish = number

    return act


def _member(room_id: RoomID, user_id: UserID, membership: str, sender: UserID) -> Step:
    return lambda world: world.matrix.rooms[room_id].put(user_id, membership, sender)


def _state(room_id: RoomID, event_type: str, content: dict[str, object], *, state_key: str = "") -> Step:
    return lambda world: world.matrix.rooms[room_id].state.update({(event_type, state_key): content})
