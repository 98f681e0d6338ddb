"""The life cycle on a real stack: suspended, re-activated, archived, removed, re-added, deactivated.

Sessions end within five seconds, and what is not to be deleted is there afterwards.
"""

import asyncio
import hashlib
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest

from bridge.demo.ports import Ports
from bridge.demo.stack import Stack, running_stack
from bridge.model.audit import GENESIS
from tests.support.backend import Backend, Client, Reply
from tests.support.own_stack import backend_of
from tests.support.waiting import until

SECONDS = 5.0
GENERAL = {"key": "general", "type": "general", "name": "General"}
BOARD = {"key": "board", "type": "custom", "name": "Board", "access": "invite"}


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A stack that these tests may break."""
    folder = tmp_path_factory.mktemp("life-cycle")
    async with running_stack(folder, ports=Ports.free(), with_model=False) as running:
        yield running


@pytest.fixture(scope="module")
async def backend(stack: Stack) -> AsyncIterator[Backend]:
    async with backend_of(stack) as found:
        yield found


class World:
    """The tenants and people of one test, all of its own."""

    def __init__(self, stack: Stack, backend: Backend) -> None:
        self.stack, self.backend = stack, backend
        self._mark = uuid.uuid4().hex[:10]

    def person(self, name: str) -> str:
        return f"{name}-{self._mark}"

    async def tenant(self, name: str, *, rooms: list[dict[str, Any]] | None = None, **people: str) -> str:
        tenant_id = f"{name}-{self._mark}"
        body = {"name": name.title(), "rooms": rooms or [GENERAL]}
        await self.backend.ok("PUT", f"/v1/tenants/{tenant_id}", body)
        for person, role in people.items():
            await self.add(tenant_id, person, role)
        await self.backend.settle(tenant_id)
        return tenant_id

    async def add(self, tenant_id: str, name: str, role: str = "member") -> None:
        path = f"/v1/tenants/{tenant_id}/members/{self.person(name)}"
        await self.backend.ok("PUT", path, {"role": role, "display_name": name.title()})

    async def remove(self, tenant_id: str, name: str) -> None:
        await self.backend.ok("DELETE", f"/v1/tenants/{tenant_id}/members/{self.person(name)}")

    async def set_status(self, tenant_id: str, status: str) -> None:
        name = tenant_id.removesuffix(f"-{self._mark}").title()  # as it was, so that nothing else changes
        await self.backend.ok("PUT", f"/v1/tenants/{tenant_id}", {"name": name, "status": status})

    async def set_person(self, name: str, status: str) -> None:
        await self.backend.ok("PUT", f"/v1/users/{self.person(name)}", {"status": status})

    async def sign_in(self, name: str) -> Client:
        return await self.backend.sign_in(self.person(name))

    async def try_to_sign_in(self, name: str) -> Reply:
        body = {"token": self.backend.token_for(self.person(name))}
        return await self.backend.call("POST", "/v1/sessions", body, token=None)

    async def try_session(self, client: Client, tenant_id: str) -> Reply:
        token = client.session["session_token"]
        return await self.backend.call("POST", f"/v1/tenants/{tenant_id}/ai-rooms", token=token)

    async def ended(self, client: Client, tenant_id: str) -> float:
        """Wait until both the Matrix session and ours are refused, and return how long that took."""
        began = time.monotonic()
        await until(lambda: whoami(client), lambda reply: reply.status in {401, 403}, seconds=60)
        await until(lambda: self.try_session(client, tenant_id), lambda reply: reply.status == 401, seconds=60)
        return time.monotonic() - began

    async def member_event(self, room_id: str, matrix_id: str) -> dict[str, Any]:
        """Return somebody's present membership event, as our creator sees it."""
        url = f"{self.stack.config.homeserver.address}/_matrix/client/v3/rooms/{quote(room_id)}/state"
        headers = {"Authorization": f"Bearer {self.stack.config.appservice.as_token}"}
        async with self.backend.http.get(url, headers=headers) as response:
            state = await response.json()
        assert response.status == 200, state
        found: dict[str, Any] = next(
            event for event in state if (event["type"], event["state_key"]) == ("m.room.member", matrix_id)
        )
        return found


@pytest.fixture
def world(stack: Stack, backend: Backend) -> World:
    return World(stack, backend)


async def whoami(client: Client) -> Reply:
    return await client.call("GET", "v3/account/whoami")


async def said(client: Client, room_id: str) -> list[str]:
    return [event["content"]["body"] for event in await client.messages(room_id) if "body" in event["content"]]


async def kill(stack: Stack) -> None:
    """Kill the bridge as a power cut would."""
    os.kill(stack.bridge.process.pid, signal.SIGKILL)
    await stack.bridge.process.wait()


# --- a suspended tenant ---------------------------------------------------------------------------------------------


async def test_people_of_a_suspended_tenant_alone_are_refused_and_find_everything_again(world: World) -> None:
    acme = await world.tenant("acme", rooms=[GENERAL, BOARD | {"members": [world.person("bob")]}], bob="owner")
    bob = await world.sign_in("bob")
    rooms = await bob.rooms()
    for room_id in (rooms["general"], rooms["board"]):
        await bob.say(room_id, "before")
    before = {room_id: await world.member_event(room_id, bob.matrix_id) for room_id in rooms.values()}
    since = (await bob.ok("GET", "v3/sync", timeout="0"))["next_batch"]
    waiting = asyncio.create_task(bob.call("GET", "v3/sync", timeout="25000", since=since))
    done, _ = await asyncio.wait({waiting}, timeout=1)
    assert not done, "it waits"

    began = time.monotonic()
    await world.set_status(acme, "suspended")
    assert await world.ended(bob, acme) < SECONDS
    synced = await waiting
    assert time.monotonic() - began < SECONDS
    assert "rooms" not in synced.body
    assert (await world.try_to_sign_in("bob")).status == 403

    await world.backend.settle(acme)
    await world.set_status(acme, "active")
    again = await world.sign_in("bob")
    assert await again.rooms() == rooms
    for room_id in (rooms["general"], rooms["board"]):
        assert await said(again, room_id) == ["before"]
        await again.say(room_id, "after")
    await world.backend.settle(acme)
    # not taken out and not joined anew: it is the same event
    after = {room_id: await world.member_event(room_id, bob.matrix_id) for room_id in rooms.values()}
    assert {room_id: event["event_id"] for room_id, event in after.items()} == {
        room_id: event["event_id"] for room_id, event in before.items()
    }
    # the old sessions stay ended
    assert (await whoami(bob)).status == 401
    assert (await world.try_session(bob, acme)).status == 401


async def test_people_of_several_tenants_are_taken_out_of_the_suspended_one_and_put_back(world: World) -> None:
    acme = await world.tenant("acme", ann="owner", bob="member")
    globex = await world.tenant("globex", ann="member", cyd="owner")
    ann = await world.sign_in("ann")
    bob = await world.sign_in("bob")
    acme_general = (await bob.rooms())["general"]
    await bob.say(acme_general, "before")
    held = set((await bob.ok("GET", "v3/joined_rooms"))["joined_rooms"])

    await world.set_status(acme, "suspended")
    left = await until(
        lambda: ann.ok("GET", "v3/joined_rooms"),
        lambda answer: held.isdisjoint(answer["joined_rooms"]),
        seconds=SECONDS,
    )
    assert left["joined_rooms"], "she is in the rooms of the other tenant still"
    # her sessions go on, and so does what she does elsewhere
    assert (await whoami(ann)).status == 200
    assert (await world.try_session(ann, globex)).status == 200
    assert (await world.try_session(ann, acme)).status in {403, 404}
    assert [tenant["tenant_id"] for tenant in (await world.sign_in("ann")).session["tenants"]] == [globex]
    assert await world.ended(bob, acme) < SECONDS

    await world.set_status(acme, "active")
    await world.backend.settle(acme)
    assert held <= set((await ann.ok("GET", "v3/joined_rooms"))["joined_rooms"])
    assert await said(ann, acme_general) == ["before"]


async def test_when_the_last_of_several_tenants_is_suspended_people_are_refused(world: World) -> None:
    tenants = [await world.tenant(name, ann="owner") for name in ("acme", "globex")]
    ann = await world.sign_in("ann")
    await asyncio.gather(*(world.set_status(tenant_id, "suspended") for tenant_id in tenants))
    assert await world.ended(ann, tenants[0]) < SECONDS
    assert (await world.try_to_sign_in("ann")).status == 403
    await world.set_status(tenants[1], "active")
    again = await world.sign_in("ann")
    assert [tenant["tenant_id"] for tenant in again.session["tenants"]] == [tenants[1]]


async def test_whoever_gets_another_tenant_is_out_of_the_suspended_one_before_the_account_works(world: World) -> None:
    acme = await world.tenant("acme", bob="owner", ann="member")
    globex = await world.tenant("globex", cyd="owner")
    bob = await world.sign_in("bob")
    held = set((await bob.ok("GET", "v3/joined_rooms"))["joined_rooms"])
    await world.set_status(acme, "suspended")
    assert await world.ended(bob, acme) < SECONDS
    await world.backend.settle(acme)
    await world.add(globex, "bob")
    again = await until(lambda: world.try_to_sign_in("bob"), lambda reply: reply.status == 200)
    client = Client(http=world.backend.http, session=again.body)
    assert held.isdisjoint((await client.ok("GET", "v3/joined_rooms"))["joined_rooms"])
    await world.backend.settle(globex)
    assert "general" in await client.rooms()


async def test_an_archived_tenant_has_nobody_and_gives_everything_back(world: World) -> None:
    acme = await world.tenant("acme", bob="owner")
    bob = await world.sign_in("bob")
    rooms = await bob.rooms()
    await bob.say(rooms["general"], "kept")
    await world.set_status(acme, "archived")
    assert await world.ended(bob, acme) < SECONDS
    await world.backend.settle(acme)
    for room_id in rooms.values():
        assert (await world.member_event(room_id, bob.matrix_id))["content"]["membership"] == "leave"
    await world.set_status(acme, "active")
    await world.backend.settle(acme)
    again = await world.sign_in("bob")
    assert await again.rooms() == rooms
    assert await said(again, rooms["general"]) == ["kept"]


# --- people who go and come -----------------------------------------------------------------------------------------


async def test_whoever_is_removed_reads_nothing_that_is_sent_afterwards_though_another_tenant_keeps_them(
    world: World,
) -> None:
    acme = await world.tenant("acme", ann="owner", bob="member")
    globex = await world.tenant("globex", bob="owner")
    ann, bob = await world.sign_in("ann"), await world.sign_in("bob")
    general = (await ann.rooms())["general"]
    old = await bob.say(general, "old")

    await world.remove(acme, "bob")
    assert await world.ended(bob, acme) < SECONDS
    await world.backend.settle(acme)
    new = await ann.say(general, "new")
    again = await world.sign_in("bob")
    assert [tenant["tenant_id"] for tenant in again.session["tenants"]] == [globex]
    assert general not in (await again.ok("GET", "v3/joined_rooms"))["joined_rooms"]
    room = f"v3/rooms/{quote(general)}"
    assert (await again.call("GET", f"{room}/event/{quote(new)}")).status == 404
    assert (await again.call("GET", f"{room}/messages", dir="b")).status == 403
    assert (await again.call("POST", f"{room}/join", {})).status == 403
    assert (await again.call("GET", f"{room}/event/{quote(old)}")).status == 200  # of their own membership
    synced = await again.ok("GET", "v3/sync", timeout="0", full_state="true")
    assert "new" not in str(synced)
    # ann was not disturbed
    assert (await whoami(ann)).status == 200


async def test_whoever_is_removed_from_their_only_tenant_is_refused_and_comes_back_with_the_new_role(
    world: World,
) -> None:
    acme = await world.tenant("acme", ann="owner", bob="member")
    bob = await world.sign_in("bob")
    general = (await bob.rooms())["general"]
    await world.remove(acme, "bob")
    assert await world.ended(bob, acme) < SECONDS
    assert (await world.try_to_sign_in("bob")).status == 403
    ann = await world.sign_in("ann")
    await ann.say(general, "meanwhile")

    await world.add(acme, "bob", "moderator")
    await world.backend.settle(acme)
    again = await world.sign_in("bob")
    assert (await again.rooms())["general"] == general
    assert "meanwhile" in await said(again, general)  # a room of the whole tenant shows its history
    levels = await again.ok("GET", f"v3/rooms/{quote(general)}/state/m.room.power_levels/")
    assert levels["users"][again.matrix_id] == 50
    assert again.matrix_id == bob.matrix_id


async def test_a_deactivated_person_is_out_of_every_tenant_and_back_in_all_of_them(world: World) -> None:
    acme = await world.tenant("acme", ann="owner", bob="member")
    globex = await world.tenant("globex", bob="owner", cyd="member")
    bob = await world.sign_in("bob")
    held = (await bob.ok("GET", "v3/joined_rooms"))["joined_rooms"]
    assert len(held) == 4
    await world.set_person("bob", "suspended")
    assert await world.ended(bob, acme) < SECONDS
    assert (await world.try_to_sign_in("bob")).status == 403

    async def memberships() -> set[str]:
        return {(await world.member_event(room, bob.matrix_id))["content"]["membership"] for room in held}

    await until(memberships, lambda found: found == {"leave"})
    await world.set_person("bob", "active")
    again = await until(lambda: world.try_to_sign_in("bob"), lambda reply: reply.status == 200)
    assert {tenant["tenant_id"] for tenant in again.body["tenants"]} == {acme, globex}
    await until(memberships, lambda found: found == {"join"})


async def test_a_whole_list_ends_the_sessions_of_all_whom_it_leaves_out(world: World) -> None:
    names = [f"p{number}" for number in range(8)]
    acme = await world.tenant("acme", ann="owner", **dict.fromkeys(names, "member"))
    clients = [await world.sign_in(name) for name in names]
    members = [{"user_id": world.person("ann"), "role": "owner", "display_name": "Ann"}]
    path = f"/v1/tenants/{acme}/members"
    refused = await world.backend.call("PUT", path, {"members": members})
    assert refused.status == 409
    assert [(await whoami(client)).status for client in clients] == [200] * len(clients)
    confirmed = await world.backend.call(
        "PUT", f"{path}?confirm_plan={refused.body['plan']['hash']}", {"members": members}
    )
    assert confirmed.status < 300, confirmed.raw
    took = await asyncio.gather(*(world.ended(client, acme) for client in clients))
    assert max(took) < SECONDS


# --- when things fail -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["suspend the tenant", "remove the person", "deactivate the person"])
async def test_sessions_end_though_the_bridge_is_killed_right_after_the_act(
    world: World, stack: Stack, act: str
) -> None:
    acme = await world.tenant("acme", ann="owner", bob="member")
    bob = await world.sign_in("bob")
    await (
        world.set_status(acme, "suspended")
        if act == "suspend the tenant"
        else world.remove(acme, "bob")
        if act == "remove the person"
        else world.set_person("bob", "suspended")
    )
    await kill(stack)
    await stack.bridge.start()
    assert await world.ended(bob, acme) < SECONDS


async def test_sessions_end_when_synapse_is_back(world: World, stack: Stack) -> None:
    acme = await world.tenant("acme", ann="owner", bob="member", cyd="member")
    bob, cyd = await world.sign_in("bob"), await world.sign_in("cyd")
    await stack.synapse.stop()
    try:
        await world.remove(acme, "bob")
        await world.set_status(acme, "suspended")
        # ours are refused while nobody can ask Synapse
        assert (await world.try_session(bob, acme)).status == 401
        assert (await world.try_session(cyd, acme)).status == 401
    finally:
        await stack.synapse.start()
    for client in (bob, cyd):
        assert await world.ended(client, acme) < SECONDS


async def test_sessions_end_in_time_while_a_large_reconcile_of_the_tenant_runs(world: World) -> None:
    acme = await world.tenant("acme", ann="owner", bob="member")
    bob = await world.sign_in("bob")
    rooms = [GENERAL, *({"key": f"room{n}", "type": "custom", "name": f"Room {n}"} for n in range(25))]
    change = await world.backend.ok("PUT", f"/v1/tenants/{acme}", {"name": "Large", "rooms": rooms})
    job = f"/v1/jobs/{change['job_id']}"
    await until(lambda: world.backend.ok("GET", job), lambda found: found["done"] > 2)
    await world.remove(acme, "bob")
    assert await world.ended(bob, acme) < SECONDS
    assert (await world.backend.ok("GET", job))["state"] == "running"


# --- erasure --------------------------------------------------------------------------------------------------------


async def places_with(stack: Stack, word: str) -> list[str]:
    """Return the columns of the bridge's database in which a word stands, in whatever row."""
    connection = await asyncpg.connect(stack.postgres_dsn)
    try:
        columns = await connection.fetch(
            "SELECT table_name, column_name FROM information_schema.columns JOIN information_schema.tables"
            " USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        )
        return [
            f"{table}.{column}"
            for table, column in columns
            if await connection.fetchval(
                f'SELECT EXISTS (SELECT FROM "{table}" WHERE "{column}"::text LIKE $1)',  # noqa: S608 - from the catalogue
                f"%{word}%",
            )
        ]
    finally:
        await connection.close()


async def broken_chains(stack: Stack) -> list[tuple[str, int]]:
    """Return the audit rows whose hash is not that of the row before and of what they say."""
    connection = await asyncpg.connect(stack.postgres_dsn)
    try:
        rows = await connection.fetch("SELECT * FROM audit_log ORDER BY tenant_id, seq")
    finally:
        await connection.close()
    before: dict[str, bytes] = {}
    broken = []
    for row in rows:
        digest = hashlib.sha256(row["previous_hash"] + row["entry"].encode()).digest()
        if (row["previous_hash"], row["hash"]) != (before.get(row["tenant_id"], GENESIS), digest):
            broken.append((row["tenant_id"], row["seq"]))
        before[row["tenant_id"]] = row["hash"]
    return broken


@pytest.mark.parametrize("is_killed", [False, True], ids=["undisturbed", "killed in the middle"])
async def test_an_erased_person_is_nowhere_any_more_and_the_receipt_says_what_was_done(
    world: World, stack: Stack, *, is_killed: bool
) -> None:
    name, secret = f"Zebulon {uuid.uuid4().hex}", f"secret {uuid.uuid4().hex}"
    acme = await world.tenant("acme", ann="owner")
    globex = await world.tenant("globex", cyd="owner")
    path = f"/v1/users/{world.person('bob')}"
    for tenant_id in (acme, globex):
        member = {"role": "member", "display_name": name}
        await world.backend.ok("PUT", f"/v1/tenants/{tenant_id}/members/{world.person('bob')}", member)
        await world.backend.settle(tenant_id)
    ann, bob = await world.sign_in("ann"), await world.sign_in("bob")
    general = (await ann.rooms())["general"]
    said_by_bob = [await bob.say(general, f"{secret} {number}") for number in range(12)]
    said_by_ann = await ann.say(general, "ann says this")
    await until(lambda: places_with(stack, secret), lambda found: "chat_messages.content" in found)
    assert "audit_personal.value" in await places_with(stack, name)

    receipt = await world.backend.call("DELETE", path)
    assert receipt.status == 202
    assert await world.ended(bob, acme) < SECONDS
    assert (await world.try_to_sign_in("bob")).status == 403
    assert (await world.backend.call("PUT", path, {"status": "active"})).status == 409 or (
        await world.backend.call("GET", path)
    ).status == 404
    if is_killed:
        await kill(stack)
        await stack.bridge.start()
    done = await until(lambda: world.backend.ok("DELETE", path), lambda answer: answer["state"] == "done", seconds=60)
    assert done["receipt_id"] == receipt.body["receipt_id"]
    assert done["erased"]["messages"] == len(said_by_bob)
    assert done["erased"]["redacted"] >= len(said_by_bob)
    assert done["erased"]["accounts"] == 1
    assert (await world.backend.call("GET", path)).status == 404

    # in Matrix: what he said is empty, what others said is not, and he is in no room and has no name
    events = {event["event_id"]: event for event in await ann.messages(general)}
    assert [events[event_id]["content"] for event_id in said_by_bob] == [{}] * len(said_by_bob)
    assert events[said_by_ann]["content"]["body"] == "ann says this"
    assert secret not in str(events)
    await until(
        lambda: world.member_event(general, bob.matrix_id), lambda event: event["content"]["membership"] == "leave"
    )
    state = await ann.ok("GET", f"v3/rooms/{quote(general)}/members")
    assert name not in str(state), [event for event in state["chunk"] if name in str(event)]
    assert name not in str(await ann.messages(general))
    profile = await ann.call("GET", f"v3/profile/{bob.matrix_id}")
    assert profile.status in {403, 404} or profile.body == {}
    # in our tables: not a word, and the audit chain holds
    await until(lambda: places_with(stack, secret), lambda found: found == [])
    await until(lambda: places_with(stack, name), lambda found: found == [])
    assert await broken_chains(stack) == []
