"""Tenants for the benchmarks of reconcile: asked for and not made yet, or standing exactly as desired."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec

from bridge.model.ids import SPACE, MemberID, RoomID, RoomKey, TenantID, UserID
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Member, Role, Room, RoomType, Tenant, TenantSettings, TenantStatus
from bridge.policy.layout import lay_out
from bridge.policy.power_levels import role_of_level

_TS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large each tenant is."""

    rooms: int
    members: int

    @property
    def fewest_calls(self) -> int:
        """The requests that nobody can do without to make such a tenant from nothing.

        A registration, a name, an invitation to the space and a join of it for each member, a join of each room; a
        creation and the keeper's join for each room and the space, the relay's join and the link in the space for each
        room. (A creation could carry the members' invitations, and would fail half-way where one is refused.)
        """
        return self.members * (4 + self.rooms) + 2 * (self.rooms + 1) + 2 * self.rooms


def tenant_of(number: int, size: Size, house: MatrixHouse) -> Tenant:
    """Return the ``number``-th tenant, with people of its own."""
    rooms = tuple(Room(key=RoomKey(f"room{n}"), type=RoomType.GENERAL, name=f"Room {n}") for n in range(size.rooms))
    members = tuple(
        Member(
            member_id=MemberID(f"m{number}-{n}"),
            user_id=UserID(f"@u_{number}_{n}:{house.server_name}"),
            role=Role.OWNER if n == 0 else Role.MEMBER,
            display_name=f"Member {n}",
        )
        for n in range(size.members)
    )
    return Tenant(
        tenant_id=TenantID(f"bench{number:06d}"),
        name=f"Tenant {number}",
        status=TenantStatus.ACTIVE,
        settings=TenantSettings(),
        revision=1,
        rooms=rooms,
        members=members,
    )


async def store_wishes(
    pool: "asyncpg.Pool[asyncpg.Record]", numbers: range, size: Size, house: MatrixHouse, *, stands: bool
) -> None:
    """Store desired state of tenants, as the owner of the tables; with ``stands`` Matrix is taken to be so already."""
    tenants = [tenant_of(number, size, house) for number in numbers]
    async with pool.acquire() as connection, connection.transaction():
        await _copy(connection, "tenants", "tenant_id name status settings revision", (
            (t.tenant_id, t.name, "active", msgspec.to_builtins(t.settings), 1) for t in tenants
        ))  # fmt: skip
        await _copy(connection, "tenant_rooms", "tenant_id key position type name access", (
            (t.tenant_id, room.key, n, room.type.value, room.name, room.access.value)
            for t in tenants for n, room in enumerate(t.rooms)
        ))  # fmt: skip
        await _copy(connection, "users", "member_id matrix_id display_name registered profile_name", (
            (m.member_id, m.user_id, m.display_name, stands, m.display_name if stands else None)
            for t in tenants for m in t.members
        ))  # fmt: skip
        await _copy(connection, "memberships", "tenant_id member_id role", (
            (t.tenant_id, m.member_id, m.role.value) for t in tenants for m in t.members
        ))  # fmt: skip
        if stands:
            await _store_standing(connection, tenants, house)


async def ask_for_all(pool: "asyncpg.Pool[asyncpg.Record]", *, verify: bool) -> None:
    """Put a reconcile of every tenant into its lane."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO jobs (job_id, tenant_id, revision, verify) SELECT gen_random_uuid(), tenant_id, revision, $1"
            " FROM tenants",
            verify,
        )
        await connection.execute(
            "INSERT INTO lanes (queue, lane_key, tenant_id, pending) SELECT 'reconcile', tenant_id, tenant_id, 1"
            " FROM tenants ON CONFLICT (queue, lane_key) DO UPDATE SET pending = lanes.pending + 1"
        )


async def _store_standing(
    connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]", tenants: list[Tenant], house: MatrixHouse
) -> None:
    await _copy(connection, "chat_rooms", "id tenant_id key name type", (
        (f"!{t.tenant_id}-{key}", t.tenant_id, key, name, kind)
        for t in tenants
        for key, name, kind in (
            (SPACE, t.name, "space"), *((room.key, room.name, room.type.value) for room in t.rooms)
        )
    ))  # fmt: skip
    await _copy(
        connection,
        "room_state",
        "tenant_id room_id event_type state_key event_id sender content origin_server_ts",
        (row for tenant in tenants for row in _state_rows(tenant, house)),
    )
    await _copy(connection, "chat_room_members", "room_id tenant_id user_id role membership", (
        row for tenant in tenants for row in _member_rows(tenant, house)
    ))  # fmt: skip
    await _copy(connection, "tenant_upkeep", "tenant_id settled_revision", ((t.tenant_id, 1) for t in tenants))


def _state_rows(tenant: Tenant, house: MatrixHouse) -> Iterator[tuple[Any, ...]]:
    ids = _room_ids(tenant)
    for key, room in lay_out(tenant, house, ids).rooms.items():
        room_id, creator = ids[key], house.bots.creator
        for (event_type, state_key), content in room.state.items():
            event_id = f"${room_id}-{event_type}-{state_key}"
            yield tenant.tenant_id, room_id, event_type, state_key, event_id, creator, content, _TS
        for user_id in room.people | room.bots:
            content = {"membership": "join"}
            yield (
                tenant.tenant_id, room_id, "m.room.member", user_id, f"${room_id}-{user_id}", user_id, content, _TS
            )  # fmt: skip


def _member_rows(tenant: Tenant, house: MatrixHouse) -> Iterator[tuple[Any, ...]]:
    ids = _room_ids(tenant)
    for key, room in lay_out(tenant, house, ids).rooms.items():
        for user_id in room.people | room.bots:
            role = role_of_level(0, is_bot=user_id in house.bots.all)
            yield ids[key], tenant.tenant_id, user_id, role, "join"


def _room_ids(tenant: Tenant) -> dict[RoomKey, RoomID]:
    return {key: RoomID(f"!{tenant.tenant_id}-{key}") for key in (SPACE, *(room.key for room in tenant.rooms))}


async def _copy(
    connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]",
    table: str,
    columns: str,
    rows: Iterator[tuple[Any, ...]],
) -> None:
    await connection.copy_records_to_table(table, records=rows, columns=columns.split())
