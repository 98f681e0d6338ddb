"""What stands in Matrix of one tenant: rooms, their current state, who is in them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from bridge.db.connection import Connection
from bridge.model.event import MatrixEvent
from bridge.model.ids import MemberID, RoomID, RoomKey, TenantID, UserID
from bridge.model.json import JsonObject
from bridge.model.room import (
    Bots,
    Membership,
    Observed,
    ObservedMembership,
    ObservedPerson,
    ObservedRoom,
    RoomKind,
    StateKey,
)
from bridge.policy.power_levels import level_of, role_of_level

_MEMBER = "m.room.member"
_INSIDE_OR_BANNED: tuple[Membership, ...] = ("invite", "join", "ban", "knock")


class RoomStore:
    """Implements the port ``Rooms``."""

    def __init__(self, connection: Connection, tenant_id: TenantID, bots: Bots) -> None:
        self._connection, self._tenant_id, self._bots = connection, tenant_id, bots

    async def observed(self) -> Observed:
        state: dict[str, dict[StateKey, JsonObject]] = defaultdict(dict)
        members: dict[str, dict[UserID, ObservedMembership]] = defaultdict(dict)
        for row in await self._connection.fetch(
            "SELECT room_id, event_type, state_key, sender, content FROM room_state WHERE tenant_id = $1",
            self._tenant_id,
        ):
            if row["event_type"] == _MEMBER:
                membership = ObservedMembership(membership=_membership(row["content"]), sender=row["sender"])
                members[row["room_id"]][row["state_key"]] = membership
            else:
                state[row["room_id"]][row["event_type"], row["state_key"]] = row["content"]
        rooms = {
            key: ObservedRoom(room_id=room_id, key=key, state=state[room_id], members=members[room_id])
            for key, room_id in (await self.room_ids()).items()
        }
        return Observed(rooms=rooms, people=await self._people())

    async def _people(self) -> Mapping[UserID, ObservedPerson]:
        rows = await self._connection.fetch(
            "SELECT u.matrix_id, u.registered, u.profile_name FROM users u JOIN memberships m USING (member_id)"
            " WHERE m.tenant_id = $1",
            self._tenant_id,
        )
        return {
            row["matrix_id"]: ObservedPerson(registered=row["registered"], profile_name=row["profile_name"])
            for row in rows
        }

    async def room_ids(self) -> Mapping[RoomKey, RoomID]:
        rows = await self._connection.fetch("SELECT key, id FROM chat_rooms WHERE tenant_id = $1", self._tenant_id)
        return {row["key"]: row["id"] for row in rows}

    async def find_kind(self, room_id: RoomID) -> RoomKind | None:
        row = await self._connection.fetchrow(
            "SELECT c.type, coalesce(t.personal, false) AS personal FROM chat_rooms c"
            " LEFT JOIN tenant_rooms t USING (tenant_id, key) WHERE c.tenant_id = $1 AND c.id = $2",
            self._tenant_id,
            room_id,
        )
        return RoomKind(type=row["type"], personal=row["personal"]) if row else None

    async def find_addressed(
        self, room_keys: Sequence[RoomKey], member_ids: Sequence[MemberID]
    ) -> tuple[Mapping[RoomKey, RoomID], Mapping[MemberID, UserID]]:
        rows = await self._connection.fetch(
            "SELECT true AS is_room, r.key AS name, c.id FROM tenant_rooms r JOIN chat_rooms c USING (tenant_id, key)"
            " WHERE r.tenant_id = $1 AND r.key = ANY($2) AND NOT r.archived AND NOT r.personal"
            " UNION ALL SELECT false, m.member_id, u.matrix_id FROM memberships m JOIN users u USING (member_id)"
            " WHERE m.tenant_id = $1 AND m.member_id = ANY($3)",
            self._tenant_id,
            room_keys,
            member_ids,
        )
        rooms = {RoomKey(row["name"]): RoomID(row["id"]) for row in rows if row["is_room"]}
        people = {MemberID(row["name"]): UserID(row["id"]) for row in rows if not row["is_room"]}
        return rooms, people

    async def record_room(self, room_id: RoomID, key: RoomKey, room_type: str) -> None:
        await self._connection.execute(
            "INSERT INTO chat_rooms (id, tenant_id, key, type) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (tenant_id, key) DO UPDATE SET type = excluded.type WHERE chat_rooms.id = excluded.id",
            room_id,
            self._tenant_id,
            key,
            room_type,
        )

    async def record_state(self, events: Sequence[MatrixEvent]) -> Sequence[MatrixEvent]:
        # one writer of a room's state at a time, whatever the order of its rows
        await self._connection.execute(
            "SELECT FROM chat_rooms WHERE tenant_id = $1 AND id = ANY($2) ORDER BY id FOR NO KEY UPDATE",
            self._tenant_id,
            list({event.room_id for event in events}),
        )
        rows = await self._connection.fetch(
            "INSERT INTO room_state AS s (tenant_id, room_id, event_type, state_key, event_id, sender, content,"
            " origin_server_ts, stream_position) SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[],"
            " $5::text[], $6::text[], $7::jsonb[], $8::bigint[], $9::bigint[])"
            " ON CONFLICT (room_id, event_type, state_key) DO UPDATE SET event_id = excluded.event_id,"
            " sender = excluded.sender, content = excluded.content, origin_server_ts = excluded.origin_server_ts,"
            " stream_position = excluded.stream_position"
            " WHERE s.event_id <> excluded.event_id AND coalesce(s.stream_position <= excluded.stream_position,"
            " s.origin_server_ts <= excluded.origin_server_ts)"
            " RETURNING event_id",
            self._tenant_id,
            [event.room_id for event in events],
            [event.event_type for event in events],
            [event.state_key for event in events],
            [event.event_id for event in events],
            [event.sender for event in events],
            [event.content for event in events],
            [event.origin_server_ts for event in events],
            [event.stream_position for event in events],
        )
        stored = {row["event_id"] for row in rows}
        newer = [event for event in events if event.event_id in stored]
        for event in newer:
            await self._project(event)
        return newer

    async def _project(self, event: MatrixEvent) -> None:
        if event.event_type == _MEMBER and event.state_key is not None:
            await self._project_member(event, UserID(event.state_key))
        elif event.event_type == "m.room.name":
            await self._connection.execute(
                "UPDATE chat_rooms SET name = $2 WHERE id = $1", event.room_id, str(event.content.get("name", ""))
            )
        elif event.event_type == "m.room.power_levels":
            await self._project_roles(event)

    async def _project_member(self, event: MatrixEvent, user_id: UserID) -> None:
        levels: JsonObject | None = await self._connection.fetchval(
            "SELECT content FROM room_state WHERE room_id = $1 AND event_type = 'm.room.power_levels'", event.room_id
        )
        name = event.content.get("displayname")
        await self._connection.execute(
            "INSERT INTO chat_room_members (room_id, tenant_id, user_id, role, membership, display_name, updated_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (room_id, user_id) DO UPDATE SET role = $4,"
            " membership = $5, display_name = coalesce($6, chat_room_members.display_name), updated_at = $7",
            event.room_id,
            self._tenant_id,
            user_id,
            self._role(user_id, levels or {}),
            _membership(event.content),
            name if isinstance(name, str) else None,
            datetime.fromtimestamp(event.origin_server_ts / 1000, UTC),
        )

    async def _project_roles(self, event: MatrixEvent) -> None:
        rows = await self._connection.fetch("SELECT user_id FROM chat_room_members WHERE room_id = $1", event.room_id)
        await self._connection.executemany(
            "UPDATE chat_room_members SET role = $3 WHERE room_id = $1 AND user_id = $2 AND role <> $3",
            [(event.room_id, row["user_id"], self._role(row["user_id"], event.content)) for row in rows],
        )

    def _role(self, user_id: UserID, levels: JsonObject) -> str:
        return role_of_level(level_of(user_id, levels), is_bot=user_id in self._bots.all)


def _membership(content: JsonObject) -> Membership:
    found = content.get("membership")
    for membership in _INSIDE_OR_BANNED:
        if membership == found:
            return membership
    return "leave"
