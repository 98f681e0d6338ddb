"""What Synapse and the tenants are told of people: once, in the end as it stands, and again after a failure."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from bridge.actions.erase_person import AskForErasure, ErasePerson
from bridge.actions.settle_alliance import SettleAlliance
from bridge.actions.tend_people import TendPeople
from bridge.errors import Conflict, DependencyDown
from bridge.model.audit import PLATFORM_ACTOR
from bridge.model.event import MatrixEvent
from bridge.model.ids import SPACE, EventID, MemberID, TenantID, UserID
from bridge.model.room import ObservedMembership
from bridge.model.tenant import Role, TenantStatus
from tests.unit.fake_edges import AWAY, FakeEntropy, FakeExpiry, FakeHomeserver
from tests.unit.fakes import FakeDatabase
from tests.unit.people import ACME, BOTS, GLOBEX, HOUSE, member, room_id, tenant_of, user
from tests.unit.policy.simulator import StandingRoom

ANN, BEN, CYD = MemberID("ann"), MemberID("ben"), MemberID("cyd")


class Site:
    """Acme has Ann, Ben and Cyd; Ann is in Globex, too. All have accounts."""

    def __init__(self) -> None:
        self.database, self.homeserver, self.expiry = FakeDatabase(), FakeHomeserver(), FakeExpiry()
        self.database.put_tenant(tenant_of(member("ann", "owner"), member("ben"), member("cyd")))
        self.database.put_tenant(tenant_of(member("ann"), tenant_id=GLOBEX))
        self.database.memory.registered |= {user(name) for name in ("ann", "ben", "cyd")}
        for tenant_id in (ACME, GLOBEX):
            space_id = room_id(SPACE, tenant_id)
            self.database.put_room(tenant_id, space_id, SPACE, "space")
            self.homeserver.matrix.rooms[space_id] = StandingRoom(state={}, members={})
            self.homeserver.matrix.rooms[space_id].put(BOTS.creator, "join", BOTS.creator)
        erase = ErasePerson(database=self.database, homeserver=self.homeserver, house=HOUSE)
        self.tend = TendPeople(
            database=self.database,
            homeserver=self.homeserver,
            expiry=self.expiry,
            house=HOUSE,
            erase=erase,
            settle=SettleAlliance(database=self.database, house=HOUSE),
        )

    async def set_status(self, status: TenantStatus, tenant_id: TenantID = ACME) -> None:
        async with self.database.act(tenant_id, PLATFORM_ACTOR) as act:
            tenant = await act.tenants.find()
            assert tenant is not None
            await act.tenants.save(replace(tenant, status=status))
            act.nothing_changed()

    async def remove(self, *member_ids: MemberID, tenant_id: TenantID = ACME) -> None:
        async with self.database.work(tenant_id) as work:
            await work.tenants.remove_members(member_ids)

    async def admit(self, member_id: MemberID, tenant_id: TenantID) -> None:
        async with self.database.work(tenant_id) as work:
            await work.tenants.save_members({member_id: Role.MEMBER})

    def put_inside(self, name: str, tenant_id: TenantID) -> None:
        """Have somebody in a tenant's space."""
        space_id = room_id(SPACE, tenant_id)
        self.homeserver.matrix.rooms[space_id].put(user(name), "join", user(name))
        self.database.memory.state[space_id, "m.room.member", user(name)] = MatrixEvent(
            event_id=EventID(f"${name}"),
            room_id=space_id,
            event_type="m.room.member",
            sender=user(name),
            content={"membership": "join"},
            origin_server_ts=0,
            state_key=user(name),
        )

    def members(self, tenant_id: TenantID) -> Mapping[UserID, ObservedMembership]:
        return self.homeserver.matrix.rooms[room_id(SPACE, tenant_id)].members

    async def run(self, lane_key: str) -> int:
        return await self.tend(self.database.lane("people", lane_key))

    async def run_all(self) -> None:
        while lanes := {lane_key for lane_key, _ in self.database.memory.person_tasks}:
            for lane_key in sorted(lanes):
                assert await self.run(lane_key) > 0

    def waiting(self) -> list[tuple[str, str]]:
        return [(lane_key, task.kind) for lane_key, task in self.database.memory.person_tasks]


async def held() -> Site:
    """Ben stayed in suspended Acme's space, and Globex has taken him in."""
    site = Site()
    for tenant_id in (ACME, GLOBEX):
        site.put_inside("ben", tenant_id)
    await site.set_status(TenantStatus.SUSPENDED)
    await site.run_all()
    await site.admit(BEN, GLOBEX)
    return site


async def test_a_suspended_tenant_expires_those_who_have_no_other_and_ends_their_sessions() -> None:
    site = Site()
    await site.set_status(TenantStatus.SUSPENDED)
    assert await site.run(f"!{ACME}") == 3
    assert site.expiry.told == [([user("ben"), user("cyd")], [user("ann")])], "one request for all of them"
    assert site.waiting() == [("ben", "log_out"), ("cyd", "log_out")]
    await site.run_all()
    assert site.homeserver.logged_out_everywhere == [user("ben"), user("cyd")]
    assert site.database.memory.epochs == {BEN: 1, CYD: 1}


async def test_a_tenant_that_is_active_again_restores_its_people_and_ends_nothing() -> None:
    site = Site()
    await site.set_status(TenantStatus.SUSPENDED)
    await site.run_all()
    site.homeserver.logged_out_everywhere.clear()
    await site.set_status(TenantStatus.ACTIVE)
    await site.run_all()
    assert site.expiry.expired == set()
    assert site.homeserver.logged_out_everywhere == []


async def test_whoever_is_removed_from_one_of_several_tenants_is_logged_out_and_not_expired() -> None:
    site = Site()
    await site.remove(ANN)
    await site.run_all()
    assert site.homeserver.logged_out_everywhere == [user("ann")]
    assert site.expiry.expired == set()


async def test_whoever_is_removed_from_their_only_tenant_is_expired() -> None:
    site = Site()
    await site.remove(BEN)
    await site.run_all()
    assert site.expiry.expired == {user("ben")}
    assert set(site.homeserver.logged_out_everywhere) == {user("ben")}


async def test_somebody_new_in_a_tenant_is_told_to_nobody() -> None:
    site = Site()
    await site.admit(BEN, GLOBEX)
    assert site.waiting() == []


async def test_somebody_without_an_account_is_not_logged_out() -> None:
    site = Site()
    site.database.memory.registered.clear()
    await site.remove(BEN)
    await site.run_all()
    assert site.homeserver.logged_out_everywhere == []
    assert site.expiry.expired == {user("ben")}


async def test_while_synapse_is_away_everything_waits_and_is_done_once_it_is_back() -> None:
    site = Site()
    await site.remove(BEN)
    before = site.waiting()
    site.expiry.failures.append(AWAY)
    site.homeserver.fail("log_out_everywhere", AWAY)
    for lane_key in (f"!{ACME}", "ben"):
        with pytest.raises(DependencyDown):
            await site.run(lane_key)
    assert site.waiting() == before
    assert site.database.memory.told == {}
    await site.run_all()
    assert site.expiry.expired == {user("ben")}


async def test_what_changes_while_the_module_is_told_is_told_again() -> None:
    site = Site()
    await site.remove(BEN)

    def bring_back() -> None:
        site.expiry.before_answer = lambda: None
        site.database.memory.memberships[ACME][BEN] = Role.MEMBER

    site.expiry.before_answer = bring_back
    assert await site.run(f"!{ACME}") == 0, "nothing is done yet"
    assert site.database.memory.told == {}
    assert site.expiry.expired == {user("ben")}
    await site.run_all()
    assert site.expiry.expired == set()
    assert site.expiry.told == [([user("ben")], []), ([], [user("ben")])]


async def test_a_worker_that_lost_its_lane_records_nothing() -> None:
    site = Site()
    await site.remove(BEN)
    lane = site.database.lane("people", f"!{ACME}")
    site.database.fence += 1
    with pytest.raises(Conflict):
        await site.tend(lane)
    assert site.database.memory.told == {}


async def test_whom_a_suspended_tenant_holds_is_taken_out_of_its_rooms_and_then_restored() -> None:
    site = await held()
    assert await site.run(f"!{GLOBEX}") == 1
    assert site.expiry.expired == {user("ben"), user("cyd")}, "not yet"
    assert site.waiting() == [("ben", "hold")]
    await site.run_all()
    assert site.members(ACME)[user("ben")].membership == "leave"
    assert site.members(GLOBEX).keys() >= {user("ben")}, "of the other tenant they stay"
    assert site.expiry.expired == {user("cyd")}


async def test_while_somebody_cannot_be_taken_out_they_stay_expired() -> None:
    site = await held()
    await site.run(f"!{GLOBEX}")
    site.homeserver.fail("kick", AWAY)
    with pytest.raises(DependencyDown):
        await site.run("ben")
    assert user("ben") in site.expiry.expired
    assert site.waiting() == [("ben", "hold")]
    await site.run_all()
    assert user("ben") not in site.expiry.expired


async def test_who_is_suspended_again_while_held_is_let_be() -> None:
    site = await held()
    await site.run(f"!{GLOBEX}")
    await site.remove(BEN, tenant_id=GLOBEX)
    await site.run_all()
    assert site.members(ACME)[user("ben")].membership == "join"
    assert user("ben") in site.expiry.expired


async def test_every_tenant_of_a_person_is_asked_whatever_its_status() -> None:
    site = Site()
    await site.set_status(TenantStatus.SUSPENDED)
    await site.run_all()
    async with site.database.work(ACME) as work:
        await work.person_tasks.enqueue("tenants", [ANN])
    await site.run("ann")
    assert {job.tenant_id for job in site.database.memory.jobs.values()} == {ACME, GLOBEX}


async def test_a_person_who_is_not_known_any_more_holds_nothing_up() -> None:
    site = Site()
    await site.remove(BEN)
    del site.database.memory.people[BEN]
    await site.run_all()
    assert (site.expiry.told, site.homeserver.logged_out_everywhere) == ([], [])


async def test_what_fails_again_and_again_is_set_aside_and_the_lane_goes_on() -> None:
    site = Site()
    await site.remove(BEN)
    await site.tend.bury(site.database.lane("people", "ben"), "RuntimeError: no way")
    assert [(task.kind, error) for task, error in site.database.memory.buried] == [("log_out", "RuntimeError: no way")]
    assert site.waiting() == [(f"!{ACME}", "standing")]


async def test_an_erasure_goes_on_piece_by_piece_until_it_is_done() -> None:
    site = Site()
    await AskForErasure(database=site.database, entropy=FakeEntropy())(BEN, acting_user=PLATFORM_ACTOR)
    await site.run_all()
    assert site.homeserver.deactivated == [user("ben")]
    assert BEN not in site.database.memory.people
