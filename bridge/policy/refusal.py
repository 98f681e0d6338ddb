"""Why Synapse refused an effect, as far as a room's power levels and members tell."""

from bridge.model.effect import Effect, JoinUser, RemoveUser, SetState
from bridge.model.ids import UserID
from bridge.model.json import Json, JsonObject
from bridge.model.room import Bots, ObservedRoom
from bridge.policy.power_levels import level_of

_SPECIFICATION = {"kick": 50, "invite": 0}


def explain_refusal(effect: Effect, room: ObservedRoom | None, bots: Bots) -> str | None:
    """Say in a sentence what we lack in the room; None when the room does not tell."""
    if room is None or not isinstance(effect, SetState | JoinUser | RemoveUser):
        return None
    actor = bots.keeper if isinstance(effect, JoinUser) and effect.is_creator else bots.creator
    seen = room.members.get(actor)
    if seen is None or seen.membership != "join":
        return f"{actor} is not in the room '{room.key}'"
    target = room.members.get(effect.user_id) if isinstance(effect, JoinUser | RemoveUser) else None
    if isinstance(effect, JoinUser) and target is not None and target.membership == "ban":
        return f"{effect.user_id} is banned from the room '{room.key}'"
    return _missing_power(effect, room, actor)


def _missing_power(effect: SetState | JoinUser | RemoveUser, room: ObservedRoom, actor: UserID) -> str | None:
    levels = room.state.get(("m.room.power_levels", ""), {})
    ours, (needed, act) = level_of(actor, levels), _needed(effect, levels)
    if _has_unlimited_creators(room):
        return None
    if ours < needed:
        return f"{actor} has power {ours} in the room '{room.key}', and it takes {needed} to {act}"
    rivals = [who for who in _rivals(effect, levels) if who != actor and level_of(who, levels) >= ours]
    if rivals:
        return (
            f"{rivals[0]} has power {level_of(rivals[0], levels)} in the room '{room.key}', no less than {actor}:"
            " only they themselves can give it up"
        )
    return None


def _has_unlimited_creators(room: ObservedRoom) -> bool:
    """Say whether creators' power has no level, as from room version 12 on."""
    version = room.state.get(("m.room.create", ""), {}).get("room_version")
    return isinstance(version, str) and version.isdecimal() and int(version) >= 12  # noqa: PLR2004 - the specification's


def _needed(effect: SetState | JoinUser | RemoveUser, levels: JsonObject) -> tuple[int, str]:
    match effect:
        case SetState(event_type=event_type):
            events = levels.get("events")
            special = events.get(event_type) if isinstance(events, dict) else None
            return _number(special, _number(levels.get("state_default"), 50)), f"send {event_type}"
        case JoinUser(user_id=user_id):
            return _number(levels.get("invite"), _SPECIFICATION["invite"]), f"invite {user_id}"
        case RemoveUser(user_id=user_id):
            return _number(levels.get("kick"), _SPECIFICATION["kick"]), f"take {user_id} out"


def _rivals(effect: SetState | JoinUser | RemoveUser, levels: JsonObject) -> list[UserID]:
    """Return those whom the effect would lower or take out: it takes more power than they have."""
    match effect:
        case RemoveUser(user_id=user_id):
            return [user_id]
        case SetState(event_type="m.room.power_levels", content=wanted):
            users = levels.get("users")
            listed = [UserID(who) for who in users] if isinstance(users, dict) else []
            return [who for who in listed if level_of(who, wanted) < level_of(who, levels)]
        case _:
            return []


def _number(value: Json, usual: int) -> int:
    return value if isinstance(value, int) else usual
