"""Standings, sessions and the queue of people on a real PostgreSQL: with the act or not at all, never in deadlock."""

import asyncio
import random
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.actions.erase_person import ErasePerson
from bridge.actions.settle_alliance import SettleAlliance
from bridge.actions.tend_people import TendPeople
from bridge.db.database import MissingAuditRow
from bridge.db.people import SessionStore
from bridge.model.audit import PLATFORM_ACTOR, AuditEntry
from bridge.model.credential import secret_sha256
from bridge.model.ids import PLATFORM, DeviceID, MemberID, TenantID, UserID
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Person, Role, TenantStatus
from bridge.system import SystemClock
from tests.support.own_database import ACME, BOTS, GLOBEX, OwnDatabase
from tests.unit.fake_edges import FakeExpiry, FakeHomeserver

ANN, BEN = MemberID("ann"), MemberID("ben")
HOUSE = MatrixHouse(server_name="s", room_version="12", bots=BOTS)
TOKEN = secret_sha256("bxs_ben")


class People:
    """Ann and Ben in Acme, Ann in Globex, too."""

    def __init__(self, own: OwnDatabase) -> None:
        self.own, self.database = own, own.database
        self.sessions = SessionStore(own.app, own.system)
        self.expiry, self.homeserver = FakeExpiry(), FakeHomeserver()
        erase = ErasePerson(database=self.database, homeserver=self.homeserver, house=HOUSE)
        self.tend = TendPeople(
            database=self.database,
            homeserver=self.homeserver,
            expiry=self.expiry,
            house=HOUSE,
            erase=erase,
            settle=SettleAlliance(database=self.database, house=HOUSE),
        )

    async def prepare(self, *member_ids: MemberID) -> None:
        for tenant_id in (ACME, GLOBEX):
            await self.own.put_tenant(tenant_id)
        async with self.database.work(PLATFORM) as work:
            await work.people.save(
                *(Person(member_id=who, user_id=UserID(f"@u_{who}:s"), display_name=who) for who in member_ids)
            )
            for who in member_ids:
                await work.people.record_registered(UserID(f"@u_{who}:s"))
        await self.admit(ACME, *member_ids)
        await self.admit(GLOBEX, ANN)

    async def admit(self, tenant_id: TenantID, *member_ids: MemberID) -> None:
        async with self.database.work(tenant_id) as work:
            await work.tenants.lock()
            await work.tenants.save_members(dict.fromkeys(member_ids, Role.MEMBER))

    async def remove(self, tenant_id: TenantID, *member_ids: MemberID) -> None:
        async with self.database.work(tenant_id) as work:
            await work.tenants.lock()
            await work.tenants.remove_members(member_ids)

    async def exchange(self, tenant_id: TenantID, member_ids: list[MemberID]) -> None:
        """Take some in and others out, as a whole list does."""
        middle = len(member_ids) // 2
        async with self.database.work(tenant_id) as work:
            await work.tenants.lock()
            await work.tenants.save_members(dict.fromkeys(member_ids[:middle], Role.MEMBER))
            await work.tenants.remove_members(member_ids[middle:])

    async def set_status(self, tenant_id: TenantID, status: TenantStatus) -> None:
        async with self.database.work(tenant_id) as work:
            await work.tenants.lock()
            tenant = await work.tenants.find()
            assert tenant is not None
            await work.tenants.save(replace(tenant, status=status))

    async def set_active(self, member_id: MemberID, *, active: bool) -> None:
        async with self.database.work(PLATFORM) as work:
            (person,) = (await work.people.find_all([member_id])).values()
            await work.people.save(replace(person, active=active))

    async def open(self, *, epoch: int | None = None) -> bool:
        """Store a session of Ben's."""
        now = await self.sessions.epoch(BEN)
        return await self.sessions.add(
            token_sha256=TOKEN,
            member_id=BEN,
            device_id=DeviceID("D"),
            expires_at=SystemClock().now() + timedelta(hours=1),
            epoch=now if epoch is None else epoch,
        )

    async def tasks(self) -> list[tuple[str, str]]:
        rows = await self.own.rows("SELECT lane_key, kind FROM person_tasks ORDER BY task_id")
        return [(row["lane_key"], row["kind"]) for row in rows]

    async def drain(self) -> None:
        while lanes := await self.own.claim("people"):
            for lane in lanes:
                await self.tend(lane)
                await self.own.lanes.release(lane)


@pytest.fixture
async def people(own: OwnDatabase) -> People:
    people = People(own)
    await people.prepare(ANN, BEN)
    return people


async def test_the_end_of_sessions_is_one_transaction_with_what_ends_them(people: People) -> None:
    assert await people.open()
    with pytest.raises(MissingAuditRow):
        async with people.database.act(ACME, PLATFORM_ACTOR) as act:
            await act.tenants.remove_members([BEN])
    assert await people.tasks() == []
    assert await people.sessions.find(TOKEN) is not None
    async with people.database.act(ACME, PLATFORM_ACTOR) as act:
        await act.tenants.remove_members([BEN])
        await act.audit(AuditEntry(action="member.removed", target=BEN))
    assert await people.tasks() == [("!acme", "standing"), ("ben", "log_out")]
    assert await people.own.ask("SELECT count(*) FROM sessions") == 0
    assert "people" in people.own.woken
    assert await people.own.drifted() == []


async def test_a_session_of_an_earlier_epoch_is_not_stored(people: People) -> None:
    epoch = await people.sessions.epoch(BEN)
    await people.set_active(BEN, active=False)
    await people.set_active(BEN, active=True)
    assert not await people.open(epoch=epoch)
    assert await people.open()
    assert await people.sessions.find(TOKEN) is not None


async def test_a_session_that_slipped_in_between_is_void(people: People) -> None:
    assert await people.open()
    # as if it had been stored while the act was not committed yet
    await people.own.ask("INSERT INTO standings (member_id, sessions_epoch) VALUES ('ben', 1)")
    assert await people.sessions.find(TOKEN) is None


@pytest.mark.parametrize("status", [TenantStatus.SUSPENDED, TenantStatus.ARCHIVED, TenantStatus.REMOVING])
async def test_a_session_is_refused_from_the_moment_its_last_tenant_is_not_active(
    people: People, status: TenantStatus
) -> None:
    await people.admit(GLOBEX, BEN)
    assert await people.open()
    await people.set_status(ACME, status)
    assert await people.sessions.find(TOKEN) is not None, "another tenant is active"
    await people.set_status(GLOBEX, status)
    assert await people.sessions.find(TOKEN) is None
    await people.drain()
    assert await people.own.ask("SELECT count(*) FROM sessions") == 0
    await people.set_status(ACME, TenantStatus.ACTIVE)
    assert await people.sessions.find(TOKEN) is None, "it stays ended"


async def test_staff_keep_their_sessions_without_a_tenant(people: People) -> None:
    async with people.database.work(PLATFORM) as work:
        (person,) = (await work.people.find_all([BEN])).values()
        await work.people.save(replace(person, super_admin=True))
    await people.remove(ACME, BEN)
    await people.drain()
    assert await people.open()
    assert await people.sessions.find(TOKEN) is not None
    assert people.expiry.expired == set()


async def test_a_tenant_is_told_who_has_something_else_to_use(people: People) -> None:
    await people.set_status(ACME, TenantStatus.SUSPENDED)
    async with people.database.work(ACME) as work:
        tenant = await work.tenants.find()
    assert tenant is not None
    assert {m.member_id: m.has_other_active_tenant for m in tenant.members} == {ANN: True, BEN: False}


async def test_who_comes_is_looked_at_only_if_they_are_expired_or_may_be_soon(people: People) -> None:
    assert await people.tasks() == []
    await people.remove(ACME, BEN)
    await people.admit(GLOBEX, BEN)
    assert await people.tasks() == [("!acme", "standing"), ("ben", "log_out"), ("!globex", "standing")]
    await people.drain()
    assert people.expiry.expired == set()
    await people.remove(GLOBEX, BEN)
    await people.drain()
    assert people.expiry.expired == {"@u_ben:s"}
    await people.admit(ACME, BEN)
    await people.drain()
    assert people.expiry.expired == set()
    await people.admit(GLOBEX, BEN)
    assert await people.tasks() == []


async def test_a_task_that_is_set_aside_is_kept_with_its_reason(people: People) -> None:
    await people.remove(ACME, BEN)
    lane = next(found for found in await people.own.claim("people") if found.lane_key == "ben")
    await people.tend.bury(lane, "RuntimeError: no way")
    assert await people.own.rows("SELECT body, error FROM quarantine") == [
        {"body": "log_out of ben", "error": "RuntimeError: no way"}
    ]
    assert await people.own.drifted() == []


class LateExpiry:
    """A module that hears of one request before it hears of an earlier one."""

    def __init__(self, module: FakeExpiry, dice: random.Random) -> None:
        self._module, self._dice = module, dice

    async def put(self, *, expired: Collection[UserID], restored: Collection[UserID]) -> None:
        await asyncio.sleep(self._dice.random() / 50)
        await self._module.put(expired=expired, restored=restored)


class Storm:
    """Acts of every kind at random on a crowd, and workers beside them."""

    def __init__(self, people: People, crowd: list[MemberID]) -> None:
        self.people, self.crowd = people, crowd
        self.dice = random.Random(7)  # noqa: S311 - the same storm each time
        self.is_over = False

    async def act(self, number: int) -> None:
        some, tenant_id = self.dice.sample(self.crowd, 6), self.dice.choice((ACME, GLOBEX))
        match number % 5:
            case 0:
                await self.people.remove(tenant_id, *some)
            case 1:
                await self.people.admit(tenant_id, *some)
            case 2:
                status = self.dice.choice((TenantStatus.ACTIVE, TenantStatus.SUSPENDED))
                await self.people.set_status(tenant_id, status)
            case 3:
                await self.people.set_active(some[0], active=self.dice.random() < 0.5)
            case _:
                await self.people.exchange(tenant_id, some)

    async def work(self) -> None:
        while not self.is_over:
            for lane in await self.people.own.claim("people", limit=4):
                await self.people.tend(lane)
                await self.people.own.lanes.release(lane)
            await asyncio.sleep(0)


async def test_a_storm_of_acts_and_workers_ends_in_what_stands_and_in_no_deadlock(own: OwnDatabase) -> None:
    crowd = [MemberID(f"{number:03}") for number in range(30)]  # digits come before letters, and behind '!'
    people = People(own)
    await people.prepare(ANN, *crowd)
    storm = Storm(people, crowd)
    people.tend = replace(people.tend, expiry=LateExpiry(people.expiry, storm.dice))
    workers = [asyncio.create_task(storm.work()) for _ in range(3)]
    for start in range(0, 200, 5):
        await asyncio.gather(*(storm.act(number) for number in range(start, start + 5)))
    await people.set_status(ACME, TenantStatus.ACTIVE)
    storm.is_over = True
    await asyncio.gather(*workers)
    await people.drain()
    assert await own.drifted() == []
    standings = await people.database.standings(crowd)
    wanted = {s.user_id for s in standings if not (s.is_active and s.has_active_tenant)}
    assert 0 < len(wanted) < len(crowd)
    assert people.expiry.expired & {s.user_id for s in standings} == wanted
    assert {s.user_id for s in standings if s.is_expired} == wanted
