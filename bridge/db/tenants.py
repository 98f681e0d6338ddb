"""Desired state of one tenant: its settings, rooms and members."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import LiteralString

import msgspec

from bridge.db.alliance_tasks import AllianceTaskStore
from bridge.db.connection import Connection, rows_of
from bridge.db.person_tasks import PersonTaskStore
from bridge.model.ids import MemberID, RoomID, TenantID, UserID
from bridge.model.tenant import (
    Access,
    Audience,
    Member,
    Outsider,
    Role,
    Room,
    RoomType,
    Tenant,
    TenantSettings,
    TenantStatus,
)

Elsewhere = Callable[[TenantID], Awaitable[frozenset[MemberID]]]
"""Says which members of a tenant belong to another one that is active: a question across tenants."""


class TenantStore:
    """Implements the port ``Tenants``."""

    def __init__(
        self,
        connection: Connection,
        tenant_id: TenantID,
        elsewhere: Elsewhere,
        tasks: PersonTaskStore,
        alliance_tasks: AllianceTaskStore,
    ) -> None:
        self._connection, self._tenant_id, self._elsewhere, self._tasks = connection, tenant_id, elsewhere, tasks
        self._alliance_tasks = alliance_tasks

    async def lock(self) -> None:
        await self._connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 1))", self._tenant_id)

    async def find(self) -> Tenant | None:
        row = await self._connection.fetchrow("SELECT * FROM tenants WHERE tenant_id = $1", self._tenant_id)
        if row is None:
            return None
        status = TenantStatus(row["status"])
        return Tenant(
            tenant_id=self._tenant_id,
            name=row["name"],
            status=status,
            settings=msgspec.convert(row["settings"], TenantSettings),
            revision=row["revision"],
            rooms=await self._rooms(),
            members=await self._members(status),
            avatar_url=row["avatar_url"],
            offboarded_at=row["offboarded_at"],
            removes_at=row["removes_at"],
        )

    async def find_members(self) -> tuple[TenantStatus, Sequence[Member]] | None:
        found = await self._connection.fetchval("SELECT status FROM tenants WHERE tenant_id = $1", self._tenant_id)
        if found is None:
            return None
        status = TenantStatus(found)
        return status, await self._members(status)

    async def _rooms(self) -> tuple[Room, ...]:
        rows = await self._connection.fetch(
            "SELECT r.*, a.partner_tenant_id, r.type = 'dm' AND EXISTS (SELECT FROM blocks b"
            "  WHERE b.member_id = ANY (r.member_ids) AND b.blocked_member_id = ANY (r.member_ids)) AS blocked"
            " FROM tenant_rooms r LEFT JOIN alliances a"
            " ON r.type = 'alliance' AND a.tenant_id = r.tenant_id AND r.key = 'alliance_' || a.alliance_id"
            " WHERE r.tenant_id = $1 ORDER BY r.position, r.key",
            self._tenant_id,
        )
        outsiders = await self._outsiders({member_id for row in rows for member_id in row["outsider_ids"]})
        asks_staff = any(row["audience"] == Audience.BITNEXUS.value for row in rows)
        staff = frozenset((await self._staff()).values()) if asks_staff else frozenset[Outsider]()
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
                group=row["group_name"],
                avatar_url=row["avatar_url"],
                outsiders=frozenset(outsiders[member_id] for member_id in row["outsider_ids"] if member_id in outsiders)
                if row["audience"] != Audience.BITNEXUS.value
                else staff,
                read_only=row["read_only"],
                blocked=row["blocked"],
                partner_tenant_id=row["partner_tenant_id"],
                audience=Audience(row["audience"]) if row["audience"] else None,
            )
            for row in rows
        )

    async def _outsiders(self, member_ids: Collection[MemberID]) -> Mapping[MemberID, Outsider]:
        if not member_ids:
            return {}
        return await self._outsiders_who("member_id = ANY($1)", list(member_ids))

    async def _staff(self) -> Mapping[MemberID, Outsider]:
        """Return BitNexus's staff, who answer the tickets that ask it."""
        return await self._outsiders_who("super_admin AND status = 'active'")

    async def _outsiders_who(self, condition: LiteralString, *values: object) -> Mapping[MemberID, Outsider]:
        rows = await self._connection.fetch(
            f"SELECT member_id, matrix_id, display_name, status, avatar_url FROM users WHERE {condition}",  # noqa: S608 - a literal of ours
            *values,
        )
        return {
            row["member_id"]: Outsider(
                member_id=row["member_id"],
                user_id=row["matrix_id"],
                display_name=row["display_name"],
                active=row["status"] == "active",
                avatar_url=row["avatar_url"],
            )
            for row in rows
        }

    async def _members(self, status: TenantStatus) -> tuple[Member, ...]:
        rows = await self._connection.fetch(
            "SELECT m.member_id, m.role, u.matrix_id, u.display_name, u.status, u.avatar_url FROM memberships m"
            " JOIN users u USING (member_id) WHERE m.tenant_id = $1 ORDER BY m.member_id",
            self._tenant_id,
        )
        elsewhere = frozenset[MemberID]()
        if status is TenantStatus.SUSPENDED:
            elsewhere = await self._elsewhere(self._tenant_id)
        return tuple(
            Member(
                member_id=row["member_id"],
                user_id=row["matrix_id"],
                role=Role(row["role"]),
                display_name=row["display_name"],
                active=row["status"] == "active",
                avatar_url=row["avatar_url"],
                has_other_active_tenant=row["member_id"] in elsewhere,
            )
            for row in rows
        )

    async def save(self, tenant: Tenant) -> None:
        before = await self._connection.fetchval("SELECT status FROM tenants WHERE tenant_id = $1", self._tenant_id)
        await self._connection.execute(
            "INSERT INTO tenants (tenant_id, name, status, settings, revision, avatar_url, offboarded_at, removes_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
            " ON CONFLICT (tenant_id) DO UPDATE SET name = $2, status = $3, settings = $4, revision = $5,"
            " avatar_url = $6, offboarded_at = $7, removes_at = $8, updated_at = now()",
            self._tenant_id,
            tenant.name,
            tenant.status.value,
            msgspec.to_builtins(tenant.settings),
            tenant.revision,
            tenant.avatar_url,
            tenant.offboarded_at,
            tenant.removes_at,
        )
        if before not in {None, tenant.status.value}:
            await self._tasks.enqueue("standing", [member.member_id for member in tenant.members])
        if before != tenant.status.value:
            await self._alliance_tasks.add_all()
        await self._save_rooms([(position, room) for position, room in enumerate(tenant.rooms)])

    async def save_room(self, room: Room) -> None:
        position: int = await self._connection.fetchval(
            "SELECT coalesce(min(position) FILTER (WHERE key = $2), max(position) + 1, 0) FROM tenant_rooms"
            " WHERE tenant_id = $1",
            self._tenant_id,
            room.key,
        )
        await self._save_rooms([(position, room)])

    async def _save_rooms(self, rooms: Sequence[tuple[int, Room]]) -> None:
        await self._connection.executemany(
            "INSERT INTO tenant_rooms (tenant_id, key, position, type, name, topic, access, optional, member_ids,"
            " personal, archived, group_name, avatar_url, outsider_ids, read_only, audience)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
            " ON CONFLICT (tenant_id, key) DO UPDATE SET position = $3, type = $4, name = $5, topic = $6, access = $7,"
            " optional = $8, member_ids = $9, personal = $10, archived = $11, group_name = $12, avatar_url = $13,"
            " outsider_ids = $14, read_only = $15, audience = $16",
            [
                (
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
                    room.group,
                    room.avatar_url,
                    # a ticket's are derived anew each time
                    [] if room.audience else sorted(outsider.member_id for outsider in room.outsiders),
                    room.read_only,
                    room.audience.value if room.audience else None,
                )
                for position, room in rooms
            ],
        )

    async def unlist(self, room_id: RoomID, user_id: UserID) -> bool:
        status = await self._connection.execute(
            "UPDATE tenant_rooms r SET member_ids = array_remove(r.member_ids, u.member_id) FROM chat_rooms c, users u"
            " WHERE r.tenant_id = $1 AND r.type = 'dm' AND c.tenant_id = $1 AND c.key = r.key AND c.id = $2"
            " AND u.matrix_id = $3 AND u.member_id = ANY (r.member_ids)",
            self._tenant_id,
            room_id,
            user_id,
        )
        return rows_of(status) > 0

    async def save_members(self, roles: Mapping[MemberID, Role]) -> None:
        await self._connection.execute(
            "INSERT INTO memberships (tenant_id, member_id, role)"
            " SELECT $1, member_id, role FROM unnest($2::text[], $3::text[]) AS m (member_id, role)"
            " ON CONFLICT (tenant_id, member_id) DO UPDATE SET role = excluded.role",
            self._tenant_id,
            list(roles),
            [role.value for role in roles.values()],
        )
        await self._tasks.review_expired(roles.keys())
        await self._alliance_tasks.add_those_with(roles.keys())

    async def remove_members(self, member_ids: Collection[MemberID]) -> None:
        await self._connection.execute(
            "DELETE FROM memberships WHERE tenant_id = $1 AND member_id = ANY($2)", self._tenant_id, list(member_ids)
        )
        await self._tasks.end_sessions(member_ids)
        await self._alliance_tasks.add_those_with(member_ids)

    async def bump_revision(self) -> int:
        revision: int = await self._connection.fetchval(
            "UPDATE tenants SET revision = revision + 1, updated_at = now() WHERE tenant_id = $1 RETURNING revision",
            self._tenant_id,
        )
        return revision
