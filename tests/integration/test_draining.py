"""The stop in good order: nothing in hand is lost or doubled, and a rolling restart goes unnoticed (product row 20)."""

import asyncio
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias
from urllib.parse import quote

import aiohttp
import asyncpg
import pytest

from bridge.demo.bridge_process import BridgeProcess
from bridge.demo.ports import Ports
from bridge.demo.roster import Roster
from bridge.demo.settings import write_config
from bridge.demo.stack import Stack, running_stack
from tests.support.backend import Backend, Client, Reply, member_id
from tests.support.balancer import Balancer
from tests.support.own_stack import backend_of, hanging
from tests.support.waiting import until

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

DRAIN_SECONDS, LEAVE_SECONDS = 6.0, 1.0
A_LITTLE = 6.0
"""What closing may take beyond the drain, on a machine that is busy."""
ROOMS = [{"key": f"room{number}", "type": "general", "name": f"Room {number}"} for number in range(8)]


@dataclass(frozen=True)
class Place:
    """A stack behind a proxy, where several bridges may run."""

    stack: Stack
    synapse_side: Balancer
    main_side: Balancer
    backend: Backend
    superuser: Pool

    async def read(self, question: str, *values: object) -> list[Any]:
        return [row[0] for row in await self.superuser.fetch(question, *values)]


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    synapse_side, main_side = Balancer(), Balancer()
    appservice, main = await synapse_side.start(), await main_side.start()
    overrides = {
        "appservice": {"address": f"http://127.0.0.1:{appservice}"},
        "http": {"drain_seconds": LEAVE_SECONDS},
        "worker": {"drain_seconds": DRAIN_SECONDS},
    }
    ports = Ports.free()
    synapse_side.ports, main_side.ports = [ports.appservice], [ports.bridge]
    folder = tmp_path_factory.mktemp("draining")
    async with (
        running_stack(folder, ports=ports, with_model=False, overrides=overrides) as stack,
        backend_of(stack, bridge_url=f"http://127.0.0.1:{main}") as backend,
        asyncpg.create_pool(stack.postgres_dsn, min_size=0, max_size=2) as superuser,
    ):
        yield Place(stack, synapse_side, main_side, backend, superuser)
    await synapse_side.stop()
    await main_side.stop()


@dataclass(frozen=True)
class Scene:
    """A tenant with eight rooms and one person in all of them."""

    tenant_id: str
    key: str
    bob: Client
    rooms: dict[str, str]
    sent: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """What was acknowledged, by room in order."""

    async def post(self, backend: Backend, room_key: str, event_id: str) -> Reply:
        body = {"type": "alert", "to": [{"room": room_key}], "title": event_id, "id": event_id}
        reply = await backend.call("POST", "/v1/events", body, token=self.key)
        if reply.status == 202:
            self.sent.setdefault(room_key, []).append(reply.body["deliveries"][0]["delivery_id"])
        return reply

    async def shown(self) -> dict[str, list[str]]:
        """Return the delivery ids that stand in each room, in order."""
        found: dict[str, list[str]] = {}
        for room_key in self.sent:
            contents = [event["content"] for event in await self._timeline(self.rooms[room_key])]
            found[room_key] = [each["com.bitnexus.delivery_id"] for each in contents if "com.bitnexus.event" in each]
        return found

    async def _timeline(self, room_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        query = {"dir": "b", "limit": "500"}
        while True:
            page = await self.bob.ok("GET", f"v3/rooms/{quote(room_id)}/messages", **query)
            found += page["chunk"]
            if "end" not in page:
                return found[::-1]
            query["from"] = page["end"]

    async def all_shown(self, place: Place) -> None:
        """Wait until nothing is to be sent any more: what was acknowledged stands in its room, once and in order."""
        question = "SELECT count(*) FROM outbox WHERE state = 'pending'"
        await until(lambda: place.read(question), lambda pending: pending == [0], seconds=90)
        assert await self.shown() == self.sent


@pytest.fixture
async def scene(place: Place) -> Scene:
    tenant_id = await place.backend.new_tenant(rooms=ROOMS, bob="member")
    bob = await place.backend.sign_in(member_id(tenant_id, "bob"))
    key = await place.backend.integration_key(tenant_id)
    return Scene(tenant_id, key, bob, await bob.rooms())


async def fill(place: Place, scene: Scene, *, each: int) -> None:
    """Put ``each`` events into every room's lane."""
    for number in range(each):
        replies = await asyncio.gather(
            *(scene.post(place.backend, room["key"], f"{room['key']}-{number}") for room in ROOMS)
        )
        assert {reply.status for reply in replies} == {202}


async def ended(bridge: BridgeProcess, *, within: float) -> float:
    """Return how long the process took to end; it must have ended well."""
    began = time.monotonic()
    async with asyncio.timeout(within + 30):
        status = await bridge.process.wait()
    seconds = time.monotonic() - began
    assert status == 0, bridge.process.tail()
    assert seconds < within, f"{seconds:.1f} seconds; {bridge.process.tail()}"
    return seconds


async def working(place: Place) -> None:
    """Wait until lanes of the outbox are held."""
    question = "SELECT count(*) FROM lanes WHERE queue = 'outbox' AND lease_until > now()"
    await until(lambda: place.read(question), lambda held: held[0] > 0, seconds=10)


@asynccontextmanager
async def restarted(bridge: BridgeProcess) -> AsyncIterator[None]:
    """Have the bridge run again when the block ends, however it ends."""
    try:
        yield
    finally:
        if bridge.process.is_running:
            await bridge.process.kill()
        await bridge.start()


async def test_a_stop_ends_what_is_in_hand_says_so_and_keeps_the_rest(place: Place, scene: Scene) -> None:
    bridge = place.stack.bridge
    async with restarted(bridge):
        await fill(place, scene, each=24)  # more than a run of a lane takes at once
        await working(place)
        os.kill(bridge.process.pid, signal.SIGTERM)
        ready = await until(
            lambda: place.backend.call("GET", "/ready", token=None), lambda reply: reply.status == 503, seconds=2
        )
        assert ready.body["status"] == "draining"
        assert ready.headers["Connection"] == "close"
        assert (await scene.post(place.backend, "room0", "late")).status == 202, "it still takes what comes"
        await ended(bridge, within=max(DRAIN_SECONDS, LEAVE_SECONDS) + A_LITTLE)
        in_hand = "SELECT count(*) FROM outbox WHERE state = 'pending' AND attempts > 0"
        assert await place.read(in_hand) == [0]
        assert await place.read("SELECT count(*) FROM lanes WHERE lease_until > now()") == [0]
        kept = await place.read("SELECT count(*) FROM outbox WHERE state = 'pending'")
        assert kept[0] >= 8 * 4, "it claimed more after it was told to stop"
    await scene.all_shown(place)


async def test_a_second_signal_does_not_wait_for_a_synapse_that_hangs(place: Place, scene: Scene) -> None:
    bridge = place.stack.bridge
    async with restarted(bridge):
        with hanging(place.stack.synapse.process.pid):
            await fill(place, scene, each=2)
            await working(place)
            os.kill(bridge.process.pid, signal.SIGTERM)
            url = f"{bridge.url}/ready"
            await until(lambda: status_of(place.backend.http, url), lambda status: status == 503, seconds=5)
            os.kill(bridge.process.pid, signal.SIGTERM)
            await ended(bridge, within=A_LITTLE)
    await scene.all_shown(place)


async def status_of(http: aiohttp.ClientSession, url: str) -> int:
    async with http.get(url) as response:
        return response.status


@pytest.mark.parametrize("part", ["synapse", "postgres"])
async def test_it_ends_in_time_though_what_it_needs_hangs(place: Place, scene: Scene, part: str) -> None:
    bridge = place.stack.bridge
    pid = {"synapse": place.stack.synapse, "postgres": place.stack.postgres}[part].process.pid
    await fill(place, scene, each=2)
    async with restarted(bridge):
        await working_or_done(place)
        with hanging(pid):
            os.kill(bridge.process.pid, signal.SIGTERM)
            await ended(bridge, within=DRAIN_SECONDS + A_LITTLE + 4)
    await scene.all_shown(place)


async def working_or_done(place: Place) -> None:
    question = (
        "SELECT count(*) FROM lanes WHERE queue = 'outbox' AND lease_until > now()"
        " UNION ALL SELECT count(*) FROM outbox WHERE state = 'pending'"
    )
    await until(lambda: place.read(question), lambda found: found[0] > 0 or found[1] == 0, seconds=10)


# --- two replicas ---------------------------------------------------------------------------------------------------


def replica_of(place: Place) -> BridgeProcess:
    """Return a second bridge on the same database and the same Synapse, with listeners of its own."""
    stack = place.stack
    free = Ports.free()
    ports = replace(stack.ports, bridge=free.bridge, appservice=free.appservice, metrics=free.metrics)
    folder = stack.directory / "replica"
    folder.mkdir()
    config = stack.config
    overrides = {
        "appservice": {"address": config.appservice.address},
        "http": {"drain_seconds": LEAVE_SECONDS},
        "worker": {"drain_seconds": DRAIN_SECONDS},
    }
    path = folder / "config.yaml"
    write_config(path, ports=ports, credentials=stack.credentials, with_model=False, overrides=overrides)
    return BridgeProcess(
        directory=folder,
        log=folder / "bridge.log",
        ports=ports,
        config_path=path,
        roster=Roster(folder / "processes.json"),
    )


@dataclass
class Load:
    """Events of n8n and messages of a person, several a second, until told to stop."""

    place: Place
    scene: Scene
    said: list[str] = field(default_factory=list[str])
    refused: list[str] = field(default_factory=list[str])
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def post_events(self, room_key: str) -> None:
        number = 0
        while not self.over.is_set():
            number += 1
            await self._post(room_key, f"{room_key}-{number}")
            await asyncio.sleep(0.2)  # less than one Synapse can take, so that it is not what is measured

    async def _post(self, room_key: str, event_id: str) -> None:
        """Send an event until it is acknowledged, as n8n does, by the same idempotency key."""
        while True:
            try:
                reply = await self.scene.post(self.place.backend, room_key, event_id)
            except aiohttp.ClientError as error:
                self.refused.append(type(error).__name__)
                continue
            if reply.status == 202:
                return
            self.refused.append(str(reply.status))

    async def say_things(self, room_key: str) -> None:
        while not self.over.is_set():
            self.said.append(await self.scene.bob.say(self.scene.rooms[room_key], uuid.uuid4().hex))
            await asyncio.sleep(0.2)


@asynccontextmanager
async def under_load(place: Place, scene: Scene) -> AsyncIterator[Load]:
    load = Load(place, scene)
    tasks = [asyncio.create_task(load.post_events(room["key"])) for room in ROOMS[:2]]
    tasks.append(asyncio.create_task(load.say_things(ROOMS[2]["key"])))
    try:
        yield load
    finally:
        load.over.set()
        await asyncio.gather(*tasks)


@pytest.mark.timeout(400)
async def test_a_rolling_restart_of_two_replicas_loses_and_doubles_nothing(place: Place, scene: Scene) -> None:
    first, second = place.stack.bridge, replica_of(place)
    place.synapse_side.ports = [first.ports.appservice, second.ports.appservice]
    place.main_side.ports = [first.ports.bridge, second.ports.bridge]
    ends = DRAIN_SECONDS + A_LITTLE
    async with under_load(place, scene) as load:
        await second.start()
        await posted(scene, 10)
        for bridge in (first, second, first):
            os.kill(bridge.process.pid, signal.SIGTERM)
            await ended(bridge, within=ends)
            before = sum(map(len, scene.sent.values()))
            await posted(scene, before + 10)  # the other one takes it all
            await bridge.start()
    await second.stop()
    assert load.refused == []
    await scene.all_shown(place)
    assert len(load.said) > 10
    question = "SELECT id FROM chat_messages WHERE id = ANY ($1)"
    await until(lambda: place.read(question, load.said), lambda found: sorted(found) == sorted(load.said))
    held: Callable[[], Awaitable[list[Any]]] = lambda: place.read("SELECT sum(pending) FROM lanes")  # noqa: E731 - short
    await until(held, lambda pending: pending == [0])


async def posted(scene: Scene, number: int) -> None:
    async def count() -> int:
        return sum(map(len, scene.sent.values()))

    await until(count, lambda found: found >= number)
