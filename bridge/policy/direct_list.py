"""What stands in a person's account data about direct chats: 'm.direct', and 'm.ignored_user_list' for whom they block.

Clients write both, too. Ours is merged into what stands there, and merging twice changes nothing more: so our own
write, when it is heard of, leads to no other.
"""

from collections.abc import Collection, Mapping

from bridge.model.ids import RoomID, UserID
from bridge.model.json import Json, JsonObject

_IGNORED = "ignored_users"


def merge_direct_list(
    content: JsonObject, chats: Mapping[UserID, Collection[RoomID]], ours: Collection[RoomID]
) -> JsonObject:
    """Return 'm.direct' with our direct chats where they belong.

    ``chats`` are those that the person is in, by the other person; ``ours`` are all that we know of, so that one which
    stands with the wrong person, or has been left, is taken out. Other rooms stay with whom they stand.
    """
    known = set(ours).union(*chats.values())
    merged: dict[str, Json] = {}
    for user_id, rooms in content.items():
        kept = _without(rooms, known - set(chats.get(UserID(user_id), ())))
        if kept == [] and rooms != []:
            continue  # nobody stands there for what we have taken out
        merged[user_id] = kept
    for other, wanted in sorted(chats.items()):
        merged |= _with_rooms(merged, other, wanted)
    return merged


def _without(rooms: Json, unwanted: Collection[RoomID]) -> Json:
    if not isinstance(rooms, list):
        return rooms
    return [room for room in rooms if not (isinstance(room, str) and room in unwanted)]


def _with_rooms(merged: JsonObject, other: UserID, wanted: Collection[RoomID]) -> dict[str, Json]:
    rooms = merged.get(other)
    present: list[Json] = list(rooms) if isinstance(rooms, list) else []
    missing = sorted(room for room in wanted if room not in present)
    return {other: [*present, *missing]} if missing else {}


def merge_ignored_list(content: JsonObject, blocked: Collection[UserID], released: Collection[UserID]) -> JsonObject:
    """Return 'm.ignored_user_list' with whom a person blocks, and without whom they block no longer.

    Whom they ignore by a client alone stays. Who is in both lists is blocked.
    """
    stored = content.get(_IGNORED)
    ignored: JsonObject = stored if isinstance(stored, Mapping) else {}
    gone = set(released) - set(blocked)
    kept: dict[str, Json] = {user_id: value for user_id, value in ignored.items() if user_id not in gone}
    new: dict[str, Json] = {user_id: {} for user_id in sorted(blocked) if user_id not in kept}
    return {**content, _IGNORED: kept | new}
