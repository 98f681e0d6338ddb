"""A PostgreSQL of the tests' own, where no bridge is at work, and a fresh database in it for each test."""

import itertools
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from bridge.db.connection import Pool, open_pool
from bridge.db.database import PostgresDatabase
from bridge.db.inbox import store_transaction
from bridge.db.lanes import LaneStore
from bridge.db.schema import migrate
from bridge.demo.postgres import SUPERUSER, Postgres
from bridge.model.event import MatrixEvent, Outgoing, Receipt
from bridge.model.ids import DeliveryID, EventID, OutboxID, RoomID, TenantID, UserID
from bridge.model.job import Lane
from bridge.model.room import Bots
from bridge.ports import Queue
from bridge.system import SystemClock

BOTS = Bots(
    creator=UserID("@bitnexus:s"),
    keeper=UserID("@bitnexus_keeper:s"),
    relay=UserID("@bitnexus_relay:s"),
    assistant=UserID("@bitnexus_nexushub:s"),
)
ACME, GLOBEX = TenantID("acme"), TenantID("globex")
BEN = UserID("@u_ben:s")


@dataclass(kw_only=True)
class OwnDatabase:
    """A database with the schema of this version and nothing in it."""

    server: Postgres
    name: str
    app: Pool
    system: Pool
    root: Pool
    """The superuser's, whom row-level security does not stop: it looks, and it does as time and accidents do."""
    woken: list[Queue] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.database = PostgresDatabase(self.app, self.system, bots=BOTS, clock=SystemClock(), wake=self.woken.append)
        self.lanes = LaneStore(self.app)
        self._numbers = itertools.count(1)

    def url(self, role: str = "bitnexus_app") -> str:
        return self.server.dsn(role, self.name)

    async def ask(self, question: str, *values: object) -> Any:
        return await self.root.fetchval(question, *values)

    async def rows(self, question: str, *values: object) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.root.fetch(question, *values)]

    async def put_tenant(self, tenant_id: TenantID = ACME, *room_ids: str) -> None:
        """Store a tenant with rooms, each known by its key too: the id without its ``!``."""
        await self.ask(
            "INSERT INTO tenants (tenant_id, name, status, settings) VALUES ($1, $1, 'active', '{}')"
            " ON CONFLICT DO NOTHING",
            tenant_id,
        )
        for room_id in room_ids:
            await self.ask(
                "INSERT INTO chat_rooms (id, tenant_id, key, type) VALUES ($1, $2, $3, 'custom')",
                room_id,
                tenant_id,
                room_id[1:],
            )

    async def enqueue(
        self, room_id: str, *bodies: str, tenant_id: TenantID = ACME, delivery_id: str | None = None
    ) -> list[OutboxID]:
        async with self.database.work(tenant_id) as work:
            return [
                await work.outbox.enqueue(
                    Outgoing(
                        room_id=RoomID(room_id),
                        sender=BOTS.relay,
                        event_type="m.room.message",
                        content={"body": body},
                        delivery_id=DeliveryID(delivery_id or f"dlv_{uuid.uuid4().hex}"),
                    )
                )
                for body in bodies
            ]

    async def receive(self, *bodies: MatrixEvent | Receipt) -> int:
        """Store a transaction of Synapse, and return how much of it was new."""
        items = [
            (
                body.event_id if isinstance(body, MatrixEvent) else f"receipt:{body.event_id}{body.user_id}{body.ts}",
                body,
            )
            for body in bodies
        ]
        return await store_transaction(self.app, items, [])

    def event(self, room_id: str, number: int | None = None, body: str = "Hello", **more: Any) -> MatrixEvent:
        """Return a message; ``number`` is its place in Synapse's stream, and in its id."""
        number = next(self._numbers) if number is None else number
        fields: dict[str, Any] = {
            "event_id": EventID(f"${number}"),
            "room_id": RoomID(room_id),
            "event_type": "m.room.message",
            "sender": BEN,
            "content": {"msgtype": "m.text", "body": body},
            "origin_server_ts": number,
            "stream_position": number,
        }
        return MatrixEvent(**{**fields, **more})

    async def claim(self, queue: Queue, *, limit: int = 8, lease_seconds: float = 60.0, **how: Any) -> Sequence[Lane]:
        turns = {"held": {}, "most_per_tenant": limit, **how}
        return await self.lanes.claim(queue, limit=limit, lease_seconds=lease_seconds, **turns)

    async def claim_one(self, queue: Queue) -> Lane:
        (lane,) = await self.claim(queue)
        return lane

    async def end_leases(self) -> None:
        """Do as time does."""
        await self.ask("UPDATE lanes SET lease_until = now() - interval '1 second' WHERE lease_until > now()")

    async def pending(self, queue: Queue, lane_key: str) -> int:
        found: int = await self.ask("SELECT pending FROM lanes WHERE queue = $1 AND lane_key = $2", queue, lane_key)
        return found

    async def drifted(self) -> list[dict[str, Any]]:
        """Return the lanes whose counter is not the number of their items."""
        return await self.rows(
            "SELECT queue, lane_key, l.pending, i.items FROM lanes l FULL JOIN lane_items i USING (queue, lane_key)"
            " WHERE coalesce(l.pending, 0) <> coalesce(i.items, 0)"
        )

    async def deadlocks(self) -> int:
        """Return how often transactions of this database waited for each other."""
        found: int = await self.ask("SELECT deadlocks FROM pg_stat_database WHERE datname = $1", self.name)
        return found


@asynccontextmanager
async def fresh_database(server: Postgres, *, template: str) -> AsyncIterator[OwnDatabase]:
    """Copy a database, open it as its roles do, and drop it in the end."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    await run_as_superuser(server, f"CREATE DATABASE {name} OWNER bitnexus_owner TEMPLATE {template}")
    pools: list[Pool] = []
    try:
        for role, size in (("bitnexus_app", 8), ("bitnexus_system", 2), (SUPERUSER, 2)):
            pools.append(await open_pool(server.dsn(role, name), size=size, application_name="tests"))
        app, system, root = pools
        yield OwnDatabase(server=server, name=name, app=app, system=system, root=root)
    finally:
        for pool in pools:
            await pool.close()
        await run_as_superuser(server, f"DROP DATABASE {name} WITH (FORCE)")


async def make_templates(server: Postgres) -> None:
    """Make the databases that tests copy: ``bare`` without tables, ``whole`` with those of this version."""
    for name in ("bare", "whole"):
        await run_as_superuser(server, f"CREATE DATABASE {name} OWNER bitnexus_owner TEMPLATE bitnexus")
    await migrate(server.dsn("bitnexus_owner", "whole"))


async def run_as_superuser(server: Postgres, statement: str) -> None:
    connection = await asyncpg.connect(server.dsn(SUPERUSER, "postgres"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
