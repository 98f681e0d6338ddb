"""The same kills for us and for others: what is lost after it was acknowledged, and what is doubled.

One Synapse with four application services that all hear of the same rooms: our bridge; mautrix's ``AppService`` as it
comes, with a handler that only writes a row for each message; the same with a handler that takes 50 ms before, which is
how long it takes to hand a message on to a network not far away; that with mautrix's ``synchronous_handlers``. Beside
them matrix-webhook, which turns a POST into a message as our ``POST /v1/events`` does. While messages and posts come
in without a pause, all of these are killed by SIGKILL at the same moment and started again, or Synapse is; PostgreSQL
and the disk stay.

- Events in: a person's messages in two rooms, each put until Synapse answers 200 (with a device, so that Synapse knows
  repetitions). Lost is what Synapse acknowledged and a service has not handled in the end; doubled is what it handled
  twice. Ours are counted in ``chat_messages``: they are there, or they are not. Its key is the event id, so nothing can
  be doubled there; what we do because of an event hangs on its row being new.
- Posts out: each posted until it is answered 200 (by us 202), a try at most 30 s long, half a second between tries.
  Lost is what was acknowledged and does not stand in the room in the end, doubled is what stands there twice; both are
  counted in Synapse's own database.

mautrix's services ping Synapse at their start, as its bridges do. matrix-webhook has an access token of a user with a
device of its own, and keeps its defaults.
"""

import asyncio
import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import asyncpg

from bench.measure import median
from bench.peers import NEIGHBOURS_PYTHON, Peer, Stock, matrix_webhook, with_stock_services
from bench.results import write_results
from bench.rig import Rig, furnished
from bench.stock_mautrix import TABLE
from bench.streams import Stream, person_says, posts_to_us, posts_to_webhook
from bench.timeline import MARK
from bridge.demo.ports import Ports
from bridge.demo.postgres import SUPERUSER
from bridge.demo.postgres_place import remove_place
from bridge.demo.progress import Steps
from bridge.demo.stack import build_stack, start_parts

ROUNDS = 3
KILLS = {"services": 4, "synapse": 2}
"""In a round; in an order that is shuffled by a fixed seed."""
_SERVICES = {
    "mautrix": Stock(),
    "mautrix_50_ms": Stock(work_seconds=0.05),
    "mautrix_50_ms_synchronous": Stock(work_seconds=0.05, synchronous=True),
}
_SAID = ("room0", "room3")
"""Where the person talks, at once."""
_QUIET_SECONDS = 6.0
_SETTLE_SECONDS = 60.0
_KEY = "benchmark-key"


async def main() -> None:
    """Run the rounds, and write what was lost and doubled in each."""
    if not NEIGHBOURS_PYTHON.exists():
        sys.exit("the environment of matrix-webhook is missing: 'make neighbours' makes it")
    with tempfile.TemporaryDirectory() as folder:
        async with _running(Path(folder)) as scene:
            rounds = [await scene.round(number) for number in range(ROUNDS)]
    write_results("neighbours", _figures(rounds))


@dataclass(kw_only=True)
class _Scene:
    """Everything that runs."""

    rig: Rig
    services: list[Peer]
    webhook: Peer
    handled: "asyncpg.Connection[asyncpg.Record]"
    synapse: "asyncpg.Connection[asyncpg.Record]"
    device_id: str

    async def round(self, number: int) -> dict[str, dict[str, int]]:
        """Kill while messages come in; return by name what was sent, lost and doubled."""
        said = [person_says(self.rig, key, self.device_id) for key in _SAID]
        ours = posts_to_us(self.rig, "room1")
        theirs = posts_to_webhook(self.rig, self.webhook, "room2", _KEY)
        streams = (*said, ours, theirs)
        for stream in streams:
            stream.start()
        await self._kill(random.Random(number))  # noqa: S311 - so that a run can be repeated
        for stream in streams:
            await stream.stop()
        await self._settle(said)
        counts = {name: count_found(said, await self._handled_by(name)) for name in _SERVICES}
        counts["bitnexus_events"] = count_found(said, await self._projected())
        counts["bitnexus_posts"] = count_found([ours], await self._in_room("room1"))
        counts["matrix_webhook"] = count_found([theirs], await self._in_room("room2"))
        return counts

    async def _kill(self, dice: random.Random) -> None:
        victims = [name for name, count in KILLS.items() for _ in range(count)]
        dice.shuffle(victims)
        for victim in victims:
            await asyncio.sleep(dice.uniform(0.5, 1.5))
            if victim == "synapse":
                await self.rig.stack.synapse.process.kill()
                await self.rig.stack.synapse.start()
            else:
                await self._kill_services()
        await asyncio.sleep(1)

    async def _kill_services(self) -> None:
        bridge, peers = self.rig.stack.bridge, [*self.services, self.webhook]
        await asyncio.gather(bridge.process.kill(), *(peer.kill() for peer in peers))
        await asyncio.gather(bridge.start(), *(peer.start() for peer in peers))

    async def _settle(self, said: Sequence[Stream]) -> None:
        """Wait until we have everything and nobody gets anything more, a minute at most for each."""
        try:
            async with asyncio.timeout(_SETTLE_SECONDS):
                wanted = {mark for stream in said for mark in stream.acknowledged}
                while wanted - set(await self._projected()):  # noqa: ASYNC110 - in other processes
                    await asyncio.sleep(0.5)
                await self.rig.idle()
        except TimeoutError:
            pass  # what is missing is counted as lost
        before: int | None = None
        for _ in range(int(_SETTLE_SECONDS / _QUIET_SECONDS)):
            now: int = await self.handled.fetchval("SELECT count(*) FROM handled")
            if now == before:
                return
            before = now
            await asyncio.sleep(_QUIET_SECONDS)

    async def _handled_by(self, name: str) -> list[str]:
        rows = await self.handled.fetch("SELECT body FROM handled WHERE name = $1 ORDER BY seq", name)
        return _marks(row["body"] for row in rows)

    async def _projected(self) -> list[str]:
        rows = await self.rig.database.fetch(
            "SELECT content ->> 'body' AS body FROM chat_messages WHERE room_id = ANY($1) ORDER BY position",
            [self.rig.rooms[key] for key in _SAID],
        )
        return _marks(row["body"] for row in rows)

    async def _in_room(self, key: str) -> list[str]:
        rows = await self.synapse.fetch(
            "SELECT json::json -> 'content' ->> 'body' AS body FROM events JOIN event_json USING (event_id)"
            " WHERE events.room_id = $1 AND type = 'm.room.message' ORDER BY stream_ordering",
            self.rig.rooms[key],
        )
        return _marks(row["body"] for row in rows)


def _marks(bodies: Any) -> list[str]:
    return [mark for body in bodies for mark in MARK.findall(body or "")[:1]]


def count_found(streams: Sequence[Stream], found: Sequence[str]) -> dict[str, int]:
    """Compare what streams sent in this round with what was found, each in its order; return the sums."""
    sums: Counter[str] = Counter()
    for stream in streams:
        sums.update(_count_one(stream, found))
    return dict(sums)


def _count_one(stream: Stream, found: Sequence[str]) -> dict[str, int]:
    times = Counter(mark for mark in found if mark in stream.sent)
    firsts = [stream.sent[mark] for mark in dict.fromkeys(found) if mark in stream.sent]
    return {
        "acknowledged": len(stream.acknowledged),
        "lost": len(set(stream.acknowledged) - times.keys()),
        "doubled": sum(count > 1 for count in times.values()),
        "out_of_order": sum(number < max(firsts[:place], default=-1) for place, number in enumerate(firsts)),
        "tries": stream.tries,
    }


@asynccontextmanager
async def _running(folder: Path) -> AsyncIterator[_Scene]:
    stack, services = with_stock_services(build_stack(folder, Ports.free(), with_model=False), services=_SERVICES)
    async with AsyncExitStack() as stops:
        stops.callback(remove_place, folder)
        await start_parts(stack, stops, Steps(), with_model=False, with_bridge=True)
        rig = await stops.enter_async_context(furnished(stack, rooms=4))
        handled = await asyncpg.connect(stack.postgres.dsn(SUPERUSER, "postgres"))
        stops.push_async_callback(handled.close)
        await handled.execute(TABLE)
        synapse = await asyncpg.connect(stack.postgres.dsn("synapse", "synapse"))
        stops.push_async_callback(synapse.close)
        login = await rig.log_in(rig.reader)
        webhook = matrix_webhook(stack, user_id=rig.reader, access_token=login["access_token"], key=_KEY)
        for peer in (*services, webhook):
            stops.push_async_callback(peer.kill)
            await peer.start()
        yield _Scene(
            rig=rig,
            services=services,
            webhook=webhook,
            handled=handled,
            synapse=synapse,
            device_id=login["device_id"],
        )


def _figures(rounds: list[dict[str, dict[str, int]]]) -> dict[str, Any]:
    names = ("bitnexus_events", *_SERVICES, "bitnexus_posts", "matrix_webhook")
    by_name = {name: {what: [found[name][what] for found in rounds] for what in rounds[0][name]} for name in names}
    return {
        "rounds": ROUNDS,
        "kills_a_round": KILLS,
        "versions": {"mautrix": version("mautrix"), "matrix-webhook": _locked("matrix-webhook")},
        "medians": {name: {what: median(counts) for what, counts in by_name[name].items()} for name in names},
        "totals": {name: {what: sum(counts) for what, counts in by_name[name].items()} for name in names},
        "by_round": by_name,
    }


def _locked(package: str) -> str:
    lock = Path(__file__).parents[1] / "locks" / "neighbours.txt"
    found = re.search(rf"^{package}==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return found[1]
