"""In which order effects are applied, and which of them may be applied at once."""

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
from bridge.model.ids import SPACE

REVOCATIONS_END = 3
"""The stages below this one take away; nothing is granted in them."""


def stage_of(effect: Effect) -> int:
    """Return the stage of an effect; a stage begins when the one before it is over.

    Our creator comes back first, where it is missing: nothing can be taken away without it. Whoever is taken out leaves
    the space before its rooms: as long as they are in the space, its rooms would let them in again.
    """
    match effect:
        case JoinUser(is_creator=True):
            return 0
        case SetState(revokes=True) | RemoveUser(room_key="@space"):
            return 1
        case RemoveUser():
            return 2
        case CreateRoom() | RegisterUser() | SetDisplayName() | SetAvatar():
            return 3 + _order_of_making(effect)
        case SetState():
            return 7
        case JoinUser() | LeaveRoom():
            return _order_of_presence(effect)


def _order_of_making(effect: CreateRoom | RegisterUser | SetDisplayName | SetAvatar) -> int:
    """Put accounts before rooms, the space before what stands in it, and spaces in it before rooms."""
    if not isinstance(effect, CreateRoom):
        return 0
    if effect.room_key == SPACE:
        return 1
    return 2 if effect.creation_content.get("type") == "m.space" else 3


def _order_of_presence(effect: JoinUser | LeaveRoom) -> int:
    """Put the space before its rooms; our bots go when everybody else has come."""
    if isinstance(effect, LeaveRoom):
        return 10
    return 8 if effect.room_key == SPACE else 9


def group_of(effect: Effect) -> str:
    """Return what an effect is about: effects of one room, or of one person, are applied one after another."""
    return effect.user_id if isinstance(effect, RegisterUser | SetDisplayName | SetAvatar) else effect.room_key
