"""Alliances on a real stack: two tenants, one room, and what each side can and cannot do to the other.

The stack is this file's own, because the bridge is killed in it and Synapse stopped.
"""

import asyncio
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import asyncpg
import nio
import pytest

from bridge.demo.ports import Ports
from bridge.demo.stack import Stack, running_stack
from tests.support.backend import Backend, Client, Reply, member_id
from tests.support.own_stack import backend_of, hanging
from tests.support.waiting import until

SECONDS = 10.0


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    folder = tmp_path_factory.mktemp("alliances")
    async with running_stack(folder, ports=Ports.free(), with_model=False) as running:
        yield running


@pytest.fixture(scope="module")
async def backend(stack: Stack) -> AsyncIterator[Backend]:
    async with backend_of(stack) as found:
        yield found


@dataclass(slots=True, kw_only=True)
class Pact:
    """Two tenants with an alliance: Ann and Bob of the owner, Gus and Hal of the partner; Oda and Ivy are left out."""

    backend: Backend
    owner: str
    partner: str
    alliance_id: str

    @property
    def path(self) -> str:
        return f"/v1/alliances/{self.alliance_id}"

    def person(self, name: str) -> str:
        return member_id(self.owner if name in {"ann", "bob", "oda"} else self.partner, name)

    def body(self, **members: list[str]) -> dict[str, Any]:
        chosen = {getattr(self, side): [self.person(name) for name in names] for side, names in members.items()}
        ids = {"owner_tenant_id": self.owner, "partner_tenant_id": self.partner, "name": f"Pact {self.alliance_id}"}
        return {**ids, "members": chosen}

    async def say(self, verb: str, tenant_id: str, **how: Any) -> Reply:
        return await self.backend.call("POST", f"{self.path}/{verb}", {"tenant_id": tenant_id}, **how)

    async def in_force(self, verb: str, tenant_id: str) -> dict[str, Any]:
        """Say something until it is in force: on a busy machine that may take more than one request."""
        reply = await until(
            lambda: self.say(verb, tenant_id),
            lambda found: found.status != 202,
            seconds=60,
        )
        assert (reply.status, reply.body["in_force"]) == (200, True), reply.raw
        found: dict[str, Any] = reply.body
        return found

    async def sign_in(self, *names: str) -> list[Client]:
        return [await self.backend.sign_in(self.person(name)) for name in names]

    async def joined(self, room_id: str) -> set[str]:
        """Return who is in the room, as our creator sees it."""
        url = f"{self.backend.stack['synapse_url']}/_matrix/client/v3/rooms/{quote(room_id)}/joined_members"
        async with self.backend.http.get(url, headers=self.backend.stack["as_headers"]) as response:
            found = await response.json()
        people = {who: name for who, name in found["joined"].items() if who.startswith("@u_")}
        return {str(entry["display_name"]).lower() for entry in people.values()}

    async def events(self, tenant_id: str) -> list[str]:
        return await self.rows("SELECT type FROM tenant_events WHERE tenant_id = $1 ORDER BY event_row", tenant_id)

    async def audited(self, tenant_id: str) -> list[str]:
        question = (
            "SELECT entry::jsonb ->> 'action' FROM audit_log WHERE tenant_id = $1"
            " AND entry::jsonb ->> 'action' LIKE 'alliance.%' ORDER BY seq"
        )
        return await self.rows(question, tenant_id)

    async def rows(self, question: str, *values: object) -> list[Any]:
        connection = await asyncpg.connect(self.backend.stack["dsn"])
        try:
            return [row[0] for row in await connection.fetch(question, *values)]
        finally:
            await connection.close()


async def two_tenants(stack: Stack, backend: Backend) -> Pact:
    token = stack.config.appservice.as_token
    backend.stack = {
        **backend.stack,
        "synapse_url": stack.config.homeserver.address,
        "as_headers": {"Authorization": f"Bearer {token}"},
        "dsn": stack.postgres_dsn,
    }
    owner, partner = await asyncio.gather(
        backend.new_tenant(ann="owner", bob="member", oda="member"),
        backend.new_tenant(gus="owner", hal="member", ivy="member"),
    )
    return Pact(backend=backend, owner=owner, partner=partner, alliance_id=f"a{uuid.uuid4().hex[:10]}")


async def allied(stack: Stack, backend: Backend) -> tuple[Pact, str]:
    """Return two tenants in an active alliance, and its room."""
    pact = await two_tenants(stack, backend)
    await backend.ok("PUT", pact.path, pact.body(owner=["ann", "bob"], partner=["gus", "hal"]))
    room_id = (await pact.in_force("accept", pact.partner))["room_id"]
    assert await pact.joined(room_id) == {"ann", "bob", "gus", "hal"}
    return pact, room_id


async def contents(client: Client, room_id: str) -> list[dict[str, Any]]:
    events = await client.messages(room_id)
    return [event["content"] for event in events if event["type"] == "m.room.message"]


async def test_two_tenants_admins_make_a_room_together_and_both_write(stack: Stack, backend: Backend) -> None:
    pact = await two_tenants(stack, backend)
    ann, gus, oda = await pact.sign_in("ann", "gus", "oda")
    owners, partners = ann.session["session_token"], gus.session["session_token"]
    proposed = await backend.ok("PUT", pact.path, pact.body(owner=["ann", "bob"]), token=owners)
    assert (proposed["state"], proposed["room_id"], proposed["in_force"]) == ("proposed", None, True)
    too_early = await pact.say("suspend", pact.owner, token=owners)
    assert (too_early.status, too_early.body["errcode"]) == (409, "M_CONFLICT")
    assert (await pact.say("accept", pact.owner, token=owners)).status == 409
    chosen = {**pact.body(partner=["gus", "hal"]), "name": None}
    await backend.ok("PUT", pact.path, chosen, token=partners)
    accepted = await pact.say("accept", pact.partner, token=partners)
    assert (accepted.status in {200, 202}, accepted.body["state"]) == (True, "active")
    room_id = (await pact.in_force("accept", pact.partner))["room_id"]
    assert await pact.joined(room_id) == {"ann", "bob", "gus", "hal"}
    for client, body in ((ann, "from the owner"), (gus, "from the partner")):
        element = nio.AsyncClient(client.session["homeserver_url"], client.matrix_id)
        element.access_token, element.user_id = client.session["access_token"], client.matrix_id
        try:
            await element.sync(timeout=0)
            assert room_id in element.rooms
            sent = await element.room_send(room_id, "m.room.message", {"msgtype": "m.text", "body": body})
            assert isinstance(sent, nio.RoomSendResponse), sent
        finally:
            await element.close()
    assert [found["body"] for found in await contents(ann, room_id)] == ["from the owner", "from the partner"]
    for token in (owners, partners, "platform"):
        shown = await backend.ok("GET", pact.path, token=token)
        assert (shown["state"], shown["room_id"]) == ("active", room_id)
        assert shown["members"] == {
            pact.owner: [pact.person("ann"), pact.person("bob")],
            pact.partner: [pact.person("gus"), pact.person("hal")],
        }
    for tenant_id, token in ((pact.owner, owners), (pact.partner, partners)):
        page = await backend.ok("GET", f"/v1/tenants/{tenant_id}/alliances", token=token)
        assert [item["alliance_id"] for item in page["items"]] == [pact.alliance_id]
        assert await pact.events(tenant_id) == ["alliance.proposed", "alliance.accepted"]
    assert (await backend.call("GET", pact.path, token=oda.session["session_token"])).status == 404
    # a change of one side's people, by that side alone
    await backend.ok("PUT", pact.path, {**chosen, **pact.body(partner=["gus", "ivy"])}, token=partners)
    await until(lambda: pact.joined(room_id), lambda seen: seen == {"ann", "bob", "gus", "ivy"}, seconds=SECONDS)
    for members in (pact.body(owner=["oda"]), pact.body(owner=["oda"], partner=["gus"])):
        refused = await backend.call("PUT", pact.path, members, token=partners)
        assert refused.status in {403, 404}, refused.raw
    found = await backend.ok(
        "GET", f"/v1/tenants/{pact.owner}/explain?user_id={pact.person('gus')}&room=alliance_{pact.alliance_id}"
    )
    assert {"alliance_active", "chosen_by_partner", "outsider_in_room"} <= {r["code"] for r in found["reasons"]}
    assert (found["belongs"], found["membership"], found["power_level"]["desired"]) == (True, "join", 0)


async def test_a_foreign_alliance_is_an_absent_one_to_everybody_else(stack: Stack, backend: Backend) -> None:
    pact, _ = await allied(stack, backend)
    third = await backend.new_tenant(eve="owner")
    eve, bob = await backend.sign_in(member_id(third, "eve")), (await pact.sign_in("bob"))[0]
    for client in (eve, bob):
        token = client.session["session_token"]
        answers = []
        for alliance_id in (pact.alliance_id, "absent"):
            path = f"/v1/alliances/{alliance_id}"
            replies = [await backend.call("GET", path, token=token)]
            sides = (third,) if client is eve else ()
            for verb in ("accept", "suspend", "resume", "revoke"):
                for side in (*sides, *((pact.owner, pact.partner) if client is eve else (pact.partner,))):
                    body = {"tenant_id": side}
                    replies.append(await backend.call("POST", f"{path}/{verb}", body, token=token))
            answers.append([(reply.status, reply.raw) for reply in replies])
        assert answers[0] == answers[1]
        assert {status for status, _ in answers[0]} == {404}
    body = {**pact.body(), "owner_tenant_id": third, "partner_tenant_id": pact.partner}
    taken = await backend.call("PUT", pact.path, body, token=eve.session["session_token"])
    assert (taken.status, taken.body["error"]) == (404, "there is no such alliance")
    # a proposal learns nothing of whether the other tenant is there
    outcomes = []
    for partner in (pact.partner, "nobody-there"):
        path = f"/v1/alliances/{uuid.uuid4().hex}"
        wish = {"owner_tenant_id": third, "partner_tenant_id": partner, "name": "Hello"}
        reply = await backend.call("PUT", path, wish, token=eve.session["session_token"])
        outcomes.append((reply.status, reply.body["state"], reply.body["in_force"]))
    assert outcomes[0] == outcomes[1] == (200, "proposed", True)


async def test_bad_input_is_named_by_its_field(stack: Stack, backend: Backend) -> None:
    pact = await two_tenants(stack, backend)
    body = pact.body(owner=["ann"])
    stranger = {**body, "members": {pact.owner: [pact.person("ann"), pact.person("gus")]}}
    for wish, status, path in (
        ({**body, "partner_tenant_id": pact.owner}, 400, "$.partner_tenant_id"),
        ({**body, "partner_tenant_id": "absent"}, 404, "$.partner_tenant_id"),
        ({**body, "members": {"other": []}}, 400, "$.members.other"),
        ({**body, "name": None}, 400, "$.name"),
        (stranger, 404, f"$.members.{pact.owner}[1]"),
        ({**body, "members": {pact.partner: ["absent"]}}, 404, f"$.members.{pact.partner}[0]"),
    ):
        reply = await backend.call("PUT", pact.path, wish)
        assert (reply.status, reply.body.get("path")) == (status, path), reply.raw
    assert (await backend.call("GET", pact.path)).status == 404, "nothing of it was stored"


async def test_nobody_has_power_over_the_other_side_and_the_room_names_no_space(stack: Stack, backend: Backend) -> None:
    pact, room_id = await allied(stack, backend)
    ann, gus = await pact.sign_in("ann", "gus")
    room = quote(room_id)
    state = {(e["type"], e["state_key"]): e["content"] for e in await gus.ok("GET", f"v3/rooms/{room}/state")}
    assert not {who for who in state["m.room.power_levels", ""]["users"] if who.startswith("@u_")}
    assert state["m.room.history_visibility", ""] == {"history_visibility": "joined"}
    assert not [kind for kind, _ in state if kind.startswith("m.space")]
    said = await gus.say(room_id, "mine")
    for method, path, body in (
        ("PUT", f"v3/rooms/{room}/redact/{quote(said)}/{uuid.uuid4().hex}", {}),
        ("POST", f"v3/rooms/{room}/kick", {"user_id": gus.matrix_id}),
        ("POST", f"v3/rooms/{room}/ban", {"user_id": gus.matrix_id}),
        ("POST", f"v3/rooms/{room}/invite", {"user_id": (await pact.sign_in("oda"))[0].matrix_id}),
        ("PUT", f"v3/rooms/{room}/state/m.room.pinned_events/", {"pinned": [said]}),
    ):
        assert (await ann.call(method, path, body)).status == 403, (method, path)
    # the space's id, which the marker has, opens nothing
    space = quote(state["com.bitnexus.room", ""]["space_id"])
    for path in ("state", "members", "messages?dir=b", "joined_members", "aliases", "state/m.room.name/"):
        assert (await gus.call("GET", f"v3/rooms/{space}/{path}")).status in {403, 404}
    for path in (f"v1/rooms/{space}/hierarchy", f"v1/room_summary/{space}"):
        assert (await gus.call("GET", path)).status in {403, 404}
    assert (await gus.call("POST", f"v3/join/{space}", {})).status == 403


async def test_a_message_carries_its_senders_tenant_whatever_its_sender_claims(stack: Stack, backend: Backend) -> None:
    pact, room_id = await allied(stack, backend)
    ann, gus = await pact.sign_in("ann", "gus")
    for client, own, other in ((ann, pact.owner, pact.partner), (gus, pact.partner, pact.owner)):
        for claimed in (other, "initech", {"x": 1}, None):
            content = {"msgtype": "m.text", "body": "x", "com.bitnexus.tenant_id": claimed}
            if claimed is None:
                del content["com.bitnexus.tenant_id"]
            txn = f"v3/rooms/{quote(room_id)}/send/m.room.message/{uuid.uuid4().hex}"
            sent = await client.ok("PUT", txn, content)
            assert (await client.ok("PUT", txn, content)) == sent, "the same transaction is the same event"
            edit = {
                **content,
                "m.new_content": {**content, "body": "y"},
                "m.relates_to": {"rel_type": "m.replace", "event_id": sent["event_id"]},
            }
            edited = await client.ok("PUT", f"{txn}e", edit)
            for event_id in (sent["event_id"], edited["event_id"]):
                event = await ann.ok("GET", f"v3/rooms/{quote(room_id)}/event/{quote(event_id)}")
                assert event["content"]["com.bitnexus.tenant_id"] == own
                assert event["content"].get("m.new_content", {}).get("com.bitnexus.tenant_id", own) == own
    question = "SELECT DISTINCT coalesce(metadata ->> 'sender_tenant_id', '?') FROM chat_messages WHERE room_id = $1"

    async def stored() -> list[str]:
        return sorted(await pact.rows(question, room_id))

    await until(stored, lambda seen: seen == sorted([pact.owner, pact.partner]))


async def test_suspended_by_either_side_it_rests_until_that_side_resumes_it(stack: Stack, backend: Backend) -> None:
    pact, room_id = await allied(stack, backend)
    ann, gus = await pact.sign_in("ann", "gus")
    for side, other in ((pact.owner, pact.partner), (pact.partner, pact.owner)):
        await pact.in_force("suspend", side)
        assert await pact.joined(room_id) == {"ann", "bob"}
        for client in (ann, gus):
            path = f"v3/rooms/{quote(room_id)}/send/m.room.message/{uuid.uuid4().hex}"
            assert (await client.call("PUT", path, {"msgtype": "m.text", "body": "no"})).status == 403
        assert (await pact.say("resume", other)).status == 409, "only who has suspended it resumes it"
        await pact.in_force("resume", side)
        assert await pact.joined(room_id) == {"ann", "bob", "gus", "hal"}
        for client in (ann, gus):
            await client.say(room_id, "again")
    assert await pact.events(pact.owner) == await pact.events(pact.partner)


async def last_position(pact: Pact, stack: Stack, room_id: str, senders: list[str]) -> int:
    connection = await asyncpg.connect(stack.postgres.dsn("synapse", "synapse"))
    try:
        found: int | None = await connection.fetchval(
            "SELECT max(stream_ordering) FROM events WHERE room_id = $1 AND sender = ANY($2)"
            " AND type <> 'm.room.member'",
            room_id,
            senders,
        )
        return found or 0
    finally:
        await connection.close()


async def shout(client: Client, room_id: str, stored: list[float], is_over: asyncio.Event) -> int:
    """Send as fast as Synapse takes it, until told to end; return how often that was refused."""
    refused = 0
    while not is_over.is_set():
        path = f"v3/rooms/{quote(room_id)}/send/m.room.message/{uuid.uuid4().hex}"
        reply = await client.call("PUT", path, {"msgtype": "m.text", "body": "x"})
        if reply.status == 200:
            stored.append(time.monotonic())
        refused += reply.status == 403
    return refused


@pytest.mark.timeout(300)
@pytest.mark.parametrize("verb", ["revoke", "suspend"])
@pytest.mark.parametrize("side", ["owner", "partner"])
async def test_no_message_of_the_revoked_side_after_the_acknowledgement(
    stack: Stack, backend: Backend, side: str, verb: str
) -> None:
    runs = int(os.environ.get("ALLIANCE_RUNS", "3"))
    for _ in range(runs):
        pact, room_id = await allied(stack, backend)
        clients = await pact.sign_in("gus", "hal")
        is_over = asyncio.Event()
        stored: list[float] = []

        shouting = [
            asyncio.create_task(shout(client, room_id, stored, is_over)) for client in clients for _ in range(3)
        ]
        await until(lambda said=stored: asyncio.sleep(0, len(said)), lambda count: count > 10)
        await pact.in_force(verb, getattr(pact, side))
        acknowledged = time.time()
        senders = [client.matrix_id for client in clients]
        position = await last_position(pact, stack, room_id, senders)
        count = len(stored)
        await asyncio.sleep(0.5)  # they go on all the while: what they try now must come to nothing
        is_over.set()
        refused = sum(await asyncio.gather(*shouting))
        assert refused > 0, "they were still at it"
        assert await last_position(pact, stack, room_id, senders) == position
        assert len(stored) <= count + len(shouting)
        connection = await asyncpg.connect(stack.postgres.dsn("synapse", "synapse"))
        try:
            latest = await connection.fetchval(
                "SELECT max(origin_server_ts) FROM events WHERE room_id = $1 AND sender = ANY($2)", room_id, senders
            )
        finally:
            await connection.close()
        assert latest <= acknowledged * 1000
        assert await pact.joined(room_id) == {"ann", "bob"}


async def test_what_has_ended_is_read_by_the_owners_people_and_never_comes_back(stack: Stack, backend: Backend) -> None:
    pact, room_id = await allied(stack, backend)
    ann, gus = await pact.sign_in("ann", "gus")
    await gus.say(room_id, "kept")
    ended = await pact.in_force("revoke", pact.partner)
    assert ended["state"] == "ended"
    assert [found["body"] for found in await contents(ann, room_id)] == ["kept"]
    assert (await gus.call("GET", f"v3/rooms/{quote(room_id)}/messages?dir=b")).status == 403
    assert (await gus.call("POST", f"v3/join/{quote(room_id)}", {})).status == 403
    assert (await pact.in_force("revoke", pact.partner))["revision"] == ended["revision"]
    for verb, side in (("resume", pact.owner), ("accept", pact.partner), ("suspend", pact.owner)):
        assert (await pact.say(verb, side)).status == 409
    again = await backend.call("PUT", pact.path, pact.body(owner=["ann"]))
    assert again.status == 409
    assert await pact.events(pact.owner) == ["alliance.proposed", "alliance.accepted", "alliance.ended"]
    assert await pact.events(pact.partner) == ["alliance.proposed", "alliance.accepted", "alliance.ended"]


async def test_who_leaves_the_partner_is_out_within_seconds_and_comes_back(stack: Stack, backend: Backend) -> None:
    pact, room_id = await allied(stack, backend)
    everybody = {"ann", "bob", "gus", "hal"}
    hal = f"/v1/tenants/{pact.partner}/members/{pact.person('hal')}"
    user = f"/v1/users/{pact.person('hal')}"
    tenant = f"/v1/tenants/{pact.partner}"
    for method, path, out, back, left in (
        ("DELETE", hal, None, {"role": "member"}, {"hal"}),
        ("PUT", user, {"status": "suspended"}, {"status": "active"}, {"hal"}),
        ("PUT", tenant, {"name": "T", "status": "suspended"}, {"name": "T", "status": "active"}, {"gus", "hal"}),
        ("PUT", tenant, {"name": "T", "status": "archived"}, {"name": "T", "status": "active"}, {"gus", "hal"}),
    ):
        await backend.ok(method, path, out)
        await until(lambda: pact.joined(room_id), lambda seen, left=left: seen == everybody - left, seconds=SECONDS)
        await backend.ok("PUT", path, back)
        await until(lambda: pact.joined(room_id), lambda seen: seen == everybody, seconds=SECONDS)
    await backend.ok("DELETE", user)

    async def erasure() -> str:
        return str((await backend.ok("DELETE", user))["state"])

    await until(erasure, lambda state: state == "done", seconds=60)
    assert await pact.joined(room_id) == everybody - {"hal"}
    chosen = (await backend.ok("GET", pact.path))["members"]
    assert chosen[pact.partner] == [pact.person("gus")]


async def test_a_tenant_that_is_removed_ends_its_alliances(stack: Stack, backend: Backend) -> None:
    pact, room_id = await allied(stack, backend)
    await backend.ok("DELETE", f"/v1/tenants/{pact.partner}?now=true&confirm={pact.partner}")
    await until(lambda: pact.joined(room_id), lambda seen: seen == {"ann", "bob"}, seconds=SECONDS)
    shown = await backend.ok("GET", pact.path)
    assert (shown["state"], shown["ended_by_tenant_id"]) == ("ended", pact.partner)
    await until(lambda: pact.events(pact.owner), lambda seen: seen[-1] == "alliance.ended", seconds=SECONDS)


async def test_while_synapse_is_away_a_revocation_is_stored_and_says_that_it_is_not_in_force(
    stack: Stack, backend: Backend
) -> None:
    pact, room_id = await allied(stack, backend)
    with hanging(stack.synapse.process.pid):
        reply = await pact.say("revoke", pact.owner)
        assert (reply.status, reply.body["state"], reply.body["in_force"]) == (202, "ended", False)
        assert reply.body["job_id"]
    await until(lambda: pact.joined(room_id), lambda seen: seen == {"ann", "bob"}, seconds=90)


async def test_killed_between_the_two_tenants_transactions_the_rest_is_done_at_the_next_start(
    stack: Stack, backend: Backend
) -> None:
    pact, room_id = await allied(stack, backend)
    blocker = await asyncpg.connect(stack.postgres_dsn)
    transaction = blocker.transaction()
    await transaction.start()
    try:
        # whoever wants the owner's tenant waits here: the partner's transaction is committed, the owner's is not begun
        await blocker.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 1))", pact.owner)
        asked = asyncio.create_task(pact.say("revoke", pact.partner))

        async def states() -> list[Any]:
            return await pact.rows("SELECT state FROM alliances WHERE alliance_id = $1", pact.alliance_id)

        await until(states, lambda seen: seen == ["ended"])
        os.kill(stack.bridge.process.pid, signal.SIGKILL)
        await stack.bridge.process.wait()
        await asyncio.gather(asked, return_exceptions=True)
    finally:
        await transaction.rollback()
        await blocker.close()
    assert await pact.events(pact.owner) == ["alliance.proposed", "alliance.accepted"], "the other side knows nothing"
    assert await pact.joined(room_id) == {"ann", "bob", "gus", "hal"}
    await stack.bridge.start()
    await until(lambda: pact.joined(room_id), lambda seen: seen == {"ann", "bob"}, seconds=60)
    await until(lambda: pact.events(pact.owner), lambda seen: seen[-1] == "alliance.ended")
    assert (await pact.audited(pact.owner)).count("alliance.ended") == 1
    assert (await pact.audited(pact.partner)).count("alliance.ended") == 1


READS = (
    "v3/rooms/{room}/state", "v3/rooms/{room}/members", "v3/rooms/{room}/joined_members",
    "v3/rooms/{room}/messages?dir=b", "v3/rooms/{room}/state/m.room.name/", "v3/rooms/{room}/aliases",
    "v1/rooms/{room}/hierarchy",
    "v1/rooms/{room}/threads", "v1/room_summary/{room}", "v3/rooms/{room}/initialSync",
)  # fmt: skip


async def everything(client: Client, pact: Pact, foreign: str, others: Client, rooms: list[str]) -> str:
    """Return all that a person gets from Synapse and from us when they ask about the other tenant of their alliance."""
    seen: list[bytes] = []
    for room_id in rooms:
        for path in READS:
            reply = await client.call("GET", path.replace("{room}", quote(room_id)))
            assert reply.status in {403, 404}, (path, reply.raw)
            seen.append(reply.raw)
    for term in ("canary", "Tenant", "Gen", "@u_", others.matrix_id, *foreign.split("-")):
        reply = await client.call("POST", "v3/user_directory/search", {"search_term": term, "limit": 100})
        seen.append(reply.raw)
    matrix = (
        "v3/sync?timeout=0&full_state=true", "v3/publicRooms", "v3/joined_rooms",
        f"v3/profile/{quote(others.matrix_id)}", f"v3/presence/{quote(others.matrix_id)}/status",
    )  # fmt: skip
    ours = (
        f"/v1/tenants/{foreign}", f"/v1/tenants/{foreign}/members", f"/v1/tenants/{foreign}/plan",
        f"/v1/tenants/{foreign}/alliances", f"/v1/tenants/{foreign}/explain?user_id=x&room=general", pact.path,
        f"/v1/tenants/{foreign}/explain?user_id=x&room=alliance_{pact.alliance_id}",
    )  # fmt: skip
    token = client.session["session_token"]
    seen += [(await client.call("GET", path)).raw for path in matrix]
    seen += [(await pact.backend.call("GET", path, token=token)).raw for path in ours]
    return b"\n".join(seen).decode()


async def test_nothing_else_of_the_other_tenant_is_seen_from_either_side(stack: Stack, backend: Backend) -> None:
    """Every field of both tenants has a canary of its own; each side's is looked for in all that the other can ask."""
    pact, room_id = await allied(stack, backend)
    marks = {side: f"canary{uuid.uuid4().hex}" for side in (pact.owner, pact.partner)}
    picture = "mxc://bitnexus.localhost/{}"
    for side, mark in marks.items():
        avatar = picture.format(mark)
        secret = {"key": "secret", "type": "custom", "name": mark, "topic": mark, "group": mark, "avatar_url": avatar}
        general = {"key": "general", "type": "general", "name": mark, "topic": mark, "avatar_url": avatar}
        body = {"name": mark, "avatar_url": avatar, "rooms": [general, secret]}
        await backend.ok("PUT", f"/v1/tenants/{side}", body)
        alone = pact.person("oda" if side == pact.owner else "ivy")
        await backend.ok("PUT", f"/v1/users/{alone}", {"display_name": mark, "avatar_url": avatar})
        await backend.settle(side)
    names = ("ann", "oda", "gus", "ivy")
    ann, oda, gus, ivy = await pact.sign_in(*names)
    for client, side in ((oda, pact.owner), (ivy, pact.partner)):
        await client.say((await client.rooms())["general"], marks[side])
    for client, foreign, others in ((ann, pact.partner, ivy), (gus, pact.owner, oda), (oda, pact.partner, ivy)):
        seen = await everything(client, pact, foreign, others, list((await others.rooms()).values()))
        assert marks[foreign] not in seen
        assert others.matrix_id not in seen
        if client is oda:
            assert room_id not in seen, "who is not chosen does not even see the alliance"
    # the search is not blind: a colleague finds what the other side must not
    own = (await oda.call("GET", "v3/sync", timeout="0", full_state="true")).raw.decode()
    assert marks[pact.owner] in own
    found = await ann.ok("POST", "v3/user_directory/search", {"search_term": marks[pact.owner]})
    assert [entry["user_id"] for entry in found["results"]] == [oda.matrix_id]
    # and once it is over, those who met see nothing of each other any more
    assert (await ann.call("GET", f"v3/profile/{quote(gus.matrix_id)}")).status == 200
    await pact.in_force("revoke", pact.owner)
    for client, other in ((ann, gus), (gus, ann)):
        assert (await client.call("GET", f"v3/profile/{quote(other.matrix_id)}")).status == 403
        assert (await client.call("GET", f"v3/presence/{quote(other.matrix_id)}/status")).status in {403, 404}

        async def results(client: Client = client, other: Client = other) -> list[Any]:
            found = await client.ok("POST", "v3/user_directory/search", {"search_term": other.matrix_id})
            return list(found["results"])

        await until(results, lambda seen: seen == [], seconds=SECONDS)
