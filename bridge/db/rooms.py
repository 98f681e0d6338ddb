"""What stands in Matrix of one tenant: rooms, their current state, who is in them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from bridge.db.connection import Connection
from bridge.model.event import MatrixEvent
from bridge.model.ids import SPACE, MemberID, RoomID, RoomKey, TenantID, UserID
from bridge.model.json import JsonObject
from bridge.model.room import (
    Bots,
    DirectChat,
    Membership,
    Observed,
    ObservedMembership,
    ObservedPerson,
    ObservedRoom,
    RoomKind,
    StateKey,
)
from bridge.policy.power_levels import level_of, role_of_level

_MEMBER, _LEVELS = "m.room.member", "m.room.power_levels"
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
        members: list[UserID] = await self._connection.fetchval(
            "SELECT array_agg(matrix_id) FROM users WHERE member_id IN (SELECT member_id FROM memberships"
            " WHERE tenant_id = $1 UNION SELECT unnest(outsider_ids) FROM tenant_rooms WHERE tenant_id = $1)"
            " OR (super_admin AND EXISTS (SELECT FROM tenant_rooms WHERE tenant_id = $1 AND audience = 'bitnexus'))",
            self._tenant_id,
        )
        return await self.observed_people(members or [])

    async def observed_people(self, user_ids: Sequence[UserID]) -> Mapping[UserID, ObservedPerson]:
        rows = await self._connection.fetch(
            "SELECT matrix_id, registered, profile_name, profile_avatar FROM users WHERE matrix_id = ANY($1)",
            list(user_ids),
        )
        return {
            row["matrix_id"]: ObservedPerson(
                registered=row["registered"], profile_name=row["profile_name"], profile_avatar=row["profile_avatar"]
            )
            for row in rows
        }

    async def room_ids(self) -> Mapping[RoomKey, RoomID]:
        rows = await self._connection.fetch("SELECT key, id FROM chat_rooms WHERE tenant_id = $1", self._tenant_id)
        return {row["key"]: row["id"] for row in rows}

    async def rooms_of(self, user_id: UserID) -> Sequence[RoomID]:
        rows = await self._connection.fetch(
            "SELECT m.room_id FROM chat_room_members m JOIN chat_rooms c ON c.id = m.room_id"
            " WHERE m.tenant_id = $1 AND m.user_id = $2 AND m.membership IN ('join', 'invite')"
            " ORDER BY c.key <> $3, c.key",
            self._tenant_id,
            user_id,
            SPACE,
        )
        return [RoomID(row["room_id"]) for row in rows]

    async def is_current(self, event: MatrixEvent) -> bool:
        found: bool = await self._connection.fetchval(
            "SELECT EXISTS (SELECT FROM room_state WHERE tenant_id = $1 AND room_id = $2 AND event_type = $3"
            " AND state_key = $4 AND event_id = $5)",
            self._tenant_id,
            event.room_id,
            event.event_type,
            event.state_key,
            event.event_id,
        )
        return found

    async def direct_chats(self, user_id: UserID) -> Sequence[DirectChat]:
        rows = await self._connection.fetch(
            "SELECT DISTINCT ON (c.id) c.id AS room_id, o.user_id AS other, m.membership = 'join' AS is_inside"
            " FROM chat_rooms c JOIN chat_room_members m ON m.room_id = c.id AND m.user_id = $2"
            " JOIN chat_room_members o ON o.room_id = c.id AND o.user_id <> $2 AND o.role <> 'bot'"
            " WHERE c.tenant_id = $1 AND c.type = 'dm' ORDER BY c.id, o.membership <> 'join', o.user_id",
            self._tenant_id,
            user_id,
        )
        return [DirectChat(**dict(row)) for row in rows]

    async def find_kind(self, room_id: RoomID) -> RoomKind | None:
        row = await self._connection.fetchrow(
            "SELECT coalesce(t.type, c.type) AS type, coalesce(t.personal, false) AS personal FROM chat_rooms c"
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

    async def retire(self, room_id: RoomID) -> None:
        await self._connection.execute(
            "UPDATE chat_rooms SET key = key || '~' || left(md5(id), 8) WHERE tenant_id = $1 AND id = $2",
            self._tenant_id,
            room_id,
        )

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
        await self._project(newer)
        return newer

    async def _project(self, events: Sequence[MatrixEvent]) -> None:
        """Carry state into the tables that people ask: names, members, and their roles."""
        for event in events:
            if event.event_type == "m.room.name":
                await self._connection.execute(
                    "UPDATE chat_rooms SET name = $2 WHERE id = $1", event.room_id, str(event.content.get("name", ""))
                )
            elif event.event_type == _LEVELS:
                await self._project_roles(event)
        members = [event for event in events if event.event_type == _MEMBER]
        for room_id in dict.fromkeys(event.room_id for event in members):
            await self._project_members(room_id, [event for event in members if event.room_id == room_id])

    async def _project_members(self, room_id: RoomID, events: Sequence[MatrixEvent]) -> None:
        levels: JsonObject | None = await self._connection.fetchval(
            "SELECT content FROM room_state WHERE room_id = $1 AND event_type = $2 AND state_key = ''", room_id, _LEVELS
        )
        # one row a person: a statement must not write a row twice
        newest = {UserID(event.state_key): event for event in events if event.state_key is not None}
        names = [event.content.get("displayname") for event in newest.values()]
        await self._connection.execute(
            "INSERT INTO chat_room_members (room_id, tenant_id, user_id, role, membership, display_name, updated_at)"
            " SELECT $1, $2, * FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])"
            " ON CONFLICT (room_id, user_id) DO UPDATE SET role = excluded.role, membership = excluded.membership,"
            " display_name = coalesce(excluded.display_name, chat_room_members.display_name),"
            " updated_at = excluded.updated_at",
            room_id,
            self._tenant_id,
            list(newest),
            [self._role(user_id, levels or {}) for user_id in newest],
            [_membership(event.content) for event in newest.values()],
            [name if isinstance(name, str) else None for name in names],
            [datetime.fromtimestamp(event.origin_server_ts / 1000, UTC) for event in newest.values()],
        )

    async def _project_roles(self, event: MatrixEvent) -> None:
        rows = await self._connection.fetch("SELECT user_id FROM chat_room_members WHERE room_id = $1", event.room_id)
        user_ids = [UserID(row["user_id"]) for row in rows]
        await self._connection.execute(
            "UPDATE chat_room_members m SET role = r.role FROM unnest($2::text[], $3::text[]) AS r(user_id, role)"
            " WHERE m.room_id = $1 AND m.user_id = r.user_id AND m.role <> r.role",
            event.room_id,
            user_ids,
            [self._role(user_id, event.content) for user_id in user_ids],
        )

    def _role(self, user_id: UserID, levels: JsonObject) -> str:
        return role_of_level(level_of(user_id, levels), is_bot=user_id in self._bots.all)


def _membership(content: JsonObject) -> Membership:
    found = content.get("membership")
    for membership in _INSIDE_OR_BANNED:
        if membership == found:
            return membership
    return "leave"
