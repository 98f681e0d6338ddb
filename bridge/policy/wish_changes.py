"""What a wish changes of a tenant's desired state, told thing by thing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Literal, cast

from bridge.model.ids import MemberID, UserID
from bridge.model.json import Json
from bridge.model.tenant import Member, Room, Tenant

Action = Literal["create", "change", "remove"]

_NOT_COMPARED = frozenset({"key", "archived", "personal"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WishChange:
    """One thing that becomes another; ``field`` says which of its properties, empty for the whole of it."""

    action: Action
    what: Literal["tenant", "setting", "room", "member"]
    name: str
    field: str = ""
    before: Json = None
    after: Json = None


def unknown_person(member_id: MemberID, server_name: str) -> UserID:
    """Return the Matrix id that stands in a plan for a person who is not made yet; no real one looks like it."""
    return UserID(f"@new:{member_id}:{server_name}")


def changes_between(current: Tenant | None, wanted: Tenant) -> tuple[WishChange, ...]:
    """Return what differs, the tenant itself first, then settings, rooms and members, each by its key."""
    if current is None:
        first = WishChange(action="create", what="tenant", name=wanted.tenant_id, after=wanted.name)
        return (first, *_rooms((), wanted.rooms), *_members((), wanted.members))
    return (
        *_tenant(current, wanted),
        *_settings(current, wanted),
        *_rooms(current.rooms, wanted.rooms),
        *_members(current.members, wanted.members),
    )


def _tenant(current: Tenant, wanted: Tenant) -> Iterator[WishChange]:
    for field, before, after in (
        ("name", current.name, wanted.name),
        ("status", current.status.value, wanted.status.value),
        ("avatar_url", current.avatar_url, wanted.avatar_url),
    ):
        if before != after:
            yield WishChange(
                action="change", what="tenant", name=wanted.tenant_id, field=field, before=before, after=after
            )


def _settings(current: Tenant, wanted: Tenant) -> Iterator[WishChange]:
    for field in fields(wanted.settings):
        before, after = getattr(current.settings, field.name), getattr(wanted.settings, field.name)
        if before != after:
            yield WishChange(action="change", what="setting", name=field.name, before=before, after=after)


def _rooms(current: Sequence[Room], wanted: Sequence[Room]) -> Iterator[WishChange]:
    standing = {room.key: room for room in current if not room.archived}
    for room in wanted:
        before = standing.get(room.key)
        if room.archived and before is not None:
            yield WishChange(action="remove", what="room", name=room.key, before=before.name)
        elif not room.archived and before is None:
            yield WishChange(action="create", what="room", name=room.key, after=room.name)
        elif before is not None:
            yield from _room(before, room)
    order = [room.key for room in wanted if room.key in standing and not room.archived]
    usual = [key for key in standing if key in order]
    if order != usual:
        yield WishChange(action="change", what="room", name="order", before=list(usual), after=list(order))


def _room(before: Room, after: Room) -> Iterator[WishChange]:
    for field in fields(Room):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if field.name not in _NOT_COMPARED and old != new:
            yield WishChange(
                action="change", what="room", name=after.key, field=field.name, before=_shown(old), after=_shown(new)
            )


def _members(current: Sequence[Member], wanted: Sequence[Member]) -> Iterator[WishChange]:
    standing = {member.member_id: member for member in current}
    wished = {member.member_id: member for member in wanted}
    for member_id in sorted({*standing, *wished}):
        before, after = standing.get(member_id), wished.get(member_id)
        if after is None and before is not None:
            yield WishChange(action="remove", what="member", name=member_id, before=before.role.value)
        elif after is not None and before is None:
            yield WishChange(action="create", what="member", name=member_id, after=after.role.value)
        elif before is not None and after is not None:
            yield from _member(before, after)


def _member(before: Member, after: Member) -> Iterator[WishChange]:
    for field, old, new in (
        ("role", before.role.value, after.role.value),
        ("display_name", before.display_name, after.display_name),
    ):
        if old != new:
            yield WishChange(action="change", what="member", name=after.member_id, field=field, before=old, after=new)


def _shown(value: object) -> Json:
    if isinstance(value, frozenset):
        return sorted(map(str, cast("frozenset[str]", value)))
    return value if isinstance(value, bool | int | None) else str(getattr(value, "value", value))
