"""In which order effects are applied, and which of them may be applied at once."""

from bridge.model.effect import CreateRoom, Effect, JoinUser, RegisterUser, RemoveUser, SetDisplayName, SetState
from bridge.model.ids import SPACE


def stage_of(effect: Effect) -> int:
    """Return the stage of an effect; a stage begins when the one before it is over."""
    match effect:
        case RemoveUser():
            return 0
        case RegisterUser() | SetDisplayName():
            return 1
        case CreateRoom(room_key=key):
            return 2 if key == SPACE else 3
        case SetState():
            return 4
        case JoinUser(room_key=key):
            return 5 if key == SPACE else 6


def group_of(effect: Effect) -> str:
    """Return what an effect is about: effects of one room, or of one person, are applied one after another."""
    return effect.user_id if isinstance(effect, RegisterUser | SetDisplayName) else effect.room_key
