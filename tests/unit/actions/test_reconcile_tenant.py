"""Reconcile under way: resumed where it stopped, and one effect that fails stops no other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bridge.actions.apply_effect import ApplyEffect
from bridge.actions.reconcile_tenant import ReconcileTenant
from bridge.errors import Conflict, DependencyDown
from bridge.model.ids import SPACE, JobID, RoomKey, TenantID
from bridge.model.job import Job
from bridge.model.room import Observed
from bridge.model.tenant import Room, RoomType
from tests.unit.fake_edges import AWAY, FakeHomeserver, refusal
from tests.unit.fake_stores import FakeRooms
from tests.unit.fakes import FakeDatabase, FakeWork
from tests.unit.people import ACME, BOTS, GENERAL, HOUSE, member, tenant_of, user

NEWS = RoomKey("news")
ROOMS = (
    Room(key=GENERAL, type=RoomType.GENERAL, name="General"),
    Room(key=NEWS, type=RoomType.ANNOUNCEMENT, name="News"),
)


class Site:
    """A tenant that is desired, and a Matrix where nothing of it stands yet."""

    def __init__(self) -> None:
        self.database, self.homeserver = FakeDatabase(), FakeHomeserver()
        self.database.put_tenant(tenant_of(member("anna", "owner"), member("ben"), rooms=ROOMS))
        apply = ApplyEffect(database=self.database, homeserver=self.homeserver)
        self.clock = self.database.clock
        self.reconcile = ReconcileTenant(
            database=self.database, homeserver=self.homeserver, house=HOUSE, apply=apply, clock=self.clock
        )

    async def ask(self) -> JobID:
        async with self.database.work(ACME) as work:
            return await work.jobs.enqueue(1)

    async def run(self) -> int:
        return await self.reconcile(self.database.lane("reconcile", ACME, ACME))

    def job(self, job_id: JobID) -> Job:
        return self.database.memory.jobs[job_id]

    def failed(self, job_id: JobID) -> set[tuple[str, str | None]]:
        return {(r.target.kind, r.target.room_key) for r in self.job(job_id).effects if r.state == "failed"}

    def members(self, key: RoomKey) -> set[str]:
        room_id = next(found for found, (_, k, _) in self.database.memory.rooms.items() if k == key)
        members = self.homeserver.matrix.rooms[room_id].members
        return {user_id for user_id, seen in members.items() if seen.membership == "join"}


async def test_a_new_tenant_stands_after_one_job() -> None:
    site = Site()
    job_id = await site.ask()
    assert await site.run() == 1
    job = site.job(job_id)
    assert (job.state, job.error, {result.state for result in job.effects}) == ("done", None, {"done"})
    assert site.members(SPACE) == {user("anna"), user("ben"), *BOTS.creators}
    for key in (GENERAL, NEWS):
        assert site.members(key) == {user("anna"), user("ben"), BOTS.relay, *BOTS.creators}
    assert [entry.action for _, _, entry in site.database.memory.audit] == ["tenant.reconciled"]


async def test_the_same_again_asks_nothing_of_matrix() -> None:
    site = Site()
    await site.ask()
    await site.run()
    site.homeserver.matrix.requests.clear()
    job_id = await site.ask()
    assert await site.run() == 1
    assert site.homeserver.matrix.requests == []
    assert (site.job(job_id).state, site.job(job_id).effects) == ("done", ())
    assert len(site.database.memory.audit) == 1, "what changed nothing leaves no audit row"


async def test_a_lane_without_a_job_is_no_work() -> None:
    assert await Site().run() == 0


async def test_every_room_has_its_real_ids_everywhere() -> None:
    site = Site()
    await site.ask()
    await site.run()
    state = [room.state for room in site.homeserver.matrix.rooms.values()]
    assert "!pending:" not in str(state)


@pytest.mark.parametrize(
    "act", [f"join {user('ben')}", "create_room news", "set_display_name", "set_state m.space.child"]
)
async def test_one_effect_that_is_refused_stops_no_other(act: str) -> None:
    site = Site()
    # refused at every try
    site.homeserver.fail(act, *[refusal("not allowed here")] * 50)
    job_id = await site.ask()
    assert await site.run() == 1
    job = site.job(job_id)
    assert job.state == "failed"
    assert site.failed(job_id)
    assert {result.error for result in job.effects if result.state == "failed"} >= {"not allowed here"}
    assert {user("anna")} <= site.members(GENERAL)
    assert all(result.state != "pending" for result in job.effects)


async def test_a_refusal_is_tried_once_in_a_job_and_again_in_the_next() -> None:
    site = Site()
    site.homeserver.fail("create_room news", refusal())
    first = await site.ask()
    await site.run()
    assert ("create_room", NEWS) in site.failed(first)
    second = await site.ask()
    await site.run()
    assert site.job(second).state == "done"
    assert user("ben") in site.members(NEWS)


async def test_when_the_space_cannot_be_made_no_room_is_made_that_names_it() -> None:
    site = Site()
    site.homeserver.fail(f"create_room {SPACE}", refusal())
    first = await site.ask()
    await site.run()
    assert site.job(first).state == "failed"
    assert not any(request.startswith("create_room") for request in site.homeserver.matrix.requests)
    await site.ask()
    await site.run()
    assert user("ben") in site.members(GENERAL)


async def test_when_synapse_is_away_the_job_stays_and_goes_on_where_it_was() -> None:
    site = Site()
    site.homeserver.fail("create_room news", AWAY)
    job_id = await site.ask()
    with pytest.raises(DependencyDown):
        await site.run()
    assert site.job(job_id).state == "running"
    assert await site.run() == 1
    assert site.job(job_id).state == "done"
    made = [request for request in site.homeserver.matrix.requests if request.startswith("create_room")]
    assert sorted(made) == ["create_room @space", "create_room general", "create_room news"]


@pytest.mark.parametrize("key", [SPACE, GENERAL])
async def test_a_room_whose_creation_went_unanswered_is_found_and_not_made_twice(key: RoomKey) -> None:
    site = Site()
    site.homeserver.fail(f"answer create_room {key}", AWAY)
    job_id = await site.ask()
    with pytest.raises(DependencyDown):
        await site.run()
    assert await site.run() == 1
    assert site.job(job_id).state == "done"
    made = [request for request in site.homeserver.matrix.requests if request.startswith("create_room")]
    assert len(made) == 3


async def test_a_crash_after_every_single_act_ends_well() -> None:
    acts = len(await _requests_of_one_run())
    assert acts > 15
    for survived in range(0, acts, 3):
        site = Site()
        job_id = await site.ask()
        original, counted = site.homeserver.matrix.requests, _Crashing(survived)
        site.homeserver.matrix.requests = counted
        with pytest.raises(DependencyDown):
            await site.run()
        site.homeserver.matrix.requests = original
        assert await site.run() == 1
        assert site.job(job_id).state == "done"
        assert user("ben") in site.members(GENERAL)
        assert len(site.homeserver.matrix.rooms) == 3


class _Crashing(list[str]):
    """A log of requests that fails after so many."""

    def __init__(self, survived: int) -> None:
        super().__init__()
        self._survived = survived

    def append(self, request: str) -> None:
        if len(self) >= self._survived:
            raise AWAY
        super().append(request)


async def _requests_of_one_run() -> list[str]:
    site = Site()
    await site.ask()
    await site.run()
    return site.homeserver.matrix.requests


def meddle(site: Site, times: int) -> None:
    """Rename the room behind our back, ``times`` times after we looked."""
    left = [times]

    def rename() -> None:
        room = next(iter(site.homeserver.matrix.rooms.values()))
        if left[0] and len(site.homeserver.matrix.rooms) == 3:
            left[0] -= 1
            room.state["m.room.name", ""] = {"name": f"meddled {left[0]}"}

    site.homeserver.after_state = rename


async def test_what_is_asked_for_while_the_plan_is_read_is_another_job() -> None:
    site = Site()
    await site.ask()
    await site.run()
    first, asked = await site.ask(), list[JobID]()
    observed = FakeRooms.observed

    class Meanwhile(FakeRooms):
        async def observed(self) -> Observed:
            asked.append(await site.ask())
            return await observed(self)

    @asynccontextmanager
    async def work(tenant_id: TenantID) -> AsyncIterator[FakeWork]:
        async with FakeDatabase.work(site.database, tenant_id) as opened:
            opened.rooms = Meanwhile(site.database, tenant_id)
            yield opened

    site.database.work = work  # type: ignore[method-assign]
    await site.run()
    assert site.job(first).state == "done"
    assert asked
    assert first not in asked


async def test_somebody_who_undoes_it_again_and_again_does_not_keep_us_for_ever() -> None:
    site = Site()
    meddle(site, 1000)
    job_id = await site.ask()
    assert await site.run() == 1
    assert site.job(job_id).state == "failed"
    assert "again and again" in str(site.job(job_id).error)


@pytest.mark.parametrize("times", range(1, 13))
async def test_a_job_that_settles_is_done_however_many_rounds_it_took(times: int) -> None:
    site = Site()
    meddle(site, times)
    job_id = await site.ask()
    await site.run()
    settled = site.homeserver.matrix.rooms[min(site.homeserver.matrix.rooms)].state["m.room.name", ""] == {
        "name": "Acme"
    }
    assert (site.job(job_id).state == "done") is settled


async def test_whom_the_tenant_lost_is_taken_out_of_everything() -> None:
    site = Site()
    await site.ask()
    await site.run()
    async with site.database.work(ACME) as work:
        await work.tenants.remove_members(["ben"])
    await site.ask()
    await site.run()
    assert all(user("ben") not in site.members(key) for key in (SPACE, GENERAL, NEWS))


async def test_who_lost_the_lane_under_way_records_nothing_more_and_ends_no_job() -> None:
    """Its next holder is at work on the same job: two that write its effects would mix them up."""
    site = Site()
    job_id = await site.ask()
    lane = site.database.lane("reconcile", ACME, ACME)

    def lose() -> None:
        site.database.fence += 1

    site.homeserver.after_state = lose
    with pytest.raises(Conflict):
        await site.reconcile(lane)
    assert site.job(job_id).state == "running"
    assert site.database.memory.audit == []
