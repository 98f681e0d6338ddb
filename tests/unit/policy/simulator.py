"""Matrix as far as reconcile acts on it: rooms, state, invitations, joins, kicks; no IO, and as strict as Synapse."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from bridge.model.effect import (
    PENDING_PREFIX,
    CreateRoom,
    Effect,
    JoinUser,
    LeaveRoom,
    RegisterUser,
    RemoveUser,
    SetAvatar,
    SetDisplayName,
    SetState,
    resolve_content,
    resolve_room_id,
)
from bridge.model.ids import RoomID, RoomKey, UserID
from bridge.model.json import JsonObject
from bridge.model.room import (
    Bots,
    MatrixHouse,
    Membership,
    Observed,
    ObservedMembership,
    ObservedPerson,
    ObservedRoom,
    StateKey,
)


class Refused(Exception):
    """Matrix does not do this."""


@dataclass(slots=True, kw_only=True)
class StandingRoom:
    """A room as it stands."""

    state: dict[StateKey, JsonObject]
    members: dict[UserID, ObservedMembership]

    def membership(self, user_id: UserID) -> Membership | None:
        found = self.members.get(user_id)
        return found.membership if found else None

    def put(self, user_id: UserID, membership: Membership, sender: UserID) -> None:
        self.members[user_id] = ObservedMembership(membership=membership, sender=sender)


@dataclass(slots=True, kw_only=True)
class Matrix:
    """A homeserver; ``requests`` counts what was asked of it."""

    house: MatrixHouse
    rooms: dict[RoomID, StandingRoom] = field(default_factory=dict)
    accounts: dict[UserID, str | None] = field(default_factory=dict)
    avatars: dict[UserID, str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    @staticmethod
    def of(observed: Observed, house: MatrixHouse) -> "Matrix":
        """Return a homeserver on which exactly this stands."""
        rooms = observed.rooms.values()
        return Matrix(
            house=house,
            rooms={room.room_id: StandingRoom(state=dict(room.state), members=dict(room.members)) for room in rooms},
            accounts={user_id: seen.profile_name for user_id, seen in observed.people.items() if seen.registered},
        )

    @property
    def bots(self) -> Bots:
        return self.house.bots

    def register(self, user_id: UserID) -> None:
        self.requests.append(f"register {user_id}")
        self.accounts.setdefault(user_id, None)

    def set_display_name(self, user_id: UserID, display_name: str) -> None:
        self.requests.append(f"set_display_name {user_id}")
        self._must(user_id in self.accounts, "set the name of an account that does not exist")
        self.accounts[user_id] = display_name

    def set_avatar(self, user_id: UserID, avatar_url: str) -> None:
        self.requests.append(f"set_avatar {user_id}")
        self._must(user_id in self.accounts, "set the picture of an account that does not exist")
        self.avatars[user_id] = avatar_url

    def create_room(self, effect: CreateRoom) -> RoomID:
        """Make a room whose creator is in it and whose other bots are invited."""
        self.requests.append(f"create_room {effect.room_key}")
        state = {(kind, key): content for kind, key, content in effect.state}
        self._must(PENDING_PREFIX not in str(state), "name a room that does not exist")
        self._check_power_levels(state["m.room.power_levels", ""])
        room_id = RoomID(f"!made{len(self.rooms)}-{effect.room_key}")
        room = StandingRoom(state={("m.room.create", ""): effect.creation_content, **state}, members={})
        room.put(self.bots.creator, "join", self.bots.creator)
        for bot in effect.bots:
            if bot != self.bots.creator:
                room.put(bot, "invite", self.bots.creator)
        self.rooms[room_id] = room
        return room_id

    def set_state(self, room_id: RoomID, event_type: str, state_key: str, content: JsonObject) -> None:
        self.requests.append(f"set_state {room_id} {event_type} {state_key}")
        room = self._room_with_creator(room_id)
        self._must(PENDING_PREFIX not in f"{state_key}{content}", "name a room that does not exist")
        if event_type == "m.room.power_levels":
            self._check_power_levels(content)
        room.state[event_type, state_key] = content

    def look(self, room_id: RoomID, viewer: UserID | None) -> None:
        """Refuse whoever is not inside, as Synapse does once they have forgotten the room."""
        members = self.rooms[room_id].members
        inside = {user_id for user_id, seen in members.items() if seen.membership == "join"}
        self._must(inside & ({viewer} if viewer else self.bots.creators), "read a room from outside")

    def leave(self, room_id: RoomID, user_id: UserID) -> None:
        self.requests.append(f"leave {room_id} {user_id}")
        room = self.rooms[room_id]
        if room.membership(user_id) in {"join", "invite"}:
            room.put(user_id, "leave", user_id)
        self._must(any(seen.membership == "join" for seen in room.members.values()), "leave a room to nobody")

    def invite(self, room_id: RoomID, user_id: UserID, *, inviter: UserID | None = None) -> None:
        self.requests.append(f"invite {room_id} {user_id}")
        inviter = inviter or (self.bots.keeper if user_id == self.bots.creator else self.bots.creator)
        room = self.rooms.get(room_id)
        self._must(room and room.membership(inviter) == "join", "invite into a room where the inviter is not")
        self._must(room.membership(user_id) not in {"join", "ban"}, "invite somebody who is in, or banned")
        room.put(user_id, "invite", inviter)

    def join(self, room_id: RoomID, user_id: UserID) -> None:
        self.requests.append(f"join {room_id} {user_id}")
        self._must(room_id in self.rooms, "join a room that does not exist")
        self._must(user_id in self.accounts or user_id in self.bots.all, "join without an account")
        room = self.rooms[room_id]
        if room.membership(user_id) == "join":
            return
        self._must(room.membership(user_id) != "ban", "join where they are banned")
        self._must(room.membership(user_id) == "invite" or self._is_let_in(room, user_id), "join uninvited")
        room.put(user_id, "join", user_id)

    def kick(self, room_id: RoomID, user_id: UserID) -> None:
        self.requests.append(f"kick {room_id} {user_id}")
        room = self._room_with_creator(room_id)
        if room.membership(user_id) in {"join", "invite", "knock"}:
            room.put(user_id, "leave", self.bots.creator)

    def observe(self, room_ids: Mapping[RoomKey, RoomID], people: Iterable[UserID]) -> Observed:
        """Return what stands of these rooms and people."""
        return Observed(
            rooms={
                key: ObservedRoom(
                    room_id=room_id,
                    key=key,
                    state=dict(self.rooms[room_id].state),
                    members=dict(self.rooms[room_id].members),
                )
                for key, room_id in room_ids.items()
            },
            people={
                user_id: ObservedPerson(
                    registered=user_id in self.accounts,
                    profile_name=self.accounts.get(user_id),
                    profile_avatar=self.avatars.get(user_id, ""),
                )
                for user_id in people
            },
        )

    def _room_with_creator(self, room_id: RoomID) -> StandingRoom:
        room = self.rooms.get(room_id)
        if room is None or room.membership(self.bots.creator) != "join":
            raise Refused("the creator is not in this room")
        return room

    def _is_let_in(self, room: StandingRoom, user_id: UserID) -> bool:
        rules = room.state.get(("m.room.join_rules", ""), {})
        if rules.get("join_rule") == "public":
            return True
        if rules.get("join_rule") != "restricted":
            return False
        allowed = (self.rooms.get(entry["room_id"]) for entry in rules["allow"])
        return any(space is not None and space.membership(user_id) == "join" for space in allowed)

    def _check_power_levels(self, content: JsonObject) -> None:
        listed = self.bots.creators & set(content["users"])
        wanted = self.bots.creators if self.house.room_version == "11" else frozenset()
        self._must(listed == wanted, f"list {sorted(listed)} in the power levels of version {self.house.room_version}")

    @staticmethod
    def _must(condition: object, otherwise: str) -> None:
        if not condition:
            raise Refused(otherwise)


def apply(matrix: Matrix, effects: Iterable[Effect], room_ids: dict[RoomKey, RoomID]) -> None:
    """Make the effects happen, in their order; ``room_ids`` learns the rooms that are made."""
    for effect in effects:
        match effect:
            case RegisterUser():
                matrix.register(effect.user_id)
            case SetDisplayName():
                matrix.set_display_name(effect.user_id, effect.display_name)
            case SetAvatar():
                matrix.set_avatar(effect.user_id, effect.avatar_url)
            case CreateRoom():
                room_ids[effect.room_key] = _create(matrix, _resolved(effect, room_ids))
            case SetState() | JoinUser() | RemoveUser() | LeaveRoom():
                _change_room(matrix, effect, room_ids)
            case _:
                assert_never(effect)


def _create(matrix: Matrix, effect: CreateRoom) -> RoomID:
    made = matrix.create_room(effect)
    for bot in effect.bots:
        matrix.join(made, bot)
    return made


def _change_room(
    matrix: Matrix, effect: SetState | JoinUser | RemoveUser | LeaveRoom, room_ids: Mapping[RoomKey, RoomID]
) -> None:
    room_id = RoomID(resolve_room_id(effect.room_id, room_ids))
    match effect:
        case SetState():
            content = resolve_content(effect.content, room_ids)
            matrix.set_state(room_id, effect.event_type, resolve_room_id(effect.state_key, room_ids), content)
        case JoinUser():
            if effect.invite:
                matrix.invite(room_id, effect.user_id, inviter=effect.inviter)
            matrix.join(room_id, effect.user_id)
        case RemoveUser():
            matrix.kick(room_id, effect.user_id)
        case LeaveRoom():
            matrix.leave(room_id, effect.user_id)


def _resolved(effect: CreateRoom, room_ids: Mapping[RoomKey, RoomID]) -> CreateRoom:
    return CreateRoom(
        room_key=effect.room_key,
        creation_content=effect.creation_content,
        state=tuple(
            (kind, resolve_room_id(key, room_ids), resolve_content(c, room_ids)) for kind, key, c in effect.state
        ),
        bots=effect.bots,
    )
