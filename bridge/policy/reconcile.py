"""Compare what shall stand with what stands, and return the effects that make them equal.

Revocations come first, then accounts, rooms and their state, then who comes in: nothing is granted before what it rests
on is right.
"""

from collections.abc import Iterator, Mapping

from bridge.model.effect import (
    CreateRoom,
    Effect,
    JoinUser,
    RegisterUser,
    RemoveUser,
    SetDisplayName,
    SetState,
    pending_room_id,
)
from bridge.model.ids import SPACE, RoomID, UserID
from bridge.model.json import JsonObject, canonical_json
from bridge.model.room import Bots, Desired, DesiredRoom, Observed, ObservedMembership, ObservedRoom, StateKey

_CHILD = "m.space.child"
# a link is undone by empty content (specification: without "via" it is none)
_LINKS = frozenset({_CHILD, "m.space.parent"})


def reconcile(desired: Desired, observed: Observed, bots: Bots) -> tuple[Effect, ...]:
    """Return the effects, in the order in which they are to be made; none when all is as desired."""
    pairs = [(room, observed.rooms.get(room.key)) for room in _space_first(desired)]
    kept_out = _kept_out_of_space(observed, bots)
    return (
        *(effect for room, actual in pairs if actual for effect in _removals(room, actual, bots)),
        *_accounts(desired, observed),
        *(_create(room, bots) for room, actual in pairs if actual is None),
        *(effect for room, actual in pairs for effect in _state_changes(room, actual)),
        *(effect for room, actual in pairs for effect in _joins(room, actual, bots, kept_out)),
    )


def _space_first(desired: Desired) -> list[DesiredRoom]:
    return sorted(desired.rooms.values(), key=lambda room: (room.key != SPACE, room.key))


def _removals(room: DesiredRoom, actual: ObservedRoom, bots: Bots) -> Iterator[Effect]:
    for user_id, observed in sorted(actual.members.items()):
        is_inside = observed.membership in {"join", "invite", "knock"}
        if is_inside and user_id not in room.people and user_id not in bots.all:
            yield RemoveUser(room_key=room.key, room_id=actual.room_id, user_id=user_id)


def _accounts(desired: Desired, observed: Observed) -> Iterator[Effect]:
    for user_id, display_name in sorted(desired.people.items()):
        person = observed.people.get(user_id)
        if person is None or not person.registered:
            yield RegisterUser(user_id=user_id)
        if person is None or person.profile_name != display_name:
            yield SetDisplayName(user_id=user_id, display_name=display_name)


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
        if not _is_same(content, actual.state.get((event_type, state_key)) if actual else None):
            yield SetState(
                room_key=room.key,
                room_id=actual.room_id if actual else pending_room_id(room.key),
                event_type=event_type,
                state_key=state_key,
                content=content,
            )


def _wanted_state(room: DesiredRoom, actual: ObservedRoom | None) -> Mapping[StateKey, JsonObject]:
    """Return the state that we answer for: what is desired, and links that nobody desires, which are to be empty.

    A room that is yet to be created brings its state along, all but its children.
    """
    if actual is None:
        return {key: content for key, content in room.state.items() if key[0] == _CHILD}
    stray_links: dict[StateKey, JsonObject] = {
        key: {}
        for key, content in actual.state.items()
        if key[0] in _LINKS and key not in room.state and content.get("via")
    }
    return {**stray_links, **room.state}


def _is_same(wanted: JsonObject, actual: JsonObject | None) -> bool:
    if actual is None:
        return False
    return canonical_json(wanted) == canonical_json(actual)


def _kept_out_of_space(observed: Observed, bots: Bots) -> frozenset[UserID]:
    """Return those whom somebody took out of the space: a restricted room would refuse them."""
    space = observed.rooms.get(SPACE)
    members: Mapping[UserID, ObservedMembership] = space.members if space else {}
    return frozenset(
        user_id
        for user_id, seen in members.items()
        if seen.membership != "join" and not _may_be_joined(user_id, seen, bots, takes_back=True)
    )


def _joins(room: DesiredRoom, actual: ObservedRoom | None, bots: Bots, kept_out: frozenset[UserID]) -> Iterator[Effect]:
    members: Mapping[UserID, ObservedMembership] = actual.members if actual else {}
    room_id: RoomID = actual.room_id if actual else pending_room_id(room.key)
    is_invite_only = room.state["m.room.join_rules", ""].get("join_rule") == "invite"
    for user_id in sorted(room.people | (room.bots if actual else frozenset[UserID]())):
        observed = members.get(user_id)
        if not _may_be_joined(user_id, observed, bots, takes_back=room.takes_back):
            continue
        needs_invite = is_invite_only or user_id in bots.all
        is_invited = observed is not None and observed.membership == "invite"
        if user_id in kept_out and not needs_invite and not is_invited:
            continue
        yield JoinUser(room_key=room.key, room_id=room_id, user_id=user_id, invite=needs_invite and not is_invited)


def _may_be_joined(user_id: UserID, observed: ObservedMembership | None, bots: Bots, *, takes_back: bool) -> bool:
    """Leave exclusions alone, which a ban is and a kick by a moderator; whom we took out may come back."""
    if observed is None:
        return True
    if observed.membership == "leave":
        if observed.sender == user_id and user_id not in bots.all:
            return takes_back
        return observed.sender in bots.all or user_id in bots.all
    return observed.membership in {"invite", "knock"}
