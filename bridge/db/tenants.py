"""Desired state of one tenant: its settings, rooms and members."""

from collections.abc import Sequence

import msgspec

from bridge.db.connection import Connection
from bridge.model.ids import MemberID, TenantID
from bridge.model.tenant import Access, Member, Role, Room, RoomType, Tenant, TenantSettings, TenantStatus


class TenantStore:
    """Implements the port ``Tenants``."""

    def __init__(self, connection: Connection, tenant_id: TenantID) -> None:
        self._connection, self._tenant_id = connection, tenant_id

    async def lock(self) -> None:
        await self._connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 1))", self._tenant_id)

    async def find(self) -> Tenant | None:
        row = await self._connection.fetchrow(
            "SELECT name, status, settings, revision FROM tenants WHERE tenant_id = $1", self._tenant_id
        )
        if row is None:
            return None
        return Tenant(
            tenant_id=self._tenant_id,
            name=row["name"],
            status=TenantStatus(row["status"]),
            settings=msgspec.convert(row["settings"], TenantSettings),
            revision=row["revision"],
            rooms=await self._rooms(),
            members=await self._members(),
        )

    async def _rooms(self) -> tuple[Room, ...]:
        rows = await self._connection.fetch(
            "SELECT * FROM tenant_rooms WHERE tenant_id = $1 ORDER BY position, key", self._tenant_id
        )
        return tuple(
            Room(
                key=row["key"],
                type=RoomType(row["type"]),
                name=row["name"],
                topic=row["topic"],
                access=Access(row["access"]),
                optional=row["optional"],
                member_ids=frozenset(row["member_ids"]),
                personal=row["personal"],
                archived=row["archived"],
            )
            for row in rows
        )

    async def _members(self) -> tuple[Member, ...]:
        rows = await self._connection.fetch(
            "SELECT m.member_id, m.role, u.matrix_id, u.display_name, u.status FROM memberships m"
            " JOIN users u USING (member_id) WHERE m.tenant_id = $1 ORDER BY m.member_id",
            self._tenant_id,
        )
        return tuple(
            Member(
                member_id=row["member_id"],
                user_id=row["matrix_id"],
                role=Role(row["role"]),
                display_name=row["display_name"],
                active=row["status"] == "active",
            )
            for row in rows
        )

    async def save(
        self, *, name: str, status: TenantStatus, settings: TenantSettings, revision: int, rooms: Sequence[Room]
    ) -> None:
        await self._connection.execute(
            "INSERT INTO tenants (tenant_id, name, status, settings, revision) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT (tenant_id) DO UPDATE SET name = $2, status = $3, settings = $4, revision = $5,"
            " updated_at = now()",
            self._tenant_id,
            name,
            status.value,
            msgspec.to_builtins(settings),
            revision,
        )
        for position, room in enumerate(rooms):
            await self._save_room_at(room, position)

    async def save_room(self, room: Room) -> None:
        count: int = await self._connection.fetchval(
            "SELECT coalesce(max(position) + 1, 0) FROM tenant_rooms WHERE tenant_id = $1", self._tenant_id
        )
        await self._save_room_at(room, count)

    async def _save_room_at(self, room: Room, position: int) -> None:
        await self._connection.execute(
            "INSERT INTO tenant_rooms (tenant_id, key, position, type, name, topic, access, optional, member_ids,"
            " personal, archived) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
            " ON CONFLICT (tenant_id, key) DO UPDATE SET position = $3, type = $4, name = $5, topic = $6, access = $7,"
            " optional = $8, member_ids = $9, personal = $10, archived = $11",
            self._tenant_id,
            room.key,
            position,
            room.type.value,
            room.name,
            room.topic,
            room.access.value,
            room.optional,
            sorted(room.member_ids),
            room.personal,
            room.archived,
        )

    async def save_member(self, member_id: MemberID, role: Role) -> None:
        await self._connection.execute(
            "INSERT INTO memberships (tenant_id, member_id, role) VALUES ($1, $2, $3)"
            " ON CONFLICT (tenant_id, member_id) DO UPDATE SET role = $3",
            self._tenant_id,
            member_id,
            role.value,
        )

    async def remove_member(self, member_id: MemberID) -> None:
        await self._connection.execute(
            "DELETE FROM memberships WHERE tenant_id = $1 AND member_id = $2", self._tenant_id, member_id
        )

    async def bump_revision(self) -> int:
        revision: int = await self._connection.fetchval(
            "UPDATE tenants SET revision = revision + 1, updated_at = now() WHERE tenant_id = $1 RETURNING revision",
            self._tenant_id,
        )
        return revision
