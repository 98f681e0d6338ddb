"""The outbox on a real PostgreSQL: answers, echoes and dead letters that meet, and nobody waits for each other."""

import asyncio
import inspect
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from prometheus_client import REGISTRY

import bridge
from bridge.actions.handle_matrix_events import HandleMatrixEvents
from bridge.db import bell as bell_module
from bridge.db.bell import CHANNEL, Bell
from bridge.db.lanes import LaneLost
from bridge.model.event import MatrixEvent, OutboxItem, Outgoing, Refused, Sent
from bridge.model.ids import DeliveryID, EventID, OutboxID, RoomID
from bridge.model.job import Lane
from bridge.model.room import MatrixHouse
from bridge.ports import Queue
from bridge.worker import Worker
from tests.support.own_database import ACME, BEN, BOTS, GLOBEX, OwnDatabase
from tests.support.waiting import until

ROOM = RoomID("!r")
HOUSE = MatrixHouse(server_name="s", room_version="12", bots=BOTS)


async def take_up(own: OwnDatabase, lane: Lane, *, limit: int = 20) -> Sequence[OutboxItem]:
    async with own.database.work(ACME) as work:
        return await work.outbox.take_up(lane, limit=limit)


async def finish(own: OwnDatabase, lane: Lane, outbox_id: OutboxID, outcome: Sent | Refused) -> None:
    async with own.database.work(ACME) as work:
        await work.outbox.finish(lane, outbox_id, outcome)


def echo_of(own: OwnDatabase, item: OutboxItem, **more: Any) -> MatrixEvent:
    content = {**item.content, "com.bitnexus.delivery_id": item.delivery_id}
    echo = own.event(item.room_id, event_id=EventID(f"$echo{item.outbox_id}"), sender=item.sender, content=content)
    return replace(echo, **more)


async def hear(own: OwnDatabase, item: OutboxItem, *, tenant_id: Any = ACME, **more: Any) -> bool:
    assert item.delivery_id is not None
    async with own.database.work(tenant_id) as work:
        return await work.outbox.acknowledge_echo(echo_of(own, item, **more), item.delivery_id)


async def row(own: OwnDatabase, item: OutboxItem) -> tuple[str, str | None, str | None, str | None]:
    (found,) = await own.rows(
        "SELECT state, event_id, acknowledged_by, error FROM outbox WHERE outbox_id = $1", item.outbox_id
    )
    return tuple(found.values())  # type: ignore[return-value]


async def one_under_way(own: OwnDatabase) -> tuple[Lane, OutboxItem]:
    await own.put_tenant(ACME, ROOM)
    await own.enqueue(ROOM, "one")
    lane = await own.claim_one("outbox")
    (item,) = await take_up(own, lane)
    return lane, item


async def test_taking_up_counts_an_attempt_and_remembers_the_first(own: OwnDatabase) -> None:
    lane, item = await one_under_way(own)
    assert (item.attempts, item.first_attempt_at, item.failures) == (0, None, 0), "as it was"
    (again,) = await take_up(own, lane)
    (third,) = await take_up(own, lane)
    assert (again.attempts, third.attempts) == (1, 2)
    assert again.first_attempt_at is not None
    assert again.first_attempt_at == third.first_attempt_at
    async with own.database.work(ACME) as work:
        await work.outbox.record_failure(lane, item.outbox_id)
    assert [found.failures for found in await take_up(own, lane)] == [1]


async def test_only_so_many_are_taken_up_and_in_order(own: OwnDatabase) -> None:
    await own.put_tenant(ACME, ROOM)
    await own.enqueue(ROOM, *"abcde")
    lane = await own.claim_one("outbox")
    assert [item.content["body"] for item in await take_up(own, lane, limit=3)] == ["a", "b", "c"]
    assert await own.ask("SELECT count(*) FROM outbox WHERE attempts > 0") == 3


@pytest.mark.parametrize("first", ["answer", "echo"])
async def test_answer_and_echo_count_once_whichever_comes_first(own: OwnDatabase, first: str) -> None:
    lane, item = await one_under_way(own)
    await own.enqueue(ROOM, "two")
    if first == "answer":
        await finish(own, lane, item.outbox_id, Sent(event_id=EventID("$answer")))
        assert not await hear(own, item)
        assert await row(own, item) == ("sent", "$answer", "answer", None)
    else:
        assert await hear(own, item)
        assert not await hear(own, item), "the same again is no news"
        await finish(own, lane, item.outbox_id, Sent(event_id=EventID("$answer")))
        assert await row(own, item) == ("sent", f"$echo{item.outbox_id}", "echo", None)
    assert (await own.pending("outbox", ROOM), await own.drifted()) == (1, [])


async def test_a_dead_letter_whose_echo_comes_was_sent(own: OwnDatabase) -> None:
    lane, item = await one_under_way(own)
    await finish(own, lane, item.outbox_id, Refused(error="given up"))
    assert await row(own, item) == ("dead", None, None, "given up")
    assert await hear(own, item)
    assert await row(own, item) == ("sent", f"$echo{item.outbox_id}", "echo", None)
    assert (await own.pending("outbox", ROOM), await own.drifted()) == (0, []), "it was off its lane by then"


async def test_a_refusal_does_not_undo_an_echo(own: OwnDatabase) -> None:
    lane, item = await one_under_way(own)
    assert await hear(own, item)
    await finish(own, lane, item.outbox_id, Refused(error="given up"))
    assert (await row(own, item))[0] == "sent"
    assert await own.drifted() == []


async def test_what_was_never_tried_is_not_acknowledged(own: OwnDatabase) -> None:
    """Somebody who learnt of a delivery's id cannot have a message dropped that is still to be sent."""
    await own.put_tenant(ACME, ROOM)
    await own.enqueue(ROOM, "one")
    async with own.database.work(ACME) as work:
        (item,) = await work.outbox.pending(ROOM, limit=1)
    assert not await hear(own, item)
    assert (await row(own, item))[0] == "pending"


@pytest.mark.parametrize(
    "more", [{"sender": BOTS.assistant}, {"sender": BEN}, {"room_id": RoomID("!other")}, {"tenant_id": GLOBEX}]
)
async def test_an_echo_is_of_the_same_sender_room_and_tenant(own: OwnDatabase, more: dict[str, Any]) -> None:
    await own.put_tenant(GLOBEX)
    _, item = await one_under_way(own)
    assert not await hear(own, item, **more)
    assert (await row(own, item))[0] == "pending"


async def test_an_echo_ends_the_waiting_of_its_lane_and_rings(own: OwnDatabase) -> None:
    lane, item = await one_under_way(own)
    await own.enqueue(ROOM, "two")
    await own.lanes.release(lane, retry_after_seconds=60, error="away")
    own.woken.clear()
    assert await own.claim("outbox") == []
    assert await hear(own, item)
    assert own.woken == ["outbox"]
    (again,) = await own.claim("outbox")
    assert again.attempts == 0
    assert [found.content["body"] for found in await take_up(own, again)] == ["two"]


async def test_a_worker_that_lost_its_lane_takes_nothing_up(own: OwnDatabase) -> None:
    lane, item = await one_under_way(own)
    await own.end_leases()
    await own.claim_one("outbox")
    with pytest.raises(LaneLost):
        await take_up(own, lane)
    assert await own.ask("SELECT attempts FROM outbox WHERE outbox_id = $1", item.outbox_id) == 1


async def test_results_and_echoes_of_one_room_never_wait_for_each_other(own: OwnDatabase) -> None:
    """The worker records message after message while transactions of Synapse bring whole batches of echoes."""
    await own.put_tenant(ACME, ROOM)
    handle = HandleMatrixEvents(database=own.database, house=HOUSE)
    for _ in range(12):
        await own.enqueue(ROOM, *(str(number) for number in range(12)))
        lane = await own.claim_one("outbox")
        items = await take_up(own, lane)
        await own.receive(*(echo_of(own, item) for item in items))
        inbox = await own.claim_one("inbox")

        async def send(lane: Lane = lane, items: Sequence[OutboxItem] = items) -> None:
            for item in reversed(items):
                await finish(own, lane, item.outbox_id, Sent(event_id=EventID(f"$echo{item.outbox_id}")))

        await asyncio.gather(send(), handle(inbox))
        for held in (lane, inbox):
            await own.lanes.release(held)
        assert await own.drifted() == []
    heard = await own.ask("SELECT count(*) FROM outbox WHERE acknowledged_by = 'echo'")
    assert await own.ask("SELECT count(*) FROM outbox WHERE state <> 'sent'") == 0
    assert 0 < heard < 144, "both ways were taken"
    assert await own.deadlocks() == 0


async def test_a_retry_that_begins_while_echoes_come_waits_for_nobody_who_waits_for_it(own: OwnDatabase) -> None:
    await own.put_tenant(ACME, ROOM)
    await own.enqueue(ROOM, *(str(number) for number in range(20)))
    lane = await own.claim_one("outbox")
    items = await take_up(own, lane)

    async def retry() -> None:
        for _ in range(20):
            await take_up(own, lane)

    async def hear_all() -> None:
        async with own.database.work(ACME) as work:
            for item in reversed(items):
                assert item.delivery_id is not None
                assert await work.outbox.acknowledge_echo(echo_of(own, item), item.delivery_id)

    await asyncio.gather(retry(), hear_all(), retry())
    assert (await own.deadlocks(), await own.drifted()) == (0, [])


async def test_posts_for_many_rooms_at_once_never_wait_for_each_other(own: OwnDatabase) -> None:
    rooms = [f"!{number}" for number in range(10)]
    await own.put_tenant(ACME, *rooms)

    async def post(number: int) -> None:
        async with own.database.work(ACME) as work:
            for room_id in sorted(rooms):
                await work.outbox.enqueue(
                    # as the relay does: in the order of the rooms' ids
                    outgoing(room_id, str(number))
                )

    await asyncio.gather(*(post(number) for number in range(30)))
    assert (await own.deadlocks(), await own.drifted()) == (0, [])
    assert {await own.pending("outbox", room_id) for room_id in rooms} == {30}


def outgoing(room_id: str, body: str) -> Outgoing:
    return Outgoing(
        room_id=RoomID(room_id),
        sender=BOTS.relay,
        event_type="m.room.message",
        content={"body": body},
        delivery_id=DeliveryID(f"dlv{room_id}{body}"),
    )


# The bell


async def notifications(own: OwnDatabase, act: Any) -> list[str]:
    """Return what is told on the bell's channel while ``act`` runs, and until a mark of ours has come after it."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    connection = await asyncpg.connect(own.url())
    try:
        await connection.add_listener(CHANNEL, lambda *told: heard.put_nowait(str(told[3])))
        await act()
        await own.ask("SELECT pg_notify($1, 'mark')", CHANNEL)
        told = []
        while (payload := await asyncio.wait_for(heard.get(), 10)) != "mark":
            told.append(payload)
        return told
    finally:
        await connection.close()


async def test_no_transaction_with_data_notifies(own: OwnDatabase) -> None:
    await own.put_tenant(ACME, ROOM)

    async def everything() -> None:
        await own.enqueue(ROOM, "one")
        lane = await own.claim_one("outbox")
        (item,) = await take_up(own, lane)
        await own.receive(echo_of(own, item), own.event(ROOM))
        await HandleMatrixEvents(database=own.database, house=HOUSE)(await own.claim_one("inbox"))
        async with own.database.work(ACME) as work:
            await work.jobs.enqueue(1)
        await own.lanes.hurry()

    assert await notifications(own, everything) == []
    assert set(own.woken) == {"outbox", "reconcile"}, "workers are woken after the commit, in the process"
    assert await own.ask("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal AND tgname !~ '^audit_log'") == 0


def test_only_the_bell_speaks_of_notify() -> None:
    speaking = [
        path
        for path in Path(inspect.getfile(bridge)).parent.rglob("*")
        if path.suffix in {".py", ".sql"} and re.search(r"\bpg_notify\b|\bNOTIFY\s+\w", path.read_text("utf-8"))
    ]
    assert speaking == [Path(inspect.getfile(bell_module))]


async def test_rings_are_told_together_and_in_a_transaction_of_their_own(own: OwnDatabase) -> None:
    here = Bell(own.app, own.url(), wake=lambda _queue: None)
    telling = asyncio.create_task(here.tell())

    async def ring() -> None:
        queues: list[Queue] = ["outbox", "inbox", "outbox", "outbox"]
        for queue in queues * 50:
            here.ring(queue)
        await until(rings_sent, lambda sent: sent > before)

    before = await rings_sent()
    try:
        told = await notifications(own, ring)
    finally:
        telling.cancel()
    assert [payload.split(",")[1:] for payload in told] == [["inbox", "outbox"]]


async def rings_sent() -> float:
    return REGISTRY.get_sample_value("bitnexus_bell_rings_total", {"direction": "sent"}) or 0.0


async def test_a_ring_wakes_the_worker_of_another_process_and_not_its_own_twice(own: OwnDatabase) -> None:
    await own.put_tenant(ACME, ROOM)
    sent: asyncio.Queue[str] = asyncio.Queue()
    worker = Worker(
        lanes=own.lanes,
        actions={"outbox": Sender(own, sent)},
        concurrency=1,
        lease_seconds=60,
        poll_seconds=600,  # whatever it does sooner, it was woken for
    )
    own_rings: list[Queue] = []
    here = Bell(own.app, own.url(), own_rings.append)
    there = Bell(own.app, own.url(), worker.wake)
    chores = [asyncio.create_task(chore) for chore in (here.tell(), here.listen(), there.tell(), there.listen())]
    try:
        await until(lambda: listeners(own), lambda found: len(found) == 2)
        worker.start()
        await own.enqueue(ROOM, "one")
        here.ring("outbox")
        assert await asyncio.wait_for(sent.get(), 10) == "one"
        assert own_rings == ["outbox"]
        # connections that die are made anew
        first = await listeners(own)
        await own.ask("SELECT count(pg_terminate_backend(pid)) FROM unnest($1::int[]) AS p(pid)", list(first))
        await until(lambda: listeners(own), lambda found: len(found - first) == 2, seconds=20)
        await own.enqueue(ROOM, "two")
        here.ring("outbox")
        assert await asyncio.wait_for(sent.get(), 10) == "two"
    finally:
        await worker.stop(drain_seconds=1)
        for chore in chores:
            chore.cancel()
        await asyncio.gather(*chores, return_exceptions=True)


async def listeners(own: OwnDatabase) -> set[int]:
    """Return the backends that listen."""
    rows = await own.rows(
        "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND application_name = 'bitnexus-chat-bell'"
        " AND query LIKE 'LISTEN%' AND state = 'idle'",
        own.name,
    )
    return {row["pid"] for row in rows}


class Sender:
    """Sends what waits in a lane to the test."""

    def __init__(self, own: OwnDatabase, sent: "asyncio.Queue[str]") -> None:
        self._own, self._sent = own, sent

    async def __call__(self, lane: Lane) -> int:
        items = await take_up(self._own, lane)
        for item in items:
            await finish(self._own, lane, item.outbox_id, Sent(event_id=EventID("$x")))
            self._sent.put_nowait(str(item.content["body"]))
        return len(items)

    async def bury(self, lane: Lane, error: str) -> None:
        raise AssertionError((lane, error))
