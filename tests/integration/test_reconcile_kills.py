"""The bridge killed at every boundary of every effect: each room stands once, with the right people and power.

The first life of the bridge ends when it comes to a planted point, the second when it comes there the second time, and
so on, until a life comes to the end of the work.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import asyncpg
import pytest

from bridge.actions.replace_members import ReplaceMembers
from bridge.actions.upsert_tenant import UpsertTenant
from bridge.app import migrate_database
from bridge.db.database import PostgresDatabase
from bridge.demo.ports import Ports
from bridge.demo.stack import Stack, running_stack
from bridge.model.audit import PLATFORM_ACTOR
from bridge.model.change import MemberWish, TenantWish
from bridge.model.ids import SPACE, MemberID, RoomKey, TenantID
from bridge.model.tenant import Access, Role, Room, RoomType
from bridge.parts import house_of, open_pools
from bridge.system import SystemClock, SystemEntropy
from tests.faults.crash_points import RECONCILE_POINTS, Planted
from tests.faults.replica import Replica, Zygote, running_zygote
from tests.support.synapse_state import StandingRoom, rooms_of_tenant
from tests.support.waiting import until

OVERRIDES = {
    "worker": {"lease_seconds": 0.6, "poll_seconds": 0.2},
    "reconcile": {"look_seconds": 1.0},
}
MOST_LIVES = 60
GENERAL = Room(key=RoomKey("general"), type=RoomType.GENERAL, name="General")
BOARD = Room(key=RoomKey("board"), type=RoomType.CUSTOM, name="Board", access=Access.INVITE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A stack without a bridge of its own; desired state is stored directly, and bridges come and go."""

    stack: Stack
    zygote: Zygote
    database: PostgresDatabase
    bridge_db: "asyncpg.Pool[asyncpg.Record]"

    async def wish(self, tenant_id: TenantID, rooms: Sequence[Room], **roles: str) -> None:
        house = house_of(self.stack.config)
        upsert = UpsertTenant(database=self.database, house=house)
        await upsert(tenant_id, TenantWish(name="Killed", rooms=tuple(rooms)), acting_user=PLATFORM_ACTOR)
        replace = ReplaceMembers(
            database=self.database, house=house, entropy=SystemEntropy(human_prefix="u_"), max_removal_percent=100
        )
        members = [MemberWish(member_id=_person(tenant_id, name), role=Role(role)) for name, role in roles.items()]
        await replace(tenant_id, members, confirm_plan=None, acting_user=PLATFORM_ACTOR)

    async def matrix_id(self, tenant_id: TenantID, name: str) -> str:
        found: str = await self.bridge_db.fetchval(
            "SELECT matrix_id FROM users WHERE member_id = $1", _person(tenant_id, name)
        )
        return found

    async def open_jobs(self, tenant_id: TenantID) -> int:
        count: int = await self.bridge_db.fetchval(
            "SELECT count(*) FROM jobs WHERE tenant_id = $1 AND finished_at IS NULL", tenant_id
        )
        return count

    async def live_and_die(self, tenant_id: TenantID, point: str) -> int:
        """Start bridges that die at the point, each a passage later, until the work is done; return how many died."""
        replica = Replica(
            name="bridge",
            zygote=self.zygote,
            config_path=self.stack.config_path,
            log=self.stack.log("bridge"),
            url=self.stack.bridge.url,
            appservice_url=self.stack.config.appservice.address,
        )
        for died in range(MOST_LIVES):
            life = await replica.start((Planted(point=point, passage=died + 1),))
            done = asyncio.create_task(until(lambda: self.open_jobs(tenant_id), lambda count: count == 0, seconds=60))
            ended = asyncio.create_task(life.ended.wait())
            await asyncio.wait({done, ended}, return_when=asyncio.FIRST_COMPLETED)
            is_over = done.done() and not life.ended.is_set()
            done.cancel(), ended.cancel()
            await asyncio.gather(done, ended, return_exceptions=True)
            await replica.end()
            if is_over:
                return died
            assert life.points == [point], self.stack.log("bridge").read_text()[-3000:]
        raise AssertionError(f"more than {MOST_LIVES} lives")

    async def standing(self, tenant_id: TenantID) -> dict[str, StandingRoom]:
        """Return the tenant's rooms; fails when one was made twice."""
        rooms = await rooms_of_tenant(self.stack.postgres.dsn("synapse", "synapse"), tenant_id)
        assert len({room.key for room in rooms}) == len(rooms), [room.key for room in rooms]
        return {room.key: room for room in rooms}

    def bot(self, name: str) -> str:
        return f"@{name}:{self.stack.config.homeserver.server_name}"


def _person(tenant_id: TenantID, name: str) -> MemberID:
    return MemberID(f"{name}-{tenant_id}")


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("kills")
    async with AsyncExitStack() as opened:
        stack = await opened.enter_async_context(
            running_stack(
                folder, ports=Ports.free(), with_model=False, with_bridge=False, overrides=OVERRIDES, keep=False
            )
        )
        await migrate_database(stack.config)
        app, system = await open_pools(stack.config, opened, size=4, application_name="kills")
        bots = house_of(stack.config).bots
        database = PostgresDatabase(app, system, bots=bots, clock=SystemClock(), wake=lambda _queue: None)
        zygote = await opened.enter_async_context(running_zygote(stack.log("zygote"), lambda _life: None))
        bridge_db = await opened.enter_async_context(asyncpg.create_pool(stack.postgres_dsn, min_size=1, max_size=2))
        yield Site(stack=stack, zygote=zygote, database=database, bridge_db=bridge_db)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("point", RECONCILE_POINTS)
async def test_however_often_it_is_killed_there_each_room_stands_once_and_whole(site: Site, point: str) -> None:
    tenant_id = TenantID(f"t{uuid.uuid4().hex[:10]}")

    await site.wish(tenant_id, [GENERAL, BOARD], ann="owner", ben="admin")
    died = await site.live_and_die(tenant_id, point)
    assert died, "nobody came to the point"
    ann, ben = [await site.matrix_id(tenant_id, name) for name in ("ann", "ben")]
    bots = {site.bot("bitnexus"), site.bot("bitnexus_keeper")}
    rooms = await site.standing(tenant_id)
    assert rooms.keys() == {SPACE, "general", "board"}
    assert rooms[SPACE].joined == {ann, ben, *bots}
    assert rooms["general"].joined == {ann, ben, site.bot("bitnexus_relay"), *bots}
    assert rooms["board"].joined == {site.bot("bitnexus_relay"), *bots}
    assert all(room.invited == frozenset() for room in rooms.values())
    assert {who: rooms["general"].levels.get(who) for who in (ann, ben)} == {ann: 100, ben: 75}
    links = {key for (kind, key), content in rooms[SPACE].state.items() if kind == "m.space.child" and content}
    assert links == {rooms["general"].room_id, rooms["board"].room_id}

    # one is taken out, one is demoted, one comes in, a room changes its name
    renamed = Room(key=GENERAL.key, type=GENERAL.type, name="Plenum")
    await site.wish(tenant_id, [renamed, BOARD], ann="owner", cyd="moderator")
    await site.live_and_die(tenant_id, point)
    cyd = await site.matrix_id(tenant_id, "cyd")
    after = await site.standing(tenant_id)
    assert {key: room.room_id for key, room in after.items()} == {key: room.room_id for key, room in rooms.items()}
    assert after[SPACE].joined == {ann, cyd, *bots}
    assert after["general"].joined == {ann, cyd, site.bot("bitnexus_relay"), *bots}
    assert after["general"].state["m.room.name", ""] == {"name": "Plenum"}
    assert {who: after["general"].levels.get(who) for who in (ann, ben, cyd)} == {ann: 100, ben: None, cyd: 50}
