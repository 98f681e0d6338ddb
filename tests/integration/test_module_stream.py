"""What the module hands out at /_bitnexus/module, on a real Synapse with SQLite and with PostgreSQL."""

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from stand_in_bridge import Json, allow
from synapse_harness import CREATOR, KEEPER, SERVER_NAME, Actor, Answer, Homeserver, Tenant, run_homeserver

from bridge.demo.credentials import Credentials
from bridge.demo.ports import Ports
from bridge.demo.postgres import Postgres
from bridge.demo.postgres_place import remove_place
from bridge.demo.roster import Roster
from bridge.errors import DependencyDown, HomeserverRefused
from bridge.matrix.events import parse_transaction
from bridge.matrix.stream import SynapseStream
from bridge.model.event import MatrixEvent
from bridge.model.stream import StreamName
from tests.support.waiting import until

POSITION = "com.bitnexus.stream_position"
OTHER = f"@bitnexus_other:{SERVER_NAME}"
RIGHT = object()


@dataclass
class Module:
    """The module's own side of a Synapse, asked with its secret unless another header is given."""

    homeserver: Homeserver

    async def ask(self, path: str, authorization: object = RIGHT, *, method: str = "GET", **query: object) -> Answer:
        homeserver = self.homeserver
        value = f"Bearer {homeserver.bridge.secret}" if authorization is RIGHT else authorization
        headers = {} if value is None else {"Authorization": str(value)}
        params = {name: str(value) for name, value in query.items()}
        url = f"{homeserver.url}/_bitnexus/module{path}"
        async with homeserver.session.request(method, url, params=params, headers=headers) as response:
            text = await response.text()
            return Answer(response.status, json.loads(text) if text.startswith("{") else text)

    async def page(self, stream: str, after: int, **query: object) -> Json:
        answer = await self.ask(f"/{stream}", after=after, **query)
        assert answer.status == 200, answer
        return dict(answer.body)

    async def ends(self) -> Json:
        answer = await self.ask("/stream")
        assert answer.status == 200, answer
        return dict(answer.body)

    async def all(self, stream: str, after: int, *, limit: int = 1000) -> list[Json]:
        """Read to the end, page by page."""
        found: list[Json] = []
        while True:
            page = await self.page(stream, after, limit=limit)
            assert len(page[stream]) <= limit
            found += page[stream]
            if page["position"] >= page["end"]:
                return found
            assert page["position"] > after
            after = page["position"]

    def sent(self, since: int) -> list[Json]:
        """The events that Synapse has sent to the bridge, those above a position, in order."""
        events = [event for transaction in self.homeserver.bridge.transactions for event in transaction["events"]]
        above = [event for event in events if event["unsigned"][POSITION] > since]
        return sorted(above, key=lambda event: int(event["unsigned"][POSITION]))


@asynccontextmanager
async def postgresql(folder: Path) -> AsyncIterator[Json]:
    """Run a PostgreSQL and give Synapse's setting for it."""
    credentials, port = Credentials(), Ports.free().postgres
    passwords, roster = credentials.postgres_passwords(), Roster(folder / "processes.json")
    server = Postgres(directory=folder, log=folder / "postgres.log", port=port, passwords=passwords, roster=roster)
    names = {"user": "synapse", "password": credentials.synapse, "dbname": "synapse"}
    try:
        await server.start()
        yield {"name": "psycopg2", "args": names | {"host": "127.0.0.1", "port": port}}
    finally:
        await server.stop()
        remove_place(folder)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def module(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Module]:
    folder = tmp_path_factory.mktemp(f"stream_{request.param}")
    if request.param == "sqlite":
        async with run_homeserver(folder, allow) as homeserver:
            yield Module(homeserver)
        return
    (folder / "database").mkdir(mode=0o711)  # PostgreSQL may have to pass as another user
    async with postgresql(folder / "database") as database, run_homeserver(folder, allow, database=database) as running:
        yield Module(running)


@pytest.fixture
async def tenant(module: Module, request: pytest.FixtureRequest) -> Tenant:
    return await Tenant.create(module.homeserver, f"t{secrets.token_hex(4)}")


async def person(tenant: Tenant, name: str) -> Actor:
    return await tenant.admit(await tenant.homeserver.register(f"u_{name}_{tenant.tenant_id}"))


def without_age(event: Json) -> Json:
    """An event without what depends on when it was asked for."""
    unsigned = {name: value for name, value in event["unsigned"].items() if name != "age"}
    return {name: value for name, value in event.items() if name != "age"} | {"unsigned": unsigned}


def bodies(events: list[Json], room_id: str) -> list[str]:
    return [event["content"]["body"] for event in events if event["room_id"] == room_id and "body" in event["content"]]


# --- events ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("room_version", ["12", "11"])
async def test_the_stream_has_what_an_application_service_gets_in_the_same_form(
    module: Module, room_version: str
) -> None:
    """Creation, state, invitations, joins, messages, threads, edits, a ban: each as Synapse sent it."""
    start = (await module.ends())["events"]
    tenant = await Tenant.create(module.homeserver, f"f{secrets.token_hex(4)}", room_version=room_version)
    ann, bob = await person(tenant, "ann"), await person(tenant, "bob")
    event_id = await ann.say(tenant.room_id, "one")
    for relation in ({"rel_type": "m.thread", "event_id": event_id}, {"m.in_reply_to": {"event_id": event_id}}):
        content = {"msgtype": "m.text", "body": "two", "m.relates_to": relation}
        path = f"/rooms/{tenant.room_id}/send/m.room.message/{secrets.token_hex(4)}"
        await ann.do("PUT", path, content)
    renamed = {"membership": "join", "displayname": "Ann"}
    await ann.do("PUT", f"/rooms/{tenant.room_id}/state/m.room.member/{ann.user_id}", renamed)
    body = {"user_id": bob.user_id, "reason": "noise"}
    await module.homeserver.creator.do("POST", f"/rooms/{tenant.room_id}/ban", body)
    last = await ann.say(tenant.room_id, "last")

    async def sent() -> list[Json]:
        return module.sent(start)

    wanted = await until(sent, lambda events: bool(events) and events[-1]["event_id"] == last)
    given = await module.all("events", start)
    assert len(given) > 20
    assert [without_age(event) for event in given] == [without_age(event) for event in wanted]


@pytest.mark.parametrize("limit", [1, 2, 7, 1000])
async def test_pages_join_to_the_whole_stream(module: Module, tenant: Tenant, limit: int) -> None:
    start = (await module.ends())["events"]
    ann = await person(tenant, "ann")
    for number in range(6):
        await ann.say(tenant.room_id, f"m{number}")
    given = await module.all("events", start, limit=limit)
    positions = [event["unsigned"][POSITION] for event in given]
    assert positions == sorted(set(positions))
    assert positions[0] > start
    assert positions[-1] == (await module.ends())["events"]
    assert bodies(given, tenant.room_id) == [f"m{number}" for number in range(6)]


async def test_until_ends_the_stream_there(module: Module, tenant: Tenant) -> None:
    start = (await module.ends())["events"]
    await module.homeserver.creator.say(tenant.room_id, "inside")
    middle = (await module.ends())["events"]
    await module.homeserver.creator.say(tenant.room_id, "beyond")
    page = await module.page("events", start, until=middle)
    assert bodies(page["events"], tenant.room_id) == ["inside"]
    assert (page["position"], page["end"]) == (middle, (await module.ends())["events"])
    assert page["end"] > middle
    nothing = await module.page("events", middle, until=start)
    assert (nothing["events"], nothing["position"]) == ([], middle)


async def test_a_direct_chat_that_both_bots_have_left_is_there(module: Module, tenant: Tenant) -> None:
    ann, bob = await person(tenant, "ann"), await person(tenant, "bob")
    marker = {"tenant_id": tenant.tenant_id, "key": "dm", "type": "dm", "space_id": tenant.space_id}
    body = {
        "room_version": "12",
        "preset": "private_chat",
        "invite": [KEEPER, ann.user_id, bob.user_id],
        "creation_content": {"additional_creators": [KEEPER]},
        "initial_state": [{"type": "com.bitnexus.room", "state_key": "", "content": marker}],
    }
    creator, keeper = module.homeserver.creator, module.homeserver.masquerade(KEEPER)
    room_id = (await creator.do("POST", "/createRoom", body))["room_id"]
    for actor in (keeper, ann, bob):
        await actor.do("POST", f"/join/{room_id}", {})
    for bot in (keeper, creator):
        await bot.do("POST", f"/rooms/{room_id}/leave", {})
    start = (await module.ends())["events"]
    await ann.say(room_id, "between us")
    assert "between us" not in str(await creator.do("GET", f"/rooms/{room_id}/messages?dir=b"))
    assert bodies(await module.all("events", start), room_id) == ["between us"]


async def test_what_ignored_people_say_is_there(module: Module, tenant: Tenant) -> None:
    """Masqueraded as the one who ignores, /messages hides it: so it proves nothing about what is missing."""
    ann, bob = await person(tenant, "ann"), await person(tenant, "bob")
    ignored = {"ignored_users": {ann.user_id: {}}}
    await bob.do("PUT", f"/user/{bob.user_id}/account_data/m.ignored_user_list", ignored)
    start = (await module.ends())["events"]
    await ann.say(tenant.room_id, "can you hear me")
    seen = await module.homeserver.masquerade(bob.user_id).do("GET", f"/rooms/{tenant.room_id}/messages?dir=b")
    assert "can you hear me" not in str(seen)
    assert bodies(await module.all("events", start), tenant.room_id) == ["can you hear me"]


async def test_what_was_redacted_comes_redacted(module: Module, tenant: Tenant) -> None:
    ann = await person(tenant, "ann")
    start = (await module.ends())["events"]
    event_id = await ann.say(tenant.room_id, "secret words")
    assert bodies(await module.all("events", start), tenant.room_id) == ["secret words"]
    redaction = (await ann.do("PUT", f"/rooms/{tenant.room_id}/redact/{quote(event_id)}/t1", {}))["event_id"]
    given = await module.all("events", start)
    assert [event["event_id"] for event in given] == [event_id, redaction]
    assert given[0]["content"] == {}
    assert given[0]["unsigned"]["redacted_because"]["event_id"] == redaction
    assert given[0]["unsigned"][POSITION] == start + 1
    assert "secret words" not in str(given)


async def test_rooms_that_are_not_ours_are_absent_and_the_position_passes_them(module: Module, tenant: Tenant) -> None:
    """A room of an account that was a creator once, and is none of the module's settings any more."""
    homeserver = module.homeserver
    await homeserver.register("bitnexus_other")
    other = homeserver.masquerade(OTHER)
    await set_creators(homeserver, [CREATOR, KEEPER, OTHER])
    start = await module.ends()
    foreign = (await other.do("POST", "/createRoom", {"preset": "private_chat"}))["room_id"]
    event_id = await other.say(foreign, "ours as yet")
    await other.do("POST", f"/rooms/{foreign}/receipt/m.read/{quote(event_id)}", {})
    assert bodies(await module.all("events", start["events"]), foreign) == ["ours as yet"]
    assert len(await module.all("receipts", start["receipts"])) == 1
    await set_creators(homeserver, [CREATOR, KEEPER])
    for stream in ("events", "receipts"):
        page = await module.page(stream, start[stream], limit=1)
        assert (page[stream], page["position"]) == ([], page["end"])
        assert page["end"] > start[stream]
    assert not any(event["room_id"] == foreign for event in await module.all("events", 0))
    await homeserver.creator.say(tenant.room_id, "ours")
    assert bodies(await module.all("events", start["events"]), tenant.room_id) == ["ours"]


async def set_creators(homeserver: Homeserver, creators: list[str]) -> None:
    path = homeserver.folder / "homeserver.yaml"
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings["modules"][0]["config"]["creators"] = creators
    path.write_text(json.dumps(settings), encoding="utf-8")
    await homeserver.process.stop()
    await homeserver.process.start()


# --- receipts -------------------------------------------------------------------------------------------------------


async def test_receipts_of_both_kinds_are_there(module: Module, tenant: Tenant) -> None:
    ann, bob = await person(tenant, "ann"), await person(tenant, "bob")
    start = (await module.ends())["receipts"]
    event_id = await ann.say(tenant.room_id, "read me")
    for actor, kind in ((bob, "m.read"), (ann, "m.read.private"), (ann, "m.fully_read")):
        await actor.do("POST", f"/rooms/{tenant.room_id}/receipt/{kind}/{quote(event_id)}", {})
    given = await module.all("receipts", start)
    assert await module.all("receipts", start, limit=1) == given
    assert [(one["user_id"], one["receipt_type"]) for one in given] == [
        (bob.user_id, "m.read"),
        (ann.user_id, "m.read.private"),
    ]
    assert {(one["room_id"], one["event_id"]) for one in given} == {(tenant.room_id, event_id)}


async def test_the_bridge_knows_a_receipt_by_the_same_id_whichever_way_it_came(module: Module, tenant: Tenant) -> None:
    ann = await person(tenant, "ann")

    async def ids_by_both_ways() -> tuple[set[str], set[str]]:
        start = (await module.ends())["receipts"]
        event_id = await ann.say(tenant.room_id, "read me")
        for kind in ("m.read", "m.read.private"):
            await ann.do("POST", f"/rooms/{tenant.room_id}/receipt/{kind}/{quote(event_id)}", {})
        page = await stream_of(module).read("receipts", after=start, until=None, limit=10)
        await asyncio.sleep(0.5)
        sent = [json.dumps(transaction).encode() for transaction in module.homeserver.bridge.transactions]
        return {item_id for item_id, _ in page.items}, {i for body in sent for i, _ in parse_transaction(body).items}

    # again and again: after a restart Synapse takes us for away at first, and then it drops receipts
    ids, _ = await until(ids_by_both_ways, lambda ways: ways[0] <= ways[1])
    assert len(ids) == 2


async def test_of_a_persons_receipts_the_latest_is_there(module: Module, tenant: Tenant) -> None:
    ann = await person(tenant, "ann")
    start = (await module.ends())["receipts"]
    for text in ("one", "two"):
        event_id = await module.homeserver.creator.say(tenant.room_id, text)
        await ann.do("POST", f"/rooms/{tenant.room_id}/receipt/m.read/{quote(event_id)}", {})
        middle = (await module.ends())["receipts"]
    assert [one["event_id"] for one in await module.all("receipts", start)] == [event_id]
    assert (await module.page("receipts", start, until=middle - 1))["receipts"] == []


# --- who may ask, and how -------------------------------------------------------------------------------------------

PATHS = ["/stream", "/events", "/receipts", "", "/", "/nothing", "/events/more"]


@pytest.mark.parametrize("path", PATHS)
async def test_without_the_secret_there_is_nothing_to_see(module: Module, path: str) -> None:
    missing = (401, "M_MISSING_TOKEN", None)
    wrong = (403, "M_FORBIDDEN", None)
    secret, token = module.homeserver.bridge.secret, module.homeserver.as_token
    assert (await module.ask(path, None)).refusal == missing
    assert (await module.ask(path, None, access_token=secret)).refusal == missing
    assert (await module.ask(path, f"Basic {secret}")).refusal == missing
    for header in ("Bearer", f"Bearer {secret[:-1]}", f"Bearer {secret}x", f"Bearer {token}"):
        assert (await module.ask(path, header)).refusal == wrong, header


async def test_what_is_not_served_is_refused_in_the_matrix_form(module: Module) -> None:
    for path in ("", "/", "/nothing", "/events/more"):
        assert (await module.ask(path, after=0)).refusal == (404, "M_UNRECOGNIZED", None)
    for method in ("POST", "PUT", "DELETE"):
        assert (await module.ask("/events", method=method, after=0)).refusal == (405, "M_UNRECOGNIZED", None)


@pytest.mark.parametrize("stream", ["events", "receipts"])
@pytest.mark.parametrize(
    ("query", "errcode", "name"),
    [
        ({}, "M_MISSING_PARAM", "after"),
        ({"after": "x"}, "M_INVALID_PARAM", "after"),
        ({"after": -1}, "M_INVALID_PARAM", "after"),
        ({"after": 2**63}, "M_INVALID_PARAM", "after"),
        ({"after": 0, "until": "x"}, "M_INVALID_PARAM", "until"),
        ({"after": 0, "limit": 0}, "M_INVALID_PARAM", "limit"),
        ({"after": 0, "limit": 1001}, "M_INVALID_PARAM", "limit"),
        ({"after": 0, "access_token": "x"}, "M_INVALID_PARAM", "access_token"),
    ],
)
async def test_a_bad_parameter_is_named(module: Module, stream: str, query: Json, errcode: str, name: str) -> None:
    answer = await module.ask(f"/{stream}", **query)
    assert answer.refusal == (400, errcode, None)
    assert f"'{name}'" in answer.sentence


async def test_positions_far_beyond_the_end_are_no_trouble(module: Module) -> None:
    for stream in ("events", "receipts"):
        page = await module.page(stream, 2**63 - 1, until=2**63 - 1)
        assert (page[stream], page["position"]) == ([], 2**63 - 1)


async def test_requests_and_what_was_handed_out_are_counted(module: Module, tenant: Tenant) -> None:
    before = await counts(module)
    start = (await module.ends())["events"]
    await module.homeserver.creator.say(tenant.room_id, "count me")
    await module.page("events", start)
    await module.ask("/events", "Bearer wrong")
    await module.ask("/../secret-path")
    change = await counts(module)
    change.subtract(before)
    assert {name: count for name, count in change.items() if count} == {
        'requests_total{outcome="done",stream="stream"}': 1,
        'requests_total{outcome="done",stream="events"}': 1,
        'requests_total{outcome="refused",stream="events"}': 1,
        'items_total{stream="events"}': 1,
    }


async def counts(module: Module) -> Counter[str]:
    """The module's counters of the streams, as Synapse's metrics show them."""
    url, prefix = f"{module.homeserver.url}/_synapse/metrics", "bitnexus_module_stream_"
    async with module.homeserver.session.get(url) as response:
        lines = (await response.text()).splitlines()
    mine = [line.removeprefix(prefix).rpartition(" ") for line in lines if line.startswith(prefix)]
    return Counter({name: int(float(value)) for name, _, value in mine if "_total" in name})


# --- restarts -------------------------------------------------------------------------------------------------------


async def test_after_a_restart_the_instance_is_new_and_the_positions_are_the_same(
    module: Module, tenant: Tenant
) -> None:
    ann = await person(tenant, "ann")
    event_id = await ann.say(tenant.room_id, "stay")
    await ann.do("POST", f"/rooms/{tenant.room_id}/receipt/m.read/{quote(event_id)}", {})
    before = await module.ends()
    assert await module.ends() == before
    events = await module.all("events", before["events"] - 5)
    receipts = await module.all("receipts", before["receipts"] - 1)
    await module.homeserver.process.stop()
    await module.homeserver.process.start()
    after = await module.ends()
    assert after["instance"] != before["instance"]
    assert after | {"instance": ""} == before | {"instance": ""}
    assert [without_age(event) for event in await module.all("events", before["events"] - 5)] == [
        without_age(event) for event in events
    ]
    assert await module.all("receipts", before["receipts"] - 1) == receipts


async def test_what_synapse_acknowledged_before_it_was_killed_is_in_the_stream_once(
    module: Module, tenant: Tenant
) -> None:
    people = [await person(tenant, name) for name in ("ann", "bob", "cyd")]
    start = (await module.ends())["events"]
    acknowledged: list[str] = []
    enough = asyncio.Event()

    async def talk(actor: Actor) -> None:
        while True:
            acknowledged.append(await actor.say(tenant.room_id, "are you there"))
            if len(acknowledged) > 10:
                enough.set()

    talks = [asyncio.create_task(talk(actor)) for actor in people]
    async with asyncio.timeout(30):
        await enough.wait()
    await module.homeserver.process.kill()
    ends = await asyncio.gather(*talks, return_exceptions=True)
    assert all(isinstance(end, aiohttp.ClientError) for end in ends), ends
    await module.homeserver.process.start()
    given = [event["event_id"] for event in await module.all("events", start, limit=4)]
    assert len(given) == len(set(given))
    assert set(acknowledged) <= set(given)
    assert [event_id for event_id in given if event_id in set(acknowledged)]


# --- the place in the stream, on every event ------------------------------------------------------------------------


@pytest.mark.parametrize("room_version", ["12", "11"])
async def test_clients_see_each_events_place_in_the_stream(module: Module, room_version: str) -> None:
    """State and messages, the creation and what was redacted; by sync, pages, single events and the room's state."""
    tenant = await Tenant.create(module.homeserver, f"p{secrets.token_hex(4)}", room_version=room_version)
    ann = await person(tenant, "ann")
    event_id = await ann.say(tenant.room_id, "gone soon")
    pinned = await ann.do("PUT", f"/rooms/{tenant.room_id}/state/m.room.pinned_events", {"pinned": [event_id]})
    for redacted in (event_id, pinned["event_id"]):
        await ann.do("PUT", f"/rooms/{tenant.room_id}/redact/{quote(redacted)}/{secrets.token_hex(4)}", {})
    stream = {event["event_id"]: event["unsigned"][POSITION] for event in await module.all("events", 0)}

    def check(events: list[Json]) -> set[str]:
        assert {event["event_id"]: event["unsigned"][POSITION] for event in events} == {
            event["event_id"]: stream[event["event_id"]] for event in events
        }
        return {event["type"] for event in events}

    room = f"/rooms/{tenant.room_id}"
    page = (await ann.do("GET", f"{room}/messages?dir=b&limit=100"))["chunk"]
    assert {"m.room.create", "m.room.message", "m.room.redaction", "m.room.member"} <= check(page)
    assert "m.room.create" in check(await ann.do("GET", f"{room}/state"))
    synced = (await ann.do("GET", "/sync"))["rooms"]["join"][tenant.room_id]
    assert "m.room.redaction" in check(synced["timeline"]["events"] + synced["state"]["events"])
    single = await ann.do("GET", f"{room}/event/{quote(event_id)}")
    assert single["content"] == {}
    check([single])


async def test_what_others_see_of_a_room_before_joining_has_no_place_and_breaks_nothing(
    module: Module, tenant: Tenant
) -> None:
    zoe = await module.homeserver.register(f"u_zoe_{tenant.tenant_id}")
    await module.homeserver.creator.do("POST", f"/rooms/{tenant.space_id}/invite", {"user_id": zoe.user_id})
    invited = (await zoe.do("GET", "/sync"))["rooms"]["invite"][tenant.space_id]["invite_state"]["events"]
    assert {"m.room.member", "m.room.create"} <= {event["type"] for event in invited}


# --- the bridge's own reader ----------------------------------------------------------------------------------------


def stream_of(module: Module, *, secret: str | None = None) -> SynapseStream:
    homeserver = module.homeserver
    return SynapseStream(homeserver.session, homeserver.url, secret or homeserver.bridge.secret)


async def read_all(stream: SynapseStream, name: StreamName, after: int, *, limit: int) -> list[Any]:
    items: list[Any] = []
    while True:
        page = await stream.read(name, after=after, until=None, limit=limit)
        assert not page.unparsable
        items += page.items
        if page.position >= page.end:
            return items
        after = page.position


async def test_the_bridge_reads_the_streams(module: Module, tenant: Tenant) -> None:
    stream, before = stream_of(module), await module.ends()
    ann = await person(tenant, "ann")
    event_id = await ann.say(tenant.room_id, "one")
    await ann.do("POST", f"/rooms/{tenant.room_id}/receipt/m.read.private/{quote(event_id)}", {})
    ends = await stream.present()
    assert (ends.instance, ends.events) == (before["instance"], (await module.ends())["events"])
    assert ends.receipts > before["receipts"]
    events = await read_all(stream, "events", before["events"], limit=2)
    assert all(isinstance(event, MatrixEvent) and event.stream_position for _, event in events)
    assert [item_id for item_id, _ in events][-1] == event_id
    assert events == await read_all(stream, "events", before["events"], limit=1000)
    [(_, receipt)] = await read_all(stream, "receipts", before["receipts"], limit=1)
    assert (receipt.user_id, receipt.event_id, receipt.room_id) == (ann.user_id, event_id, tenant.room_id)


async def test_the_bridge_is_told_when_its_secret_is_wrong(module: Module) -> None:
    with pytest.raises(HomeserverRefused, match="with our secret") as caught:
        await stream_of(module, secret="wrong").present()
    assert (caught.value.homeserver_errcode, caught.value.http_status) == ("M_FORBIDDEN", 403)


async def test_the_bridge_is_told_when_synapse_is_away(module: Module) -> None:
    await module.homeserver.process.stop()
    try:
        with pytest.raises(DependencyDown, match="does not answer"):
            await stream_of(module).read("events", after=0, until=None, limit=1)
    finally:
        await module.homeserver.process.start()
