"""Compare what shall stand with what stands, and return the effects that make them equal.

Revocations come first, then accounts, rooms and their state, then who comes in: nothing is granted before what it rests
on is right.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

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
    pending_room_id,
)
from bridge.model.ids import SPACE, RoomID, UserID
from bridge.model.json import JsonObject, same_json
from bridge.model.room import Bots, Desired, DesiredRoom, Observed, ObservedMembership, ObservedRoom, StateKey
from bridge.policy.stages import stage_of
from bridge.policy.tightening import tightens

_CHILD = "m.space.child"
# a link is undone by empty content (specification: without "via" it is none)
_LINKS = frozenset({_CHILD, "m.space.parent"})
# what leads people elsewhere, or shows something else than we want, where we do not want it, and what undoes it
_UNDONE_BY: Mapping[str, JsonObject] = {
    "m.room.avatar": {},
    "m.room.canonical_alias": {},
    "m.room.tombstone": {"body": "", "replacement_room": ""},  # Synapse takes none without a replacement_room
    "m.room.topic": {},
}
_INSIDE = frozenset({"join", "invite", "knock"})


def reconcile(desired: Desired, observed: Observed, bots: Bots) -> tuple[Effect, ...]:
    """Return the effects, in the order in which they are to be made; none when all is as desired."""
    everything = ((room, observed.rooms.get(room.key)) for room in _space_first(desired))
    pairs = [(room, actual) for room, actual in everything if actual is None or not is_lost(actual)]
    kept_out = _kept_out_of_tenant(observed, bots)
    effects: tuple[Effect, ...] = (
        *(effect for room, actual in pairs if actual for effect in _removals(room, actual, bots, kept_out)),
        *(effect for stray in _strays(desired, observed) for effect in _clear(stray, bots)),
        *_accounts(desired, observed),
        *(_create(room, bots) for room, actual in pairs if actual is None),
        *(effect for room, actual in pairs for effect in _state_changes(room, actual)),
        *(effect for room, actual in pairs for effect in _joins(room, actual, bots, kept_out)),
    )
    return tuple(sorted((*effects, *_comings_and_goings(pairs, effects, bots)), key=stage_of))


def is_stray(event_type: str, content: JsonObject) -> bool:
    """Say whether state that nobody desires is to be undone."""
    if event_type in _LINKS:
        return bool(content.get("via"))
    return event_type in _UNDONE_BY and any(content.values())


def is_lost(room: ObservedRoom) -> bool:
    """Say whether everybody has left a room: nobody is there who could invite anybody, us included."""
    return bool(room.members) and all(seen.membership in {"leave", "ban"} for seen in room.members.values())


def _space_first(desired: Desired) -> list[DesiredRoom]:
    return sorted(desired.rooms.values(), key=lambda room: (room.key != SPACE, room.key))


def _removals(room: DesiredRoom, actual: ObservedRoom, bots: Bots, kept_out: frozenset[UserID]) -> Iterator[RemoveUser]:
    """Take out who does not belong; whom somebody took out of the space leaves every room of the tenant."""
    belong = (room.people - kept_out) | bots.all
    for user_id, seen in sorted(actual.members.items()):
        if seen.membership in _INSIDE and user_id not in belong:
            yield RemoveUser(room_key=room.key, room_id=actual.room_id, user_id=user_id)


def _strays(desired: Desired, observed: Observed) -> list[ObservedRoom]:
    """Return rooms of the tenant that it does not have any more."""
    return [room for key, room in sorted(observed.rooms.items()) if key not in desired.rooms]


def _clear(stray: ObservedRoom, bots: Bots) -> Iterator[RemoveUser]:
    for user_id, seen in sorted(stray.members.items()):
        if seen.membership in _INSIDE and user_id not in bots.all:
            yield RemoveUser(room_key=stray.key, room_id=stray.room_id, user_id=user_id)


def _accounts(desired: Desired, observed: Observed) -> Iterator[Effect]:
    for user_id, display_name in sorted(desired.people.items()):
        person = observed.people.get(user_id)
        if person is None or not person.registered:
            yield RegisterUser(user_id=user_id)
        if person is None or person.profile_name != display_name:
            yield SetDisplayName(user_id=user_id, display_name=display_name)
        avatar_url = desired.avatars.get(user_id, "")
        if avatar_url != (person.profile_avatar if person else ""):
            yield SetAvatar(user_id=user_id, avatar_url=avatar_url)


def _create(room: DesiredRoom, bots: Bots) -> Effect:
    # a child is linked once it exists
    state = tuple((kind, key, content) for (kind, key), content in sorted(room.state.items()) if kind != _CHILD)
    return CreateRoom(
        room_key=room.key,
        creation_content=room.creation_content,
        state=state,
        bots=tuple(sorted(room.bots - {bots.creator})),
    )


def _state_changes(room: DesiredRoom, actual: ObservedRoom | None) -> Iterator[Effect]:
    for (event_type, state_key), content in sorted(_wanted_state(room, actual).items()):
        standing = actual.state.get((event_type, state_key)) if actual else None
        if standing is None or not same_json(content, standing):
            yield SetState(
                room_key=room.key,
                room_id=actual.room_id if actual else pending_room_id(room.key),
                event_type=event_type,
                state_key=state_key,
                content=content,
                revokes=actual is not None and tightens(event_type, content, standing),
            )


def _wanted_state(room: DesiredRoom, actual: ObservedRoom | None) -> Mapping[StateKey, JsonObject]:
    """Return the state that we answer for: what is desired, and what undoes that which nobody desires.

    A room that is yet to be created brings its state along, all but its children.
    """
    if actual is None:
        return {key: content for key, content in room.state.items() if key[0] == _CHILD}
    strays: dict[StateKey, JsonObject] = {
        key: _UNDONE_BY.get(key[0], {})
        for key, content in actual.state.items()
        if key not in room.state and is_stray(key[0], content)
    }
    return {**strays, **room.state}


def _kept_out_of_tenant(observed: Observed, bots: Bots) -> frozenset[UserID]:
    """Return those whom somebody took out of the space, or banned from it: that is an exclusion from the tenant."""
    space = observed.rooms.get(SPACE)
    members: Mapping[UserID, ObservedMembership] = space.members if space else {}
    return frozenset(
        user_id
        for user_id, seen in members.items()
        if user_id not in bots.all and seen.membership != "join" and not _may_be_joined(user_id, seen, bots)
    )


def _joins(room: DesiredRoom, actual: ObservedRoom | None, bots: Bots, kept_out: frozenset[UserID]) -> Iterator[Effect]:
    members: Mapping[UserID, ObservedMembership] = actual.members if actual else {}
    room_id: RoomID = actual.room_id if actual else pending_room_id(room.key)
    is_invite_only = room.state["m.room.join_rules", ""].get("join_rule") == "invite"
    is_ours_to_fill = actual is not None and not room.is_direct
    for user_id in sorted((room.people - kept_out) | (room.bots if is_ours_to_fill else frozenset[UserID]())):
        seen = members.get(user_id)
        if _may_be_joined(user_id, seen, bots, takes_back=room.takes_back):
            is_invited = seen is not None and seen.membership == "invite"
            yield JoinUser(
                room_key=room.key,
                room_id=room_id,
                user_id=user_id,
                invite=(is_invite_only or user_id in bots.all) and not is_invited,
                is_creator=user_id == bots.creator,
                is_direct=room.is_direct,
            )


def _comings_and_goings(
    pairs: Sequence[tuple[DesiredRoom, ObservedRoom | None]], effects: Sequence[Effect], bots: Bots
) -> Iterator[JoinUser | LeaveRoom]:
    """Have our creator in a direct chat while there is something to do, or while it is not open, and then no longer.

    It leaves only when both people are seen inside: a room that everybody has left cannot be entered again. It comes
    back by an invitation in the name of somebody inside.
    """
    busy = {effect.room_key for effect in effects if isinstance(effect, SetState | JoinUser | RemoveUser)}
    for room, actual in pairs:
        if actual is None or not room.is_direct:
            continue
        inside = {user_id for user_id, seen in actual.members.items() if seen.membership == "join"}
        is_needed = room.key in busy or not (room.without_bots and room.people <= inside)
        ours = sorted(inside & bots.all)
        if is_needed and bots.creator not in inside:
            yield from _creator_returns(room, actual, inside - bots.all, bots)
        elif not is_needed:
            yield from (LeaveRoom(room_key=room.key, room_id=actual.room_id, user_id=bot) for bot in ours)


def _creator_returns(
    room: DesiredRoom, actual: ObservedRoom, inside: Collection[UserID], bots: Bots
) -> Iterator[JoinUser]:
    seen = actual.members.get(bots.creator)
    yield JoinUser(
        room_key=room.key,
        room_id=actual.room_id,
        user_id=bots.creator,
        invite=seen is None or seen.membership != "invite",
        is_creator=True,
        inviter=min(inside, key=lambda user_id: (user_id not in room.people, user_id), default=None),
    )


def _may_be_joined(user_id: UserID, seen: ObservedMembership | None, bots: Bots, *, takes_back: bool = True) -> bool:
    """Leave exclusions alone, which a ban is and a kick by a moderator; whom we took out may come back."""
    if seen is None:
        return True
    if seen.membership == "leave":
        if seen.sender == user_id and user_id not in bots.all:
            return takes_back
        return seen.sender in bots.all or user_id in bots.all
    return seen.membership in {"invite", "knock"}
