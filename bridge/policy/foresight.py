"""What stands once effects that were just made are counted in, before Matrix has told us of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bridge.model.effect import (
    CreateRoom,
    Effect,
    JoinUser,
    LeaveRoom,
    RemoveUser,
    SetState,
    resolve_content,
    resolve_room_id,
)
from bridge.model.ids import RoomID, RoomKey, UserID
from bridge.model.room import Bots, Observed, ObservedMembership, ObservedRoom


def foresee(observed: Observed, made: Sequence[Effect], room_ids: Mapping[RoomKey, RoomID], bots: Bots) -> Observed:
    """Return what stands with the effects in ``made``, in their order; ``room_ids`` are those of rooms that exist."""
    rooms = dict(observed.rooms)
    for effect in made:
        match effect:
            case CreateRoom(room_key=key) if key in rooms:
                rooms[key] = _with_birth(rooms[key], effect, room_ids, bots)
            case SetState(room_key=key) if key in rooms:
                name = effect.event_type, resolve_room_id(effect.state_key, room_ids)
                content = resolve_content(effect.content, room_ids)
                rooms[key] = replace(rooms[key], state={**rooms[key].state, name: content})
            case JoinUser(room_key=key, user_id=user_id) if key in rooms:
                rooms[key] = _with_member(rooms[key], user_id, ObservedMembership(membership="join", sender=user_id))
            case RemoveUser(room_key=key, user_id=user_id) if key in rooms:
                gone = ObservedMembership(membership="leave", sender=bots.creator)
                rooms[key] = _with_member(rooms[key], user_id, gone)
            case LeaveRoom(room_key=key, user_id=user_id) if key in rooms:
                rooms[key] = _with_member(rooms[key], user_id, ObservedMembership(membership="leave", sender=user_id))
            case _:
                pass
    return replace(observed, rooms=rooms)


def _with_birth(room: ObservedRoom, effect: CreateRoom, room_ids: Mapping[RoomKey, RoomID], bots: Bots) -> ObservedRoom:
    """Return the room with what it was created with, wherever nothing newer is known."""
    born = {
        (kind, resolve_room_id(key, room_ids)): resolve_content(content, room_ids)
        for kind, key, content in effect.state
    }
    inside = {bot: ObservedMembership(membership="join", sender=bot) for bot in (bots.creator, *effect.bots)}
    return replace(room, state={**born, **room.state}, members={**room.members, **inside})


def _with_member(room: ObservedRoom, user_id: UserID, membership: ObservedMembership) -> ObservedRoom:
    return replace(room, members={**room.members, user_id: membership})
