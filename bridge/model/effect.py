"""What reconcile would do, one Matrix act each; every effect is idempotent and has a stable id."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bridge.model.ids import EffectID, RoomID, RoomKey, UserID
from bridge.model.json import Json, JsonObject

PENDING_PREFIX = "!pending:"


def pending_room_id(key: RoomKey) -> RoomID:
    """Return the id that stands for a room of this plan which does not exist yet."""
    return RoomID(PENDING_PREFIX + key)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterUser:
    """Create a person's account in Synapse."""

    user_id: UserID
    kind: Literal["register_user"] = "register_user"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetDisplayName:
    """Set a person's display name, as that person."""

    user_id: UserID
    display_name: str
    kind: Literal["set_display_name"] = "set_display_name"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAvatar:
    """Set a person's picture, as that person; an empty ``avatar_url`` takes it away."""

    user_id: UserID
    avatar_url: str
    kind: Literal["set_avatar"] = "set_avatar"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRoom:
    """Create a room with its state; ``bots`` are those that come in besides its creator."""

    room_key: RoomKey
    creation_content: JsonObject
    state: tuple[tuple[str, str, JsonObject], ...]
    bots: tuple[UserID, ...]
    kind: Literal["create_room"] = "create_room"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetState:
    """Write one state event, as the creator; ``revokes`` says that it takes something away from somebody."""

    room_key: RoomKey
    room_id: RoomID
    event_type: str
    state_key: str
    content: JsonObject
    revokes: bool = False
    kind: Literal["set_state"] = "set_state"


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinUser:
    """Bring a user into a room without a click: ``invite`` first where the join rule wants it.

    ``is_creator`` says that it is our creator who comes back, without whom nothing else can be done in the room;
    ``inviter`` is who invites, where that is not one of our creators.
    """

    room_key: RoomKey
    room_id: RoomID
    user_id: UserID
    invite: bool
    is_creator: bool = False
    is_direct: bool = False
    inviter: UserID | None = None
    kind: Literal["join_user"] = "join_user"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveUser:
    """Take a user out of a room, or take back an invitation."""

    room_key: RoomKey
    room_id: RoomID
    user_id: UserID
    kind: Literal["remove_user"] = "remove_user"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveRoom:
    """Have a bot of ours leave a room that others stay in."""

    room_key: RoomKey
    room_id: RoomID
    user_id: UserID
    kind: Literal["leave_room"] = "leave_room"


Effect = RegisterUser | SetDisplayName | SetAvatar | CreateRoom | SetState | JoinUser | RemoveUser | LeaveRoom


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectTarget:
    """What an effect is about, for lists and jobs."""

    effect_id: EffectID
    kind: str
    room_key: RoomKey | None
    room_id: RoomID | None
    user_id: UserID | None


def effect_target(effect: Effect) -> EffectTarget:
    """Return what an effect is about; its id is the same whenever the same effect is planned."""
    room_key: RoomKey | None = getattr(effect, "room_key", None)
    room_id: RoomID | None = getattr(effect, "room_id", None)
    user_id: UserID | None = getattr(effect, "user_id", None)
    state = f"{effect.event_type}\0{effect.state_key}" if isinstance(effect, SetState) else ""
    name = "\0".join((effect.kind, room_key or "", user_id or "", state))
    effect_id = EffectID(hashlib.sha256(name.encode()).hexdigest()[:16])
    is_pending = room_id is not None and room_id.startswith(PENDING_PREFIX)
    return EffectTarget(
        effect_id=effect_id,
        kind=effect.kind,
        room_key=room_key,
        room_id=None if is_pending else room_id,
        user_id=user_id,
    )


def resolve_content(content: JsonObject, room_ids: Mapping[RoomKey, RoomID]) -> JsonObject:
    """Put real room ids in place of pending ones, wherever they stand as a whole string."""
    return {key: _resolve(value, room_ids) for key, value in content.items()}


def has_pending_room(effect: CreateRoom) -> bool:
    """Say whether the room names one that does not exist, by a state key or as its space; people's words may say so."""
    named = [name for _, key, content in effect.state for name in (key, content.get("space_id"))]
    return any(isinstance(name, str) and name.startswith(PENDING_PREFIX) for name in named)


def resolve_room_id(value: str, room_ids: Mapping[RoomKey, RoomID]) -> str:
    """Return the real room id for a pending one; anything else comes back as it is."""
    if not value.startswith(PENDING_PREFIX):
        return value
    return room_ids.get(RoomKey(value.removeprefix(PENDING_PREFIX)), value)


def _resolve(value: Json, room_ids: Mapping[RoomKey, RoomID]) -> Json:
    if isinstance(value, str):
        return resolve_room_id(value, room_ids)
    if isinstance(value, Mapping):
        return resolve_content(value, room_ids)
    if isinstance(value, list | tuple):
        return [_resolve(item, room_ids) for item in value]
    return value
