"""The inbox and the read model on a real PostgreSQL: once, in Synapse's order, and nothing stranded."""

import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from bridge.actions.handle_matrix_events import BATCH, HandleMatrixEvents
from bridge.db.gaps import GapStore
from bridge.db.inbox import store_transaction
from bridge.matrix.events import parse_transaction
from bridge.model.event import MatrixEvent, Receipt
from bridge.model.ids import SPACE, EventID, RoomID, RoomKey
from bridge.model.job import Lane
from bridge.model.room import MatrixHouse
from bridge.model.stream import StreamPage
from tests.support.own_database import ACME, BEN, BOTS, GLOBEX, OwnDatabase
from tests.support.waiting import until

ROOM = RoomID("!r")
HOUSE = MatrixHouse(server_name="s", room_version="12", bots=BOTS)


def handler(own: OwnDatabase) -> HandleMatrixEvents:
    return HandleMatrixEvents(database=own.database, house=HOUSE)


async def handle_all(own: OwnDatabase) -> None:
    """Work off every inbox lane."""
    handle = handler(own)
    while lanes := await own.claim("inbox"):
        for lane in lanes:
            await handle(lane)
            await own.lanes.release(lane)


async def bodies(own: OwnDatabase, room_id: str = ROOM) -> list[str | None]:
    rows = await own.rows(
        "SELECT content ->> 'body' AS body FROM chat_messages WHERE room_id = $1 ORDER BY position", room_id
    )
    return [row["body"] for row in rows]


# Storing


async def test_an_event_is_stored_once_however_often_it_comes(own: OwnDatabase) -> None:
    one, two, three = (own.event(ROOM) for _ in range(3))
    assert await own.receive(one, two) == 2
    assert await own.receive(two, three, one) == 1
    assert await own.receive(one, two, three) == 0
    assert (await own.pending("inbox", ROOM), await own.drifted()) == (3, [])


async def test_what_comes_twice_in_one_transaction_is_stored_once(own: OwnDatabase) -> None:
    event = own.event(ROOM)
    assert await own.receive(event, event) == 1
    assert (await own.pending("inbox", ROOM), await own.drifted()) == (1, [])


async def test_what_comes_again_after_it_was_handled_is_not_handled_again(own: OwnDatabase) -> None:
    await own.put_tenant(ACME, ROOM)
    event = own.event(ROOM)
    await own.receive(event)
    await handle_all(own)
    assert await own.receive(event) == 0
    assert await own.claim("inbox") == []
    assert await own.ask("SELECT body FROM inbox") is None, "the read model is the copy that obeys retention"


async def test_a_transaction_of_many_rooms_counts_each_and_sets_apart_what_cannot_be_read(own: OwnDatabase) -> None:
    receipt = Receipt(room_id=RoomID("!b"), event_id=EventID("$1"), user_id=BEN, ts=5)
    items = [(f"${room}{number}", own.event(room)) for room in ("!b", "!a", "!c") for number in range(3)]
    unparsable = [("nonsense", "not an object"), ("{}", "no sender")]
    assert await store_transaction(own.app, [*items, ("receipt:1", receipt)], unparsable) == 10
    assert {room: await own.pending("inbox", room) for room in ("!a", "!b", "!c")} == {"!a": 3, "!b": 4, "!c": 3}
    assert await own.rows("SELECT body, error FROM quarantine ORDER BY quarantine_id") == [
        {"body": "nonsense", "error": "not an object"},
        {"body": "{}", "error": "no sender"},
    ]
    assert await own.drifted() == []


async def test_an_empty_transaction_stores_nothing(own: OwnDatabase) -> None:
    assert await store_transaction(own.app, [], []) == 0
    assert await own.ask("SELECT count(*) FROM lanes") == 0


async def test_transactions_that_name_the_same_rooms_in_any_order_never_wait_for_each_other(own: OwnDatabase) -> None:
    rooms = [f"!{number}" for number in range(12)]
    chance = random.Random(1)  # noqa: S311 - repeatable chance

    async def transaction() -> None:
        await own.receive(*(own.event(room) for room in chance.sample(rooms, k=12)))

    await asyncio.gather(*(transaction() for _ in range(40)))
    assert (await own.deadlocks(), await own.drifted()) == (0, [])
    assert {await own.pending("inbox", room) for room in rooms} == {40}


async def test_a_repair_beside_synapses_own_transactions_stores_each_event_once(own: OwnDatabase) -> None:
    """After trouble both hand out the same events at the same time, in the stream's order."""
    events = [own.event(f"!{number % 7}") for number in range(300)]
    items = [(event.event_id, event) for event in events]
    gaps = GapStore(own.app)

    async def repair() -> int:
        found = 0
        for first in range(0, 300, 50):
            piece = items[first : first + 50]
            position = piece[-1][1].stream_position or 0
            page = StreamPage(items=piece, unparsable=[], position=position, end=300)
            found += await gaps.store("events", page, reason="trouble")
        return found

    async def deliver() -> int:
        return sum([await store_transaction(own.app, items[first : first + 30], []) for first in range(0, 300, 30)])

    new = await asyncio.gather(repair(), deliver(), repair())
    assert sum(new) == 300
    assert (await own.deadlocks(), await own.drifted()) == (0, [])
    assert await gaps.position("events") == max(event.stream_position or 0 for event in events)


@pytest.mark.parametrize("odd", ["\0", "\ud800", "a"])
async def test_an_event_deeper_than_synapse_takes_any_holds_up_no_other(own: OwnDatabase, odd: str) -> None:
    """A transaction that we refuse comes again and again, with everybody's events in it and behind it."""
    await own.put_tenant(ACME, ROOM)
    deep: Any = odd
    for _ in range(800):
        deep = [deep]
    raw = {
        "events": [
            {
                "event_id": f"${number}",
                "room_id": ROOM,
                "type": "m.room.message",
                "sender": BEN,
                "origin_server_ts": number,
                "content": {"body": str(number)} | ({"deep": deep} if number == 2 else {}),
            }
            for number in (1, 2, 3)
        ]
    }
    transaction = parse_transaction(json.dumps(raw).encode())
    assert transaction.unparsable == []
    assert await store_transaction(own.app, transaction.items, transaction.unparsable) == 3
    await handle_all(own)
    assert await bodies(own) == ["1", "2", "3"]


# The order


async def test_events_are_handled_in_synapses_order_whatever_the_order_they_came_in(own: OwnDatabase) -> None:
    await own.put_tenant(ACME, ROOM)
    await own.receive(*(own.event(ROOM, number, str(number)) for number in (5, 2, 9)))
    await own.receive(*(own.event(ROOM, number, str(number)) for number in (1, 7)))
    async with own.database.work(ACME) as work:
        waiting = await work.inbox.pending(ROOM, limit=20)
    assert [item.body.stream_position for item in waiting if isinstance(item.body, MatrixEvent)] == [1, 2, 5, 7, 9]
    await handle_all(own)
    assert await bodies(own) == ["1", "2", "5", "7", "9"]


async def test_an_event_that_comes_late_stands_in_its_place(own: OwnDatabase) -> None:
    await own.put_tenant(ACME, ROOM)
    for numbers in ((1, 2, 5), (3,), (4,)):
        await own.receive(*(own.event(ROOM, number, str(number)) for number in numbers))
        await handle_all(own)
    assert await bodies(own) == ["1", "2", "3", "4", "5"]


async def test_events_without_a_place_keep_the_order_in_which_they_came(own: OwnDatabase) -> None:
    await own.put_tenant(ACME, ROOM)
    await own.receive(*(own.event(ROOM, number, str(number), stream_position=None) for number in (3, 1, 2)))
    await handle_all(own)
    assert await bodies(own) == ["3", "1", "2"]


async def test_of_two_states_the_one_later_in_the_stream_stands(own: OwnDatabase) -> None:
    """Clocks of Synapse's machines may differ: the stream's order counts, not the times."""
    await own.put_tenant(ACME, ROOM)

    async def name(number: int, text: str, ts: int) -> None:
        state = {"event_type": "m.room.name", "state_key": "", "origin_server_ts": ts, "content": {"name": text}}
        await own.receive(own.event(ROOM, number, **state))
        await handle_all(own)

    await name(10, "first", 1000)
    await name(20, "second", 900)
    assert await own.ask("SELECT name FROM chat_rooms WHERE id = $1", ROOM) == "second"
    await name(15, "late", 2000)
    assert await own.ask("SELECT name FROM chat_rooms WHERE id = $1", ROOM) == "second"


# Early changes


def edit(own: OwnDatabase, number: int, target: int, body: str, **more: Any) -> MatrixEvent:
    content = {
        "body": f"* {body}",
        "m.new_content": {"body": body},
        "m.relates_to": {"rel_type": "m.replace", "event_id": f"${target}"},
    }
    return own.event(ROOM, number, **{"content": content, **more})


def redaction(own: OwnDatabase, number: int, target: int, **more: Any) -> MatrixEvent:
    return own.event(ROOM, number, event_type="m.room.redaction", content={"redacts": f"${target}"}, **more)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2)])
async def test_edits_that_come_before_their_message_wait_for_it(own: OwnDatabase, order: Sequence[int]) -> None:
    await own.put_tenant(ACME, ROOM)
    events = [own.event(ROOM, 1, "old"), edit(own, 2, 1, "newer"), edit(own, 3, 1, "newest")]
    for index in order:
        await own.receive(events[index])
        await handle_all(own)
    assert await bodies(own) == ["newest"]
    assert await own.ask("SELECT count(*) FROM early_changes") == 0


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
async def test_what_was_redacted_says_nothing_whatever_comes_first(own: OwnDatabase, order: Sequence[int]) -> None:
    await own.put_tenant(ACME, ROOM)
    events = [own.event(ROOM, 1, "secret"), edit(own, 2, 1, "secret too"), redaction(own, 3, 1)]
    for index in order:
        await own.receive(events[index])
        await handle_all(own)
    assert await own.rows("SELECT content, metadata -> 'redacted' AS redacted FROM chat_messages") == [
        {"content": {}, "redacted": True}
    ]
    assert "secret" not in str(await own.rows("SELECT * FROM early_changes"))


async def test_an_edit_that_was_redacted_before_its_message_came_is_not_applied(own: OwnDatabase) -> None:
    await own.put_tenant(ACME, ROOM)
    for event in (edit(own, 2, 1, "regretted"), redaction(own, 3, 2), own.event(ROOM, 1, "old")):
        await own.receive(event)
        await handle_all(own)
    assert await bodies(own) == ["old"]


async def test_early_changes_of_strangers_and_of_other_rooms_change_nothing(own: OwnDatabase) -> None:
    await own.put_tenant(ACME, ROOM, "!s")
    stranger = replace(edit(own, 2, 1, "forged"), sender=BOTS.relay)
    elsewhere = replace(edit(own, 3, 1, "forged"), room_id=RoomID("!s"))
    gone = replace(redaction(own, 4, 1), room_id=RoomID("!s"))
    good = edit(own, 5, 1, "mended")
    silencing = replace(redaction(own, 6, 5), room_id=RoomID("!s"))
    for event in (stranger, elsewhere, gone, good, silencing, own.event(ROOM, 1, "old")):
        await own.receive(event)
        await handle_all(own)
    assert await bodies(own) == ["mended"]


async def test_early_changes_whose_message_never_comes_are_forgotten(own: OwnDatabase) -> None:
    await own.put_tenant(ACME, ROOM)
    await own.receive(edit(own, 2, 1, "young"), edit(own, 4, 3, "old"))
    await handle_all(own)
    await own.ask("UPDATE early_changes SET received_at = now() - interval '8 days' WHERE event_id = '$4'")
    async with own.database.work(ACME) as work:
        before = await own.ask("SELECT now() - interval '7 days'")
        assert await work.messages.forget_early_changes(before) == 1
    assert [row["event_id"] for row in await own.rows("SELECT event_id FROM early_changes")] == ["$2"]


# Rooms that are not known yet


async def test_events_set_aside_come_back_in_order_when_their_room_is_known(own: OwnDatabase) -> None:
    await own.put_tenant(ACME)
    await own.receive(*(own.event(ROOM, number, str(number)) for number in range(2, BATCH + 10, 2)))
    await handle_all(own)
    assert (await own.pending("inbox", ROOM), await own.drifted()) == (0, [])
    await own.receive(own.event(ROOM, 3, "3"))
    async with own.database.work(ACME) as work:
        await work.rooms.record_room(ROOM, RoomKey("r"), "custom")
        await work.inbox.recall(ROOM)
    assert "inbox" in own.woken
    await handle_all(own)
    assert await bodies(own) == [str(number) for number in sorted({3, *range(2, BATCH + 10, 2)})]


@pytest.mark.parametrize("who_is_first", ["the worker", "the reconcile"])
async def test_an_event_that_comes_while_its_room_becomes_known_is_not_stranded(
    own: OwnDatabase, who_is_first: str
) -> None:
    """The worker has asked whose room it is, and is about to set its events aside, when the room is recorded."""
    await own.put_tenant(ACME)
    await own.receive(own.event(ROOM, 1, "hello"))
    lane = await own.claim_one("inbox")
    asked, go = asyncio.Event(), asyncio.Event()
    whose = own.database.tenant_of_room
    questions = 0

    async def slowly(room_id: RoomID) -> Any:
        nonlocal questions
        questions += 1
        answer = await whose(room_id)
        if questions == (1 if who_is_first == "the reconcile" else 2):
            asked.set()
            await go.wait()
        return answer

    own.database.tenant_of_room = slowly  # type: ignore[method-assign]
    handling = asyncio.create_task(handler(own)(lane))
    await asyncio.wait_for(asked.wait(), 10)

    async def record() -> None:
        async with own.database.work(ACME) as work:
            await work.rooms.record_room(ROOM, RoomKey("r"), "custom")
            await work.inbox.recall(ROOM)

    recording = asyncio.create_task(record())
    if who_is_first == "the reconcile":
        await asyncio.wait_for(recording, 10)
    else:
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'"
        await until(lambda: own.ask(waiting, own.name), lambda count: bool(count) or recording.done())
    go.set()
    await asyncio.gather(handling, recording)
    await own.lanes.release(lane)
    await handle_all(own)
    assert await bodies(own) == ["hello"]
    assert await own.drifted() == []


async def test_a_room_that_nobody_recorded_is_adopted_by_its_birth_and_its_stray_events_come_back(
    own: OwnDatabase,
) -> None:
    await own.put_tenant(ACME)
    await own.receive(own.event(ROOM, 2, "early"))
    await handle_all(own)
    birth = own.event(
        ROOM,
        1,
        event_type="m.room.create",
        state_key="",
        sender=BOTS.creator,
        content={"com.bitnexus.tenant_id": "acme", "com.bitnexus.key": SPACE},
    )
    await own.receive(birth)
    await handle_all(own)
    assert await own.ask("SELECT tenant_id FROM chat_rooms WHERE id = $1", ROOM) == ACME
    assert await bodies(own) == ["early"]
    assert await own.drifted() == []


# One event that cannot be handled


async def test_a_head_that_is_buried_leaves_its_lane_to_the_others(own: OwnDatabase) -> None:
    await own.put_tenant(ACME, ROOM)
    await own.receive(*(own.event(ROOM, number, str(number)) for number in (1, 2, 3)))
    lane = replace(await own.claim_one("inbox"), faults=5)
    await handler(own).bury(lane, "ZeroDivisionError: x")
    (buried,) = await own.rows("SELECT body, error FROM quarantine")
    assert (json.loads(buried["body"])["event_id"], buried["error"]) == ("$1", "ZeroDivisionError: x")
    assert (await own.pending("inbox", ROOM), await own.drifted()) == (2, [])
    await own.lanes.release(lane)
    await handle_all(own)
    assert await bodies(own) == ["2", "3"]


# State that two look at


async def test_a_reconcile_that_looks_at_a_room_and_its_events_never_wait_for_each_other(own: OwnDatabase) -> None:
    await own.put_tenant(ACME, ROOM)
    kinds = ["m.room.name", "m.room.topic", "m.room.power_levels", *(f"com.bitnexus.{n}" for n in range(8))]
    handle = handler(own)

    def states(order: Sequence[str]) -> list[MatrixEvent]:
        return [own.event(ROOM, event_type=kind, state_key="", content={"users": {}}) for kind in order]

    async def look() -> None:
        for _ in range(10):
            async with own.database.work(ACME) as work:
                await work.rooms.record_state(states(kinds))

    async def take(lane: Lane) -> None:
        while await handle(lane):
            await own.receive(*states(list(reversed(kinds))))
            if await own.ask("SELECT count(*) FROM inbox") > 150:
                return

    await own.receive(*states(list(reversed(kinds))))
    lane = await own.claim_one("inbox")
    await asyncio.gather(take(lane), look(), look())
    assert await own.deadlocks() == 0


async def test_a_tenant_sees_nothing_of_anothers_early_changes(own: OwnDatabase) -> None:
    await own.put_tenant(ACME, ROOM)
    await own.put_tenant(GLOBEX)
    await own.receive(edit(own, 2, 1, "ours"))
    await handle_all(own)
    async with own.app.acquire() as connection, connection.transaction():
        await connection.execute("SELECT set_config('bitnexus.tenant_id', 'globex', true)")
        assert await connection.fetch("SELECT * FROM early_changes") == []
