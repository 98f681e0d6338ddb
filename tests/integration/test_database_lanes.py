"""Lanes on a real PostgreSQL: one holder at a time, turns between tenants, counters that are true."""

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from bridge.db.lanes import LaneLost, mend_counters
from bridge.model.effect import RegisterUser
from bridge.model.event import Refused, Sent
from bridge.model.ids import EventID, JobID, RoomID, TenantID
from bridge.model.job import JobOutcome, Lane, Result
from bridge.ports import Queue
from bridge.worker import backoff_seconds
from tests.support.own_database import ACME, BEN, BOTS, GLOBEX, OwnDatabase

PLACES, MOST = 8, 6
"""As a worker with its defaults asks: eight places, six of them for one tenant."""


async def put_lanes(own: OwnDatabase, tenant_id: str | None, *keys: str, queue: Queue = "outbox") -> None:
    """Make lanes with an item each, the first of them served longest ago."""
    await own.ask(
        "INSERT INTO lanes (queue, lane_key, tenant_id, pending, served_at) SELECT $1, key, $2, 1,"
        " now() - interval '1 hour' + number * interval '1 second'"
        " FROM unnest($3::text[]) WITH ORDINALITY AS k(key, number)",
        queue,
        tenant_id,
        list(keys),
    )


def names(lanes: Sequence[Lane]) -> set[str]:
    return {lane.lane_key for lane in lanes}


# Turns


async def test_row_35_a_tenant_with_a_hundred_lanes_leaves_a_quiet_one_its_turn(own: OwnDatabase) -> None:
    await put_lanes(own, "noisy", *(f"!n{number:03}" for number in range(100)))
    await put_lanes(own, "quiet", "!q")
    claimed = await own.claim("outbox", limit=PLACES, most_per_tenant=MOST)
    assert names(claimed) == {"!q", *(f"!n{number:03}" for number in range(MOST))}, "the longest waiting ones"
    held = Counter(lane.tenant_id for lane in claimed)
    assert await own.claim("outbox", limit=1, held=held, most_per_tenant=MOST) == [], "the last place is for others"
    await put_lanes(own, "late", "!late")
    assert names(await own.claim("outbox", limit=1, held=held, most_per_tenant=MOST)) == {"!late"}


async def test_each_tenants_first_lane_comes_before_anybodys_second(own: OwnDatabase) -> None:
    for tenant in "abc":
        await put_lanes(own, tenant, *(f"!{tenant}{number}" for number in range(3)))
    assert names(await own.claim("outbox", limit=3)) == {"!a0", "!b0", "!c0"}
    # with three of a's held by this worker, a's next lane is its fourth
    assert names(await own.claim("outbox", limit=4, held={TenantID("a"): 3}, most_per_tenant=8)) == {
        "!b1", "!b2", "!c1", "!c2",
    }  # fmt: skip


async def test_in_a_tenant_the_lane_served_longest_ago_comes_first(own: OwnDatabase) -> None:
    await put_lanes(own, "a", "!1", "!2", "!3")
    order = []
    for _ in range(6):
        (lane,) = await own.claim("outbox", limit=1)
        order.append(lane.lane_key)
        await own.lanes.release(lane)
    assert order == ["!1", "!2", "!3"] * 2


async def test_rooms_whose_tenant_is_not_known_yet_take_turns_as_one_tenant(own: OwnDatabase) -> None:
    await put_lanes(own, None, "!1", "!2", "!3", queue="inbox")
    await put_lanes(own, "a", "!a", queue="inbox")
    assert names(await own.claim("inbox", limit=3, held={None: 1}, most_per_tenant=3)) == {"!a", "!1", "!2"}
    assert await own.claim("inbox", limit=3, held={None: 3}, most_per_tenant=3) == []


async def test_queues_do_not_take_each_others_lanes(own: OwnDatabase) -> None:
    for queue in ("inbox", "outbox", "reconcile"):
        await put_lanes(own, "a", "!same", queue=queue)
    (lane,) = await own.claim("outbox")
    assert (lane.queue, lane.lane_key) == ("outbox", "!same")
    assert await own.claim("outbox") == []
    assert [found.queue for found in await own.claim("inbox")] == ["inbox"]


async def waits_of_the_quiet(own: OwnDatabase, *, noisy_lanes: int, most: int = MOST) -> list[int]:
    """Play a worker for 40 rounds and return how many rounds each message of a quiet tenant waited.

    A noisy lane is worked on for three rounds and has more work at once; a quiet room gets a message every other round.
    """
    await put_lanes(own, "noisy", *(f"!n{number:03}" for number in range(noisy_lanes)))
    await put_lanes(own, "quiet", "!q0", "!q1", "!q2")
    await own.ask("UPDATE lanes SET pending = 0 WHERE tenant_id = 'quiet'")
    since: dict[str, int] = {}
    running: list[tuple[int, Lane]] = []
    waits: list[int] = []
    for round_number in range(40):
        if round_number % 2 == 0:
            for key in ("!q0", "!q1", "!q2"):
                if key not in since:
                    since[key] = round_number
                    await own.ask("UPDATE lanes SET pending = 1 WHERE lane_key = $1", key)
        held = Counter(lane.tenant_id for _, lane in running)
        for lane in await own.claim("outbox", limit=PLACES - len(running), held=held, most_per_tenant=most):
            running.append((round_number + (3 if lane.tenant_id == "noisy" else 1), lane))
            if lane.tenant_id == "quiet":
                waits.append(round_number - since.pop(lane.lane_key))
                await own.ask("UPDATE lanes SET pending = 0 WHERE lane_key = $1", lane.lane_key)
        for _, lane in [found for found in running if found[0] == round_number + 1]:
            await own.lanes.release(lane)
        running = [found for found in running if found[0] > round_number + 1]
    return waits


async def test_row_35_a_noisy_tenant_hardly_lengthens_anothers_waits(own: OwnDatabase) -> None:
    def p95(waits: list[int]) -> float:
        # in rounds of work: its own round is part of what a message takes
        return 1 + sorted(waits)[math.ceil(len(waits) * 0.95) - 1]

    alone = await waits_of_the_quiet(own, noisy_lanes=0)
    await own.ask("DELETE FROM lanes")
    beside = await waits_of_the_quiet(own, noisy_lanes=100)
    assert len(alone) == len(beside) == 60, "no message is left behind"
    assert p95(beside) <= 1.2 * p95(alone)
    await own.ask("DELETE FROM lanes")
    unlimited = await waits_of_the_quiet(own, noisy_lanes=100, most=PLACES)
    assert p95(unlimited) > 1.2 * p95(alone), "without a limit the noisy one has every place when a message comes"


# Leases and fences


async def test_a_held_lane_is_nobody_elses_until_its_lease_ends(own: OwnDatabase) -> None:
    await put_lanes(own, "a", "!r")
    first = await own.claim_one("outbox")
    assert await own.claim("outbox") == []
    assert await own.lanes.renew(first, lease_seconds=60)
    await own.end_leases()
    second = await own.claim_one("outbox")
    assert second.fence == first.fence + 1
    assert not await own.lanes.renew(first, lease_seconds=60)


async def test_a_lease_that_ended_unnoticed_can_still_be_prolonged(own: OwnDatabase) -> None:
    await put_lanes(own, "a", "!r")
    lane = await own.claim_one("outbox")
    await own.end_leases()
    assert await own.lanes.renew(lane, lease_seconds=60)
    assert await own.claim("outbox") == []


Recording = Callable[[OwnDatabase, Lane], Awaitable[object]]


def recording(queue: Queue, name: str) -> Any:
    """Name a way to record something of a lane, as a parameter."""

    def named(act: Recording) -> Any:
        return pytest.param(queue, act, id=name)

    return named


async def finish_message(own: OwnDatabase, lane: Lane) -> None:
    async with own.database.work(ACME) as work:
        (item,) = await work.outbox.pending(RoomID("!r"), limit=1)
        await work.outbox.finish(lane, item.outbox_id, Sent(event_id=EventID("$1")))


async def bury_message(own: OwnDatabase, lane: Lane) -> None:
    async with own.database.work(ACME) as work:
        (item,) = await work.outbox.pending(RoomID("!r"), limit=1)
        await work.outbox.finish(lane, item.outbox_id, Refused(error="no"))


async def take_up_messages(own: OwnDatabase, lane: Lane) -> None:
    async with own.database.work(ACME) as work:
        await work.outbox.take_up(lane, limit=20)


async def record_failure(own: OwnDatabase, lane: Lane) -> None:
    async with own.database.work(ACME) as work:
        (item,) = await work.outbox.pending(RoomID("!r"), limit=1)
        await work.outbox.record_failure(lane, item.outbox_id)


async def finish_events(own: OwnDatabase, lane: Lane) -> None:
    async with own.database.work(ACME) as work:
        await work.inbox.finish(lane, await work.inbox.pending(RoomID("!r"), limit=20))


async def set_events_aside(own: OwnDatabase, lane: Lane) -> None:
    async with own.database.work(ACME) as work:
        await work.inbox.set_aside(lane, await work.inbox.pending(RoomID("!r"), limit=20))


async def finish_job(own: OwnDatabase, lane: Lane) -> None:
    async with own.database.work(ACME) as work:
        job = await work.jobs.next_open()
        assert job is not None
        await work.jobs.finish(lane, job.job_id, JobOutcome(revision=1))


async def begin_job(own: OwnDatabase, lane: Lane) -> None:
    async with own.database.work(ACME) as work:
        job = await work.jobs.next_open()
        assert job is not None
        await work.jobs.begin(lane, job.job_id, [RegisterUser(user_id=BEN)])


async def record_effect(own: OwnDatabase, lane: Lane) -> None:
    job_id = JobID(await own.ask("SELECT job_id::text FROM jobs"))
    await own.ask(
        "INSERT INTO job_effects (job_id, tenant_id, position, effect_id, kind)"
        " VALUES ($1::text::uuid, 'acme', 0, 'e', 'RegisterUser') ON CONFLICT DO NOTHING",
        job_id,
    )
    async with own.database.work(ACME) as work:
        result = Result(position=0, effect=RegisterUser(user_id=BEN), error="no")
        await work.jobs.record_results(lane, job_id, [result])


@pytest.mark.parametrize(
    ("queue", "record"),
    [
        recording("outbox", "a message sent")(finish_message),
        recording("outbox", "a dead letter")(bury_message),
        recording("outbox", "attempts")(take_up_messages),
        recording("outbox", "a failure")(record_failure),
        recording("inbox", "events handled")(finish_events),
        recording("inbox", "events set aside")(set_events_aside),
        recording("reconcile", "a job begun")(begin_job),
        recording("reconcile", "an effect")(record_effect),
        recording("reconcile", "a job done")(finish_job),
    ],
)
async def test_a_worker_that_lost_its_lane_records_nothing_and_lets_nothing_go(
    own: OwnDatabase, queue: Queue, record: Recording
) -> None:
    await own.put_tenant(ACME, "!r")
    await own.enqueue("!r", "one", "two")
    await own.receive(own.event("!r"), own.event("!r"))
    async with own.database.work(ACME) as work:
        await work.jobs.enqueue(1)
    stale = await own.claim_one(queue)
    await own.end_leases()
    current = await own.claim_one(queue)
    before = await everything(own)
    with pytest.raises(LaneLost):
        await record(own, stale)
    await own.lanes.release(stale, retry_after_seconds=60, error="stale", is_fault=True)
    assert await everything(own) == before
    assert await own.claim(queue) == [], "it is not free for a third one either"
    await record(own, current)
    assert await everything(own) != before, "and its holder can"


async def everything(own: OwnDatabase) -> list[Any]:
    tables = ("lanes", "outbox", "inbox", "jobs", "quarantine")
    rows = [await own.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]  # noqa: S608
    return [*rows, await own.rows("SELECT * FROM job_effects WHERE state <> 'pending' ORDER BY 1")]


async def test_many_workers_at_once_never_hold_one_lane(own: OwnDatabase) -> None:
    await put_lanes(own, "a", *(f"!a{number}" for number in range(12)))
    await put_lanes(own, "b", *(f"!b{number}" for number in range(3)))
    holders: Counter[str] = Counter()
    served: Counter[str] = Counter()

    async def work(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - repeatable chance
        for _ in range(60):
            lanes = await own.claim("outbox", limit=chance.randint(1, 5), most_per_tenant=5)
            for lane in lanes:
                holders[lane.lane_key] += 1
                assert holders[lane.lane_key] == 1, f"{lane.lane_key} is held twice"
                served[lane.lane_key] += 1
            for lane in lanes:
                await own.lanes.renew(lane, lease_seconds=60)
            for lane in lanes:
                holders[lane.lane_key] -= 1
                await own.lanes.release(lane, retry_after_seconds=chance.choice([None, None, 0.0]))

    await asyncio.gather(*(work(seed) for seed in range(6)))
    assert len(served) == 15, "and none was left out"
    fences = await own.rows("SELECT lane_key, fence FROM lanes")
    assert {row["lane_key"]: row["fence"] for row in fences} == served, "each claim has a fence of its own"
    assert await own.deadlocks() == 0


# What has to wait


async def seconds_to_wait(own: OwnDatabase) -> float:
    waits = await own.ask("SELECT extract(epoch FROM not_before - now())::float FROM lanes WHERE not_before > now()")
    return float(waits or 0.0)


async def test_a_lane_waits_as_long_as_it_was_told_and_remembers_why(own: OwnDatabase) -> None:
    await put_lanes(own, "a", "!r")
    lane = await own.claim_one("outbox")
    await own.lanes.release(lane, retry_after_seconds=40, new_head_after_seconds=0.5, error="away")
    assert 38 < await seconds_to_wait(own) <= 40
    assert await own.claim("outbox") == []
    await own.ask("UPDATE lanes SET not_before = now()")
    again = await own.claim_one("outbox")
    assert (again.attempts, again.faults) == (1, 0)
    await own.lanes.release(again, retry_after_seconds=0, new_head_after_seconds=0, error="a mistake", is_fault=True)
    third = await own.claim_one("outbox")
    assert (third.attempts, third.faults) == (2, 1)
    assert await own.ask("SELECT error FROM lanes") == "a mistake"


async def test_what_is_finished_ends_its_failures_and_the_next_head_begins_anew(own: OwnDatabase) -> None:
    await own.put_tenant(ACME, "!r")
    await own.enqueue("!r", "one", "two")
    await own.ask("UPDATE lanes SET attempts = 9, faults = 3, error = 'away'")
    lane = await own.claim_one("outbox")
    assert (lane.attempts, lane.faults) == (9, 3)
    await finish_message(own, lane)
    await own.lanes.release(
        lane, retry_after_seconds=backoff_seconds(9), new_head_after_seconds=backoff_seconds(0), error="away"
    )
    assert 0 < await seconds_to_wait(own) <= 0.5, "the waits of the one before it are not its own"
    await own.ask("UPDATE lanes SET not_before = now()")
    again = await own.claim_one("outbox")
    assert (again.attempts, again.faults) == (1, 0)


async def test_hurry_has_lanes_tried_now_except_those_that_failed_for_themselves(own: OwnDatabase) -> None:
    for queue in ("inbox", "outbox", "reconcile"):
        await put_lanes(own, "a", "!waits", "!fails", queue=queue)
    await own.ask("UPDATE lanes SET not_before = now() + interval '1 minute', attempts = 9")
    await own.ask("UPDATE lanes SET faults = 1 WHERE lane_key = '!fails'")
    await own.lanes.hurry()
    for queue in ("inbox", "outbox", "reconcile"):
        assert [(lane.lane_key, lane.attempts) for lane in await own.claim(queue)] == [("!waits", 0)]


async def test_hurry_waits_for_nobody_who_waits_for_it(own: OwnDatabase) -> None:
    """Transactions that change lanes of one queue do so in the lanes' order; one changes a lane of each queue."""
    keys = [f"!{number:02}" for number in range(20)]
    for queue in ("outbox", "reconcile", "inbox"):
        await put_lanes(own, "a", *reversed(keys), queue=queue)

    async def hurry() -> None:
        for _ in range(40):
            await own.ask("UPDATE lanes SET not_before = now() + interval '1 minute' WHERE queue = 'outbox'")
            await own.lanes.hurry()

    async def add(queues: Sequence[Queue], chosen: Sequence[str]) -> None:
        for _ in range(40):
            async with own.app.acquire() as connection, connection.transaction():
                for queue in queues:
                    for key in chosen:
                        await connection.execute(
                            "UPDATE lanes SET pending = pending + 1, not_before = now() + interval '1 minute'"
                            " WHERE queue = $1 AND lane_key = $2",
                            queue,
                            key,
                        )

    await own.ask("UPDATE lanes SET not_before = now() + interval '1 minute'")
    await asyncio.gather(
        *(own.lanes.hurry() for _ in range(3)),
        *(add(["inbox"], keys) for _ in range(2)),
        *(add(["outbox", "reconcile", "inbox"], ["!07"]) for _ in range(2)),
        hurry(),
    )
    assert await own.deadlocks() == 0


# Counters


async def test_a_lane_whose_counter_says_nothing_waits_is_found_and_mended(own: OwnDatabase) -> None:
    await own.put_tenant(ACME, "!r")
    await own.put_tenant(GLOBEX, "!g")
    await own.enqueue("!r", "one", "two")
    await own.enqueue("!g", "theirs", tenant_id=GLOBEX)
    await own.receive(own.event("!r"), own.event("!elsewhere"))
    async with own.database.work(GLOBEX) as work:
        await work.jobs.enqueue(1)
    await own.ask("UPDATE lanes SET pending = 0")
    assert [await own.claim(queue) for queue in ("inbox", "outbox", "reconcile")] == [[], [], []], "stranded"
    assert await mend_counters(own.app, own.system) == 5
    assert await own.drifted() == []
    assert names(await own.claim("outbox")) == {"!r", "!g"}
    assert names(await own.claim("inbox")) == {"!r", "!elsewhere"}
    assert names(await own.claim("reconcile")) == {"globex"}
    assert await mend_counters(own.app, own.system) == 0


async def test_counters_are_mended_while_work_goes_on(own: OwnDatabase) -> None:
    await own.put_tenant(ACME, "!r")

    async def add() -> None:
        for number in range(60):
            await own.enqueue("!r", str(number))

    async def spoil_and_mend() -> None:
        for _ in range(25):
            await own.ask("UPDATE lanes SET pending = pending - 3")
            await mend_counters(own.app, own.system)

    await own.enqueue("!r", "first")
    await asyncio.gather(add(), add(), spoil_and_mend())
    assert (await own.pending("outbox", "!r"), await own.drifted()) == (121, [])


async def test_whatever_is_done_in_whatever_order_the_counters_are_true(own: OwnDatabase) -> None:
    """Chance plays everything that changes a lane, and several of it at once."""
    await own.put_tenant(ACME, "!r", "!s")
    for seed in range(6):
        chance = random.Random(seed)  # noqa: S311 - repeatable chance
        for _ in range(25):
            acts = [chance.choice(ACTS)(own, chance) for _ in range(chance.randint(1, 4))]
            await asyncio.gather(*acts)
            assert await own.drifted() == [], f"seed {seed}"
    left = await own.ask("SELECT count(*) FROM outbox WHERE state = 'pending'")
    assert left < await own.ask("SELECT count(*) FROM outbox") / 2, "chance did finish things"
    assert await own.ask("SELECT count(*) FROM outbox WHERE acknowledged_by = 'echo'") > 3
    assert await own.ask("SELECT count(*) FROM outbox WHERE state = 'dead'") > 3
    assert await own.deadlocks() == 0


async def _enqueue(own: OwnDatabase, chance: random.Random) -> None:
    await own.enqueue(chance.choice(["!r", "!s"]), *("x" * chance.randint(1, 3)))


async def _receive(own: OwnDatabase, chance: random.Random) -> None:
    numbers = [chance.randint(1, 400) for _ in range(chance.randint(1, 5))]
    await own.receive(*(own.event(chance.choice(["!r", "!s", "!u"]), number) for number in numbers))


async def _echo(own: OwnDatabase, chance: random.Random) -> None:
    rows = await own.rows("SELECT room_id, delivery_id FROM outbox WHERE attempts > 0 ORDER BY outbox_id")
    if not rows:
        return
    async with own.database.work(ACME) as work:
        for row in chance.sample(rows, k=min(len(rows), 4)):
            echo = replace(own.event(row["room_id"]), sender=BOTS.relay)
            await work.outbox.acknowledge_echo(echo, row["delivery_id"])


async def _send(own: OwnDatabase, chance: random.Random) -> None:
    for lane in await own.claim("outbox", limit=1, lease_seconds=chance.choice([0.0, 60.0])):
        try:
            await _send_some(own, lane, chance)
        except LaneLost:
            continue
        finally:
            await own.lanes.release(lane, retry_after_seconds=chance.choice([None, 0.0]))


async def _send_some(own: OwnDatabase, lane: Lane, chance: random.Random) -> None:
    async with own.database.work(ACME) as work:
        items = await work.outbox.take_up(lane, limit=chance.randint(1, 4))
    for item in items:
        outcome = Refused(error="no") if chance.random() < 0.2 else Sent(event_id=EventID(f"$sent{item.outbox_id}"))
        async with own.database.work(ACME) as work:
            await work.outbox.finish(lane, item.outbox_id, outcome)


async def _handle(own: OwnDatabase, chance: random.Random) -> None:
    for lane in await own.claim("inbox", limit=1, lease_seconds=chance.choice([0.0, 60.0])):
        try:
            async with own.database.work(ACME) as work:
                items = await work.inbox.pending(RoomID(lane.lane_key), limit=chance.randint(0, 5))
                away = work.inbox.set_aside if chance.random() < 0.3 else work.inbox.finish
                await away(lane, items)
        except LaneLost:
            continue
        finally:
            await own.lanes.release(lane)


async def _recall(own: OwnDatabase, chance: random.Random) -> None:
    async with own.database.work(ACME) as work:
        await work.inbox.recall(RoomID(chance.choice(["!r", "!s", "!u"])))


async def _reconcile(own: OwnDatabase, chance: random.Random) -> None:
    async with own.database.work(ACME) as work:
        await work.jobs.enqueue(chance.randint(1, 9))
    for lane in await own.claim("reconcile"):
        if chance.random() < 0.5:
            async with own.database.work(ACME) as work:
                job = await work.jobs.next_open()
                assert job is not None
                await work.jobs.begin(lane, job.job_id, [])
                await work.jobs.finish(lane, job.job_id, JobOutcome(revision=1))
        await own.lanes.release(lane)


ACTS: list[Callable[[OwnDatabase, random.Random], Awaitable[None]]] = [
    _enqueue, _receive, _receive, _echo, _send, _send, _handle, _recall, _reconcile,
]  # fmt: skip


# Speed


@pytest.mark.parametrize(("tenants", "most_seconds"), [(1, 0.3), (100, 0.3), (5000, 1.0)])
async def test_a_claim_among_ten_thousand_lanes_is_quick(own: OwnDatabase, tenants: int, most_seconds: float) -> None:
    await own.ask(
        "INSERT INTO lanes (queue, lane_key, tenant_id, pending, served_at) SELECT 'outbox', '!' || n, 't' || n % $1,"
        " 1, now() - n * interval '1 millisecond' FROM generate_series(1, 10000) n",
        tenants,
    )
    # beside them, those that have nothing to do are no burden
    await own.ask(
        "INSERT INTO lanes (queue, lane_key, tenant_id) SELECT 'outbox', '!idle' || n, 't' || n % 100"
        " FROM generate_series(1, 50000) n"
    )
    await own.ask("VACUUM ANALYZE lanes")
    seconds = []
    for _ in range(9):
        began = time.perf_counter()
        assert len(await own.claim("outbox", limit=PLACES, most_per_tenant=MOST)) == min(PLACES, MOST * tenants)
        seconds.append(time.perf_counter() - began)
    assert sorted(seconds)[4] < most_seconds, seconds
