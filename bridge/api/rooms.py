"""Routes of one room of a tenant, for the backend and for the tenant's owners and admins."""

from bridge.api.answers import change_answer
from bridge.api.call import Call
from bridge.api.shapes import ChangeAnswer, RoomBody, RoomChangeBody
from bridge.model.change import RoomWish
from bridge.model.ids import RoomKey, parse_member_id, parse_room_key
from bridge.model.tenant import Access, Room, RoomType
from bridge.policy.templates import TEMPLATES


async def post_room(call: Call) -> ChangeAnswer:
    """Add a room, or open an archived one again."""
    room = room_from(call.body_as(RoomBody))
    return change_answer(await call.actions.add_room(call.tenant_id, room, credential=call.administrator))


async def patch_room(call: Call) -> ChangeAnswer:
    """Change what the body names of a room."""
    body = call.body_as(RoomChangeBody)
    wish = RoomWish(
        type=None if body.type is None else RoomType(body.type),
        name=body.name,
        topic=body.topic,
        access=None if body.access is None else Access(body.access),
        optional=body.optional,
        member_ids=None if body.members is None else frozenset(parse_member_id(found) for found in body.members),
        group=body.group,
        avatar_url=body.avatar_url,
    )
    change = await call.actions.change_room(call.tenant_id, _room_key(call), wish, credential=call.administrator)
    return change_answer(change)


async def delete_room(call: Call) -> ChangeAnswer:
    """Archive a room: empty and unlink it; its history stays."""
    change = await call.actions.archive_room(call.tenant_id, _room_key(call), credential=call.administrator)
    return change_answer(change)


def room_from(body: RoomBody) -> Room:
    """Return the room that a body asks for; what it leaves out comes from the template of its type."""
    room_type = RoomType(body.type)
    template = TEMPLATES[room_type]
    return Room(
        key=parse_room_key(body.key),
        type=room_type,
        name=body.name,
        topic=body.topic,
        access=template.access if body.access is None else Access(body.access),
        optional=template.optional if body.optional is None else body.optional,
        member_ids=frozenset(parse_member_id(member_id) for member_id in body.members),
        group=body.group,
        avatar_url=body.avatar_url,
    )


def room_body(room: Room) -> RoomBody:
    """Return a room as it is shown."""
    return RoomBody(
        key=room.key,
        type=room.type.value,
        name=room.name,
        topic=room.topic,
        access=room.access.value,
        optional=room.optional,
        members=tuple(sorted(room.member_ids)),
        group=room.group,
        avatar_url=room.avatar_url,
    )


def _room_key(call: Call) -> RoomKey:
    return parse_room_key(call.path("key"), path="key")
