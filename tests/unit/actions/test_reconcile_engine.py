"""The engine around a plan: newer wishes, fights, refusals, unreadable rooms, verification, rooms made twice over."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from bridge.actions.keep_tenants import KeepTenants
from bridge.actions.verify_tenants import VerifyTenants
from bridge.errors import DependencyDown, HomeserverRefused, NotFound
from bridge.model.event import MatrixEvent
from bridge.model.ids import SPACE, JobID, RoomID, RoomKey, TenantID, UserID
from bridge.model.job import Job, TenantDue
from bridge.model.tenant import Role, TenantStatus
from bridge.policy.budget import CHANGES, REVOCATIONS
from tests.unit.actions.test_reconcile_tenant import NEWS, Site
from tests.unit.fake_edges import AWAY, refusal
from tests.unit.people import ACME, BOTS, GENERAL, GLOBEX, member, tenant_of, user


def room_id_of(site: Site, key: RoomKey) -> RoomID:
    return next(found for found, (_, k, _) in site.database.memory.rooms.items() if k == key)


async def built() -> Site:
    site = Site()
    await site.ask()
    await site.run()
    site.homeserver.matrix.requests.clear()
    return site


async def again(site: Site, *, verify: bool = True) -> JobID:
    async with site.database.work(ACME) as work:
        job_id = await work.jobs.enqueue(1, verify=verify)
    assert await site.run() == 1
    return job_id


# a newer wish interrupts


class Interrupted:
    """Lets something happen in the middle of a job, once, and time pass with every request."""

    def __init__(self, site: Site, act: str, then: Callable[[], None]) -> None:
        self._site, self._act, self._then = site, act, then
        self._log = site.homeserver.matrix.requests
        site.homeserver.matrix.requests = _Listening(self._hear)

    def _hear(self, request: str) -> None:
        self._site.clock.pass_seconds(0.2)
        self._log.append(request)
        if request.startswith(self._act):
            self._act = "nothing more"
            self._then()

    @property
    def requests(self) -> Sequence[str]:
        return self._log


class _Listening(list[str]):
    def __init__(self, hear: Callable[[str], None]) -> None:
        super().__init__()
        self._hear = hear

    def append(self, request: str) -> None:
        self._hear(request)


def crowd(site: Site, size: int) -> None:
    people = [member(f"p{n:02d}") for n in range(size)]
    rooms = site.database.memory.tenants[ACME].rooms
    site.database.put_tenant(tenant_of(member("anna", "owner"), member("ben", "admin"), *people, rooms=rooms))


async def test_a_removal_does_not_wait_for_the_plan_that_is_under_way() -> None:
    site = await built()
    crowd(site, 30)
    await site.ask()

    def dismiss() -> None:
        del site.database.memory.memberships[ACME]["ben"]
        job_id = JobID("urgent")
        site.database.memory.jobs[job_id] = _queued(job_id)
        site.database.memory.asks[job_id], site.database.memory.verifies[job_id] = 1, False

    heard = Interrupted(site, f"join {room_id_of(site, SPACE)} {user('p03')}", dismiss)
    await site.run()
    kicks = [n for n, request in enumerate(heard.requests) if request.startswith("kick") and user("ben") in request]
    joins = [n for n, request in enumerate(heard.requests) if request.startswith("join")]
    begun = next(n for n, request in enumerate(heard.requests) if user("p03") in request and "join" in request)
    assert len(kicks) == 3
    assert max(kicks) - begun < 12, "within a few requests, not after all of them"
    assert len([n for n in joins if n > max(kicks)]) > 60, "most of the plan came after"
    assert user("ben") not in site.members(SPACE)
    assert all(user(f"p{n:02d}") in site.members(GENERAL) for n in range(30))


def _queued(job_id: JobID) -> Job:
    return Job(job_id=job_id, tenant_id=ACME, state="queued", error=None, effects=())


async def test_a_plan_that_is_interrupted_makes_nothing_twice_and_reads_each_room_once() -> None:
    site = await built()
    crowd(site, 20)
    await site.ask()
    reads: list[RoomID] = []
    original = site.homeserver.room_state

    async def count(room_id: RoomID, *, viewer: UserID | None = None) -> Sequence[MatrixEvent]:
        reads.append(room_id)
        return await original(room_id, viewer=viewer)

    site.homeserver.room_state = count

    def change_a_role() -> None:
        site.database.memory.memberships[ACME]["p00"] = Role.MODERATOR
        job_id = JobID("newer")
        site.database.memory.jobs[job_id] = _queued(job_id)
        site.database.memory.asks[job_id], site.database.memory.verifies[job_id] = 1, False

    heard = Interrupted(site, f"join {room_id_of(site, SPACE)} {user('p05')}", change_a_role)
    await site.run()
    acts = [request for request in heard.requests if request.startswith(("join", "invite", "register"))]
    assert len(acts) == len(set(acts))
    assert sorted(reads) == sorted(site.homeserver.matrix.rooms)


# fights


def rename(site: Site) -> None:
    site.homeserver.matrix.rooms[room_id_of(site, GENERAL)].state["m.room.name", ""] = {"name": "Eve's"}


async def test_two_writers_who_fight_are_stopped_and_the_job_says_so() -> None:
    site = await built()
    site.homeserver.after_state = lambda: rename(site)
    job_id = await again(site)
    written = [request for request in site.homeserver.matrix.requests if "m.room.name" in request]
    assert len(written) == CHANGES.burst
    outcome = site.database.memory.outcomes[job_id]
    assert outcome.error is not None
    assert "effects withheld: 1" in outcome.error
    assert outcome.retry_after_seconds == CHANGES.refill_seconds
    withheld = [result for result in site.job(job_id).effects if result.state == "failed"]
    assert [result.error for result in withheld] == [
        "not made again: somebody undoes it again and again; the next try is in 60 seconds"
    ]


async def test_other_changes_go_on_while_one_is_withheld() -> None:
    site = await built()
    site.homeserver.after_state = lambda: rename(site)
    await again(site)
    site.homeserver.matrix.requests.clear()
    crowd(site, 1)
    await again(site)
    assert user("p00") in site.members(GENERAL)
    assert not any("m.room.name" in request for request in site.homeserver.matrix.requests)


async def test_the_budget_comes_back_with_time() -> None:
    site = await built()
    site.homeserver.after_state = lambda: rename(site)
    await again(site)
    site.homeserver.after_state = lambda: None
    site.clock.pass_seconds(CHANGES.refill_seconds + 1)
    job_id = await again(site)
    assert site.job(job_id).state == "done"
    general = site.homeserver.matrix.rooms[room_id_of(site, GENERAL)]
    assert general.state["m.room.name", ""] == {"name": "General"}


async def test_a_stranger_who_comes_back_again_and_again_is_taken_out_more_often() -> None:
    site = await built()
    eve = user("eve")
    general = site.homeserver.matrix.rooms[room_id_of(site, GENERAL)]
    site.homeserver.after_state = lambda: general.put(eve, "join", eve)
    job_id = await again(site)
    kicks = [request for request in site.homeserver.matrix.requests if request.startswith("kick")]
    assert len(kicks) == REVOCATIONS.burst
    assert site.database.memory.outcomes[job_id].retry_after_seconds == REVOCATIONS.refill_seconds


# refusals


async def test_a_refusal_says_which_power_we_lack() -> None:
    site = await built()
    general = site.homeserver.matrix.rooms[room_id_of(site, GENERAL)]
    general.state["m.room.power_levels", ""] = {"users": {BOTS.creator: 50}, "state_default": 100}
    site.homeserver.fail("set_state m.room.power_levels", refusal("You don't have permission"))
    job_id = await again(site)
    errors = [result.error for result in site.job(job_id).effects if result.state == "failed"]
    assert errors == [
        "@bitnexus:s has power 50 in the room 'general', and it takes 100 to send m.room.power_levels"
        " (You don't have permission)"
    ]


async def test_a_room_that_cannot_be_read_is_named_and_holds_up_no_other() -> None:
    site = await built()
    crowd(site, 1)
    site.database.memory.state.clear()
    hidden, original = room_id_of(site, NEWS), site.homeserver.room_state

    async def refuse(room_id: RoomID, *, viewer: UserID | None = None) -> Sequence[MatrixEvent]:
        if room_id == hidden:
            raise HomeserverRefused("neither of us is in the room", errcode="M_FORBIDDEN", http_status=403)
        return await original(room_id, viewer=viewer)

    site.homeserver.room_state = refuse
    job_id = await again(site)
    error = site.database.memory.outcomes[job_id].error
    assert error is not None
    assert "the room 'news' cannot be read: neither of us is in the room" in error
    assert not site.database.memory.outcomes[job_id].is_verified
    assert user("p00") in site.members(GENERAL)


async def test_our_creator_comes_back_by_the_keeper() -> None:
    site = await built()
    general = site.homeserver.matrix.rooms[room_id_of(site, GENERAL)]
    general.put(BOTS.creator, "leave", BOTS.creator)
    general.put(user("eve"), "join", user("eve"))
    job_id = await again(site)
    assert site.job(job_id).state == "done"
    assert BOTS.creator in site.members(GENERAL)
    assert user("eve") not in site.members(GENERAL)


# verification


async def test_verification_reads_every_room_once_and_writes_nothing_when_all_is_well() -> None:
    site = await built()
    seen: list[RoomID] = []
    original = site.homeserver.room_state

    async def count(room_id: RoomID, *, viewer: UserID | None = None) -> Sequence[MatrixEvent]:
        seen.append(room_id)
        return await original(room_id, viewer=viewer)

    site.homeserver.room_state = count
    job_id = await again(site, verify=True)
    assert sorted(seen) == sorted(site.homeserver.matrix.rooms)
    assert site.homeserver.matrix.requests == []
    assert site.database.memory.outcomes[job_id].is_verified
    assert (site.job(job_id).state, site.job(job_id).effects) == ("done", ())


async def test_verification_mends_what_no_event_told_of() -> None:
    site = await built()
    rename(site)
    await again(site, verify=False)
    assert site.homeserver.matrix.requests == [], "nobody has told us"
    job_id = await again(site, verify=True)
    assert [result.target.kind for result in site.job(job_id).effects] == ["set_state"]
    general = site.homeserver.matrix.rooms[room_id_of(site, GENERAL)]
    assert general.state["m.room.name", ""] == {"name": "General"}


async def test_a_job_that_waits_for_verification_keeps_it_when_it_is_asked_for_again() -> None:
    site = await built()
    async with site.database.work(ACME) as work:
        first = await work.jobs.enqueue(1, verify=True)
        assert await work.jobs.enqueue(1) == first
        job = await work.jobs.next_open()
    assert job is not None
    assert job.verify


async def test_those_who_are_due_are_asked_for() -> None:
    site = await built()
    site.database.put_tenant(tenant_of(member("carl", "owner"), tenant_id=GLOBEX))
    site.database.due = [TenantDue(tenant_id=ACME, verify=True), TenantDue(tenant_id=GLOBEX, verify=False)]
    assert await KeepTenants(database=site.database, verify_seconds=60, look_seconds=1)() == 2
    queued = {job.tenant_id: job.job_id for job in site.database.memory.jobs.values() if job.state == "queued"}
    assert queued.keys() == {ACME, GLOBEX}
    assert site.database.memory.verifies[queued[ACME]]
    assert not site.database.memory.verifies[queued[GLOBEX]]


async def test_all_tenants_or_those_named_are_verified_but_none_that_is_removed() -> None:
    site = await built()
    memory = site.database.memory
    for number in range(450):
        tenant = tenant_of(tenant_id=TenantID(f"t{number:03d}"), rooms=())
        memory.tenants[tenant.tenant_id] = tenant
    memory.tenants[TenantID("t200")] = replace(memory.tenants[TenantID("t200")], status=TenantStatus.REMOVED)
    verify = VerifyTenants(database=site.database)
    jobs = await verify([])
    assert jobs.keys() == memory.tenants.keys() - {"t200"}
    assert all(memory.verifies[job_id] for job_id in jobs.values())
    assert (await verify([ACME])).keys() == {ACME}
    with pytest.raises(NotFound):
        await verify([TenantID("nobody")])


# rooms whose creation nobody saw the end of


async def test_a_room_that_a_buried_job_made_is_found_and_not_made_twice() -> None:
    site = Site()
    first = await site.ask()
    site.homeserver.fail(f"answer create_room {GENERAL}", ValueError("a mistake of ours"))
    try:
        await site.run()
    except ValueError:
        await site.reconcile.bury(site.database.lane("reconcile", ACME, ACME), "ValueError: a mistake of ours")
    assert site.job(first).state == "failed"
    second = await site.ask()
    await site.run()
    assert site.job(second).state == "done"
    births = [room.state["m.room.create", ""]["com.bitnexus.key"] for room in site.homeserver.matrix.rooms.values()]
    assert sorted(births) == [SPACE, GENERAL, NEWS]


async def test_a_room_that_its_own_events_make_known_during_the_search_is_not_made_twice() -> None:
    site = Site()
    job_id = await site.ask()
    site.homeserver.fail(f"answer create_room {SPACE}", AWAY)
    with pytest.raises(DependencyDown):
        await site.run()
    space, known_rooms = next(iter(site.homeserver.matrix.rooms)), site.database.known_rooms

    async def adopt(room_ids: Sequence[RoomID]) -> frozenset[RoomID]:
        site.database.put_room(ACME, space, SPACE, "space")
        return await known_rooms(room_ids)

    site.database.known_rooms = adopt
    await site.run()
    assert site.job(job_id).state == "done"
    births = [room.state["m.room.create", ""]["com.bitnexus.key"] for room in site.homeserver.matrix.rooms.values()]
    assert sorted(births) == [SPACE, GENERAL, NEWS]


async def test_nobody_searches_for_rooms_that_were_never_tried() -> None:
    site = await built()
    assert site.homeserver.searches == 0


async def test_whose_level_is_taken_loses_it_before_anybody_gets_something() -> None:
    site = Site()
    site.database.put_tenant(
        tenant_of(member("anna", "owner"), member("ben", "admin"), rooms=site.database.memory.tenants[ACME].rooms)
    )
    await site.ask()
    await site.run()
    site.homeserver.matrix.requests.clear()
    rooms = site.database.memory.tenants[ACME].rooms
    site.database.put_tenant(tenant_of(member("anna", "owner"), member("ben"), member("carl", "admin"), rooms=rooms))
    await site.ask()
    await site.run()
    acts = [request.split()[0] for request in site.homeserver.matrix.requests]
    assert acts[:3] == ["set_state"] * 3
    assert "set_state" not in acts[3:]
    levels = site.homeserver.matrix.rooms[room_id_of(site, GENERAL)].state["m.room.power_levels", ""]
    assert UserID(user("ben")) not in levels["users"]
