"""Reconciles on a real PostgreSQL: what was asked and written, how a tenant stands after them, and who is due."""

import pytest

from bridge.model.effect import CreateRoom, Effect, JoinUser, RegisterUser, RemoveUser, SetState, effect_target
from bridge.model.event import MatrixEvent
from bridge.model.ids import EventID, JobID, RoomID, RoomKey, UserID
from bridge.model.job import JobOutcome, Lane, Result
from bridge.model.json import JsonObject
from bridge.policy.budget import CHANGES, rewrite_of, seconds_to_wait
from tests.support.own_database import ACME, BEN, BOTS, GLOBEX, OwnDatabase

GENERAL, ROOM = RoomKey("general"), RoomID("!general")
TOPIC = SetState(room_key=GENERAL, room_id=ROOM, event_type="m.room.topic", state_key="", content={"topic": "ours"})
JOIN = JoinUser(room_key=GENERAL, room_id=ROOM, user_id=BEN, invite=False)
REMOVE = RemoveUser(room_key=GENERAL, room_id=ROOM, user_id=BEN)
CREATE = CreateRoom(room_key=GENERAL, creation_content={}, state=(), bots=())
DAY = 86400.0


async def enqueue(own: OwnDatabase, revision: int = 1, *, verify: bool = False) -> JobID:
    async with own.database.work(ACME) as work:
        return await work.jobs.enqueue(revision, verify=verify)


async def lane_of(own: OwnDatabase) -> Lane:
    """Return the tenant's lane as whoever holds it now has it."""
    fence = await own.ask("SELECT fence FROM lanes WHERE queue = 'reconcile' AND lane_key = $1", ACME)
    return Lane(queue="reconcile", lane_key=ACME, tenant_id=ACME, fence=fence, attempts=0)


async def carry_out(own: OwnDatabase, *effects: Effect, error: str | None = None, withheld: bool = False) -> JobID:
    """Run a job with these effects up to its end, as a worker does."""
    job_id = await enqueue(own)
    async with own.database.work(ACME) as work:
        first = await work.jobs.begin(await lane_of(own), job_id, effects)
        results = [
            Result(position=first + n, effect=effect, error=error, is_withheld=withheld)
            for n, effect in enumerate(effects)
        ]
        await work.jobs.record_results(await lane_of(own), job_id, results)
    await finish(own, job_id, JobOutcome(revision=1, error=error))
    return job_id


async def finish(own: OwnDatabase, job_id: JobID, outcome: JobOutcome) -> None:
    lane = await own.claim_one("reconcile")
    async with own.database.work(ACME) as work:
        await work.jobs.finish(lane, job_id, outcome)
    await own.lanes.release(lane)


async def wait_for(own: OwnDatabase, effect: Effect) -> float:
    """Return how long an effect is withheld, by what the database remembers."""
    rewrite = rewrite_of(effect)
    assert rewrite is not None
    async with own.database.work(ACME) as work:
        written = await work.jobs.written([rewrite.subject])
    return seconds_to_wait(effect, written.get(rewrite.subject, ()))


async def upkeep(own: OwnDatabase) -> dict[str, object]:
    (row,) = await own.rows(
        "SELECT settled_revision, failures, extract(epoch FROM retry_at - now())::float AS retry,"
        " extract(epoch FROM now() - verified_at)::float AS verified FROM tenant_upkeep"
    )
    return row


async def due(own: OwnDatabase, *, look_seconds: float = 60) -> list[tuple[str, bool]]:
    found = await own.database.tenants_due(verify_seconds=DAY, look_seconds=look_seconds)
    return [(tenant.tenant_id, tenant.verify) for tenant in found]


async def test_a_job_that_waits_serves_for_all_who_ask_and_tells_that_they_did(own: OwnDatabase) -> None:
    await own.put_tenant()
    first = await enqueue(own)
    async with own.database.work(ACME) as work:
        await work.jobs.begin(await lane_of(own), first, ())
        assert await work.jobs.asked() == 0
    second = await enqueue(own)
    async with own.database.work(ACME) as work:
        once = await work.jobs.asked()
    assert await enqueue(own, verify=True) == second != first
    assert await enqueue(own) == second
    async with own.database.work(ACME) as work:
        assert await work.jobs.asked() > once > 0
    assert await own.pending("reconcile", ACME) == 2
    assert await own.drifted() == []


async def test_the_job_that_was_begun_goes_on_first_and_verification_is_not_forgotten(own: OwnDatabase) -> None:
    await own.put_tenant()
    first = await enqueue(own, verify=True)
    async with own.database.work(ACME) as work:
        assert (await work.jobs.next_open()) is not None
        await work.jobs.begin(await lane_of(own), first, ())
    await enqueue(own)
    async with own.database.work(ACME) as work:
        job = await work.jobs.next_open()
    assert job is not None
    assert (job.job_id, job.is_resumed, job.verify) == (first, True, True)


async def test_effects_are_recorded_with_their_results(own: OwnDatabase) -> None:
    await own.put_tenant()
    job_id = await enqueue(own)
    effects = (RegisterUser(user_id=BEN), CREATE, TOPIC, JOIN)
    async with own.database.work(ACME) as work:
        assert await work.jobs.begin(await lane_of(own), job_id, effects) == 0
        await work.jobs.record_results(
            await lane_of(own),
            job_id,
            [
                Result(position=1, effect=CREATE, room_id=ROOM),
                Result(position=2, effect=TOPIC, error="not allowed"),
            ],
        )
        job = await work.jobs.find(job_id)
        assert job is not None
        assert [(e.target.kind, e.state, e.error) for e in job.effects] == [
            ("register_user", "pending", None),
            ("create_room", "done", None),
            ("set_state", "failed", "not allowed"),
            ("join_user", "pending", None),
        ]
        assert job.effects[1].target.room_id == ROOM
        # a new plan takes the place of what was not done
        assert await work.jobs.begin(await lane_of(own), job_id, (JOIN,)) == 3
        job = await work.jobs.find(job_id)
    assert job is not None
    assert [(e.target.kind, e.state) for e in job.effects] == [
        ("create_room", "done"),
        ("set_state", "failed"),
        ("join_user", "pending"),
    ]


async def test_the_same_write_again_and_again_spends_its_budget_and_time_gives_it_back(own: OwnDatabase) -> None:
    await own.put_tenant()
    for _ in range(CHANGES.burst):
        assert await wait_for(own, TOPIC) == 0
        await carry_out(own, TOPIC)
    assert CHANGES.refill_seconds * 0.5 < await wait_for(own, TOPIC) <= CHANGES.refill_seconds
    assert await wait_for(own, JOIN) == 0, "another subject has a budget of its own"
    await own.ask("UPDATE job_effects SET made_at = made_at - interval '61 seconds'")
    assert await wait_for(own, TOPIC) == 0
    await own.ask("UPDATE job_effects SET made_at = made_at - interval '1 day'")
    assert await wait_for(own, TOPIC) == 0


async def test_what_was_refused_or_withheld_was_not_written(own: OwnDatabase) -> None:
    await own.put_tenant()
    for _ in range(CHANGES.burst):
        await carry_out(own, TOPIC, error="withheld", withheld=True)
    assert await wait_for(own, TOPIC) == 0


async def test_joining_and_taking_out_in_turn_is_no_fight(own: OwnDatabase) -> None:
    await own.put_tenant()
    for _ in range(CHANGES.burst):
        await carry_out(own, JOIN)
        await carry_out(own, REMOVE)
    assert await wait_for(own, JOIN) == 0


async def test_a_room_whose_making_never_came_to_an_end_is_remembered_by_later_jobs(own: OwnDatabase) -> None:
    await own.put_tenant()
    effect_id = effect_target(CREATE).effect_id
    first = await enqueue(own)
    async with own.database.work(ACME) as work:
        await work.jobs.begin(await lane_of(own), first, (CREATE,))
        assert await work.jobs.tried_before(first, [CREATE]) == frozenset(), "not by itself"
    await finish(own, first, JobOutcome(revision=1, error="buried"))
    second = await enqueue(own)
    async with own.database.work(ACME) as work:
        assert await work.jobs.tried_before(second, [CREATE]) == {effect_id}
    async with own.database.work(GLOBEX) as work:
        assert await work.jobs.tried_before(second, [CREATE]) == frozenset(), "not by other tenants"


async def test_a_tenant_that_stands_is_settled_and_one_that_does_not_is_tried_again_later_and_later(
    own: OwnDatabase,
) -> None:
    await own.put_tenant()
    await carry_out(own, TOPIC)
    assert (await upkeep(own))["settled_revision"] == 1
    assert (await upkeep(own))["retry"] is None
    for failures, seconds in enumerate((60, 120, 240, 480), start=1):
        job_id = await enqueue(own)
        await finish(own, job_id, JobOutcome(revision=2, error="refused"))
        found = await upkeep(own)
        assert found["failures"] == failures
        assert found["retry"] == pytest.approx(seconds, abs=10)
        assert found["settled_revision"] == 1
    for _ in range(6):
        await finish(own, await enqueue(own), JobOutcome(revision=2, error="refused"))
    assert (await upkeep(own))["retry"] == pytest.approx(3600, abs=10), "an hour at most"
    await finish(own, await enqueue(own), JobOutcome(revision=2, error="withheld", retry_after_seconds=5))
    assert (await upkeep(own))["retry"] == pytest.approx(5, abs=4), "sooner where we know when"
    await finish(own, await enqueue(own), JobOutcome(revision=2))
    found = await upkeep(own)
    assert (found["settled_revision"], found["failures"], found["retry"]) == (2, 0, None)


async def test_who_does_not_stand_is_due_and_who_does_is_not(own: OwnDatabase) -> None:
    await own.put_tenant()
    assert await due(own) == [], "it was changed a moment ago: its job is on the way"
    await own.ask("UPDATE tenants SET updated_at = now() - interval '2 minutes'")
    assert await due(own) == [("acme", False)], "nothing of it was ever made"
    await carry_out(own, TOPIC)
    assert await due(own) == []
    await own.ask("UPDATE tenants SET revision = 5")
    assert await due(own) == [("acme", False)], "a later revision never came about"
    await finish(own, await enqueue(own), JobOutcome(revision=5, error="refused"))
    assert await due(own) == [], "it waits for its next try"
    await own.ask("UPDATE tenant_upkeep SET retry_at = now() - interval '1 second'")
    assert await due(own) == [("acme", False)]


async def test_a_tenant_that_stands_and_failed_since_is_due_when_its_time_comes(own: OwnDatabase) -> None:
    await own.put_tenant()
    await carry_out(own, TOPIC)
    await finish(own, await enqueue(own), JobOutcome(revision=1, error="withheld"))
    assert await due(own) == []
    await own.ask("UPDATE tenant_upkeep SET retry_at = now() - interval '1 second'")
    assert await due(own) == [("acme", False)]


async def test_every_tenant_is_read_in_turn_and_spread_over_the_day(own: OwnDatabase) -> None:
    for number in range(10):
        await own.ask(
            "INSERT INTO tenants (tenant_id, name, status, settings, revision) VALUES ($1, $1, 'active', '{}', 1)",
            f"t{number}",
        )
        await own.ask(
            "INSERT INTO tenant_upkeep (tenant_id, settled_revision, verified_at)"
            " VALUES ($1, 1, now() - make_interval(days => 2, mins => $2))",
            f"t{number}",
            number,
        )
    assert await due(own) == [("t9", True)], "one a minute is more than enough for ten, the oldest first"
    assert len(await due(own, look_seconds=DAY / 2)) == 5, "half of them in half the time"
    assert len(await due(own, look_seconds=DAY)) == 10
    await own.ask("UPDATE tenant_upkeep SET verified_at = now() - interval '23 hours'")
    assert await due(own, look_seconds=DAY) == []


async def test_of_a_removed_tenant_nothing_is_ever_due(own: OwnDatabase) -> None:
    await own.put_tenant()
    await finish(own, await enqueue(own), JobOutcome(revision=1, error="refused"))
    await own.ask("UPDATE tenants SET status = 'removed', updated_at = now() - interval '1 hour'")
    await own.ask("UPDATE tenant_upkeep SET verified_at = now() - interval '9 days', retry_at = now() - interval '1 s'")
    assert await due(own) == []


async def test_a_verification_counts_when_every_room_was_read(own: OwnDatabase) -> None:
    await own.put_tenant()
    await carry_out(own, TOPIC)
    await own.ask("UPDATE tenant_upkeep SET verified_at = now() - interval '2 days'")
    await finish(own, await enqueue(own, verify=True), JobOutcome(revision=1, is_verified=False))
    assert (await upkeep(own))["verified"] == pytest.approx(2 * DAY, abs=60)
    await finish(own, await enqueue(own, verify=True), JobOutcome(revision=1, is_verified=True))
    assert (await upkeep(own))["verified"] == pytest.approx(0, abs=60)


async def test_rooms_that_are_somebodys_are_known_whosever_they_are(own: OwnDatabase) -> None:
    await own.put_tenant(ACME, "!a")
    await own.put_tenant(GLOBEX, "!b")
    rooms = [RoomID(found) for found in ("!a", "!b", "!c")]
    assert await own.database.known_rooms(rooms) == {"!a", "!b"}
    assert await own.database.known_rooms([]) == frozenset()


def state(event_type: str, state_key: str, content: JsonObject, number: int, sender: UserID = BEN) -> MatrixEvent:
    return MatrixEvent(
        event_id=EventID(f"${number}"),
        room_id=ROOM,
        event_type=event_type,
        sender=sender,
        content=content,
        origin_server_ts=number,
        state_key=state_key,
    )


async def test_a_rooms_state_is_carried_over_whole_people_with_their_roles(own: OwnDatabase) -> None:
    await own.put_tenant(ACME, ROOM)
    anna, eve = UserID("@u_anna:s"), UserID("@u_eve:s")
    join = {"membership": "join"}
    events = [
        state("m.room.member", BEN, {**join, "displayname": "Ben"}, 1),
        state("m.room.member", anna, join, 2),
        state("m.room.member", eve, {"membership": "leave"}, 3),
        state("m.room.member", BOTS.relay, join, 4),
        state("m.room.power_levels", "", {"users": {anna: 100, BEN: 50}}, 5),
        state("m.room.name", "", {"name": "General"}, 6),
    ]
    async with own.database.work(ACME) as work:
        assert len(await work.rooms.record_state(events)) == 6
        assert await work.rooms.record_state(events) == []
    rows = await own.rows("SELECT user_id, role, membership, display_name FROM chat_room_members ORDER BY user_id")
    assert [tuple(row.values()) for row in rows] == [
        (BOTS.relay, "bot", "join", None),
        (anna, "owner", "join", None),
        (BEN, "moderator", "join", "Ben"),
        (eve, "member", "leave", None),
    ]
    assert await own.ask("SELECT name FROM chat_rooms") == "General"
    async with own.database.work(ACME) as work:
        await work.rooms.record_state([state("m.room.power_levels", "", {"users": {BEN: 75}}, 7)])
        await work.rooms.record_state(
            [state("m.room.member", BEN, join, 8), state("m.room.member", anna, {"membership": "leave"}, 9)]
        )
    rows = await own.rows("SELECT user_id, role, membership, display_name FROM chat_room_members ORDER BY user_id")
    assert [tuple(row.values()) for row in rows[1:3]] == [
        (anna, "member", "leave", None),
        (BEN, "admin", "join", "Ben"),
    ]
