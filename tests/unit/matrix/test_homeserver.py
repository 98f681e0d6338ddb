"""What Synapse answers to our requests, in our words: wait, wait so long, it failed, never again."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.errors import BitnexusError, DependencyBusy, DependencyDown, DependencyFailed, HomeserverRefused
from bridge.matrix.homeserver import SynapseHomeserver, obey_rate_limit
from bridge.model.ids import DeliveryID, RoomID, TxnID
from tests.unit.people import BOTS, HOUSE, user

ROOM = RoomID("!r:s")
SINCE = datetime(2026, 11, 23, 12, tzinfo=UTC)
SINCE_MS = int(SINCE.timestamp() * 1000)

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Stage:
    """A homeserver that answers as a test says, and who asks it."""

    homeserver: SynapseHomeserver
    requests: list[web.Request] = field(default_factory=list)
    troubles: int = 0

    async def send(self) -> str:
        return await self.homeserver.send(ROOM, BOTS.relay, "m.room.message", {"body": "x"}, txn_id=TxnID("t"))

    async def find(self) -> str | None:
        return await self.homeserver.find_sent(ROOM, BOTS.relay, DeliveryID("dlv_1"), since=SINCE)


@asynccontextmanager
async def stage(answer: Answer) -> AsyncIterator[Stage]:
    """Serve the answer to every request; the token, the bot and its device must be right."""
    made: list[Stage] = []

    async def serve(request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == "Bearer as_token"
        made[0].requests.append(request)
        return await answer(request)

    def notice() -> None:
        made[0].troubles += 1

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", serve)
    async with TestServer(app) as server, aiohttp.ClientSession(middlewares=(obey_rate_limit,)) as session:
        homeserver = SynapseHomeserver(
            session,
            str(server.make_url("")),
            "as_token",
            HOUSE,
            appservice_id="bitnexus",
            on_trouble=notice,
        )
        made.append(Stage(homeserver))
        yield made[0]


def always(status: int, body: object = None, **headers: str) -> Answer:
    async def answer(_request: web.Request) -> web.StreamResponse:
        text = body if isinstance(body, str) else json.dumps(body or {})
        kind = "text/html" if isinstance(body, str) else "application/json"
        return web.Response(status=status, text=text, content_type=kind, headers=headers)

    return answer


async def test_a_message_is_sent_as_its_bot_by_the_bots_device_and_under_its_transaction_id() -> None:
    async with stage(always(200, {"event_id": "$1"})) as made:
        assert await made.send() == "$1"
        (request,) = made.requests
        assert (request.method, request.path) == (
            "PUT",
            "/_matrix/client/v3/rooms/!r:s/send/m.room.message/t",
        )
        assert (request.query["user_id"], request.query["device_id"]) == (BOTS.relay, "BITNEXUS")


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (500, {"errcode": "M_UNKNOWN", "error": "Internal server error"}, DependencyFailed),
        (502, "<html>Bad gateway</html>", DependencyDown),
        (503, {"errcode": "M_UNKNOWN", "error": "no"}, DependencyDown),
        (504, "", DependencyDown),
        (408, {"errcode": "M_UNKNOWN", "error": "slow"}, DependencyDown),
        (401, {"errcode": "M_UNKNOWN_TOKEN", "error": "who?"}, DependencyDown),
        (400, {"errcode": "M_BAD_JSON", "error": "float"}, HomeserverRefused),
        (403, {"errcode": "M_FORBIDDEN", "error": "You don't have permission to post"}, HomeserverRefused),
        (404, {"errcode": "M_UNRECOGNIZED", "error": "what?"}, HomeserverRefused),
        (413, {"errcode": "M_TOO_LARGE", "error": "event too large"}, HomeserverRefused),
        (403, {"errcode": "M_FORBIDDEN", "error": "User @bitnexus_relay:s not in room !r:s"}, DependencyFailed),
        (200, "<html>Welcome</html>", DependencyDown),
    ],
)
async def test_what_an_answer_means(status: int, body: object, error: type[BitnexusError]) -> None:
    async with stage(always(status, body)) as made:
        with pytest.raises(error) as raised:
            await made.send()
        assert type(raised.value) is error, "no more special, and no less"
        if isinstance(raised.value, HomeserverRefused) and isinstance(body, dict):
            assert (raised.value.homeserver_errcode, raised.value.http_status) == (body["errcode"], status)


async def test_only_sending_waits_for_a_bot_to_come_into_its_room() -> None:
    body = {"errcode": "M_FORBIDDEN", "error": "User @bitnexus_relay:s not in room !r:s"}
    async with stage(always(403, body)) as made:
        with pytest.raises(HomeserverRefused):
            await made.homeserver.invite(ROOM, user("ben"))


@pytest.mark.parametrize(
    ("body", "wait_ms"),
    [
        ({"errcode": "M_LIMIT_EXCEEDED", "error": "slow down", "retry_after_ms": 4321}, 4321),
        ({"errcode": "M_LIMIT_EXCEEDED", "error": "slow down", "retry_after_ms": "4321"}, 4321),
        ({"errcode": "M_LIMIT_EXCEEDED", "error": "slow down", "retry_after_ms": -5}, 1),
        ({"errcode": "M_LIMIT_EXCEEDED", "error": "slow down", "retry_after_ms": None}, 1000),
        ({"errcode": "M_LIMIT_EXCEEDED", "error": "slow down"}, 1000),
        ("<html>Too many requests</html>", 1000),
        ("", 1000),
        ("[]", 1000),
    ],
)
async def test_who_limits_us_says_how_long(body: object, wait_ms: int) -> None:
    async with stage(always(429, body)) as made:
        with pytest.raises(DependencyBusy) as raised:
            await made.send()
        assert raised.value.retry_after_ms == wait_ms
        assert made.troubles == 0, "it is there"


async def test_no_answer_is_trouble_and_a_bad_one_is_not() -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with stage(cut) as made:
        with pytest.raises(DependencyDown, match="does not answer"):
            await made.send()
        assert made.troubles == 1
    async with stage(always(500)) as made:
        with pytest.raises(DependencyFailed):
            await made.send()
        assert made.troubles == 0


async def test_a_bot_whose_device_somebody_deleted_gets_it_again() -> None:
    """Synapse refuses every request that names a device which is not there: all messages would be dead letters."""
    devices: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/devices"):
            return web.json_response({"devices": [{"device_id": device} for device in devices]})
        if request.path.endswith("/login"):
            devices.append((await request.json())["device_id"])
            return web.json_response({"access_token": "t", "device_id": "BITNEXUS"})
        if "BITNEXUS" not in devices:
            return web.json_response({"errcode": "M_UNKNOWN_DEVICE", "error": "no such device"}, status=400)
        return web.json_response({"event_id": "$1"})

    async with stage(answer) as made:
        with pytest.raises(DependencyDown):
            await made.send()
        assert devices == ["BITNEXUS"]
        assert await made.send() == "$1"


@pytest.mark.parametrize(("status", "can"), [(200, True), (500, False), (429, False), (403, False), (502, False)])
async def test_whether_it_stores_anything_is_tried_by_storing_something_new(status: int, can: bool) -> None:  # noqa: FBT001 - a parameter of the table
    bodies: list[object] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        bodies.append(await request.json())
        return web.json_response({"errcode": "M_X", "error": "x"}, status=status)

    async with stage(answer) as made:
        assert await made.homeserver.can_write() is can
        await made.homeserver.can_write()
        assert bodies[0] != bodies[1], "what stands there already would not be written"
        assert made.requests[0].query["user_id"] == BOTS.creator


# The timeline


def shown(number: int, *, ts: int, delivery_id: str | None = None, **more: Any) -> dict[str, Any]:
    event = {
        "event_id": f"${number}",
        "type": "m.room.message",
        "sender": BOTS.relay,
        "origin_server_ts": ts,
        "content": {"body": "x"} | ({"com.bitnexus.delivery_id": delivery_id} if delivery_id else {}),
    }
    return event | more


def timeline(*pages: list[dict[str, Any]], is_endless: bool = False) -> Answer:
    """Serve pages of a timeline, newest first; the token of a page is its number."""

    async def answer(request: web.Request) -> web.StreamResponse:
        assert (request.path, request.query["dir"]) == ("/_matrix/client/v3/rooms/!r:s/messages", "b")
        assert json.loads(request.query["filter"])["senders"] == [BOTS.relay]
        assert request.query["user_id"] == BOTS.relay
        number = int(request.query.get("from", "0"))
        page = pages[min(number, len(pages) - 1)]
        body: dict[str, Any] = {"chunk": page, "start": str(number)}
        if is_endless or number + 1 < len(pages):
            body["end"] = str(number + 1)
        return web.json_response(body)

    return answer


NEW, OLD = SINCE_MS + 60_000, SINCE_MS - 301_000


@pytest.mark.parametrize(
    ("pages", "found", "requests"),
    [
        ([[shown(1, ts=NEW, delivery_id="dlv_1")]], "$1", 1),
        ([[shown(2, ts=NEW)], [shown(1, ts=NEW, delivery_id="dlv_1")], []], "$1", 2),
        ([[shown(2, ts=NEW, delivery_id="dlv_2")], [shown(1, ts=NEW)]], None, 2),
        ([[]], None, 1),
        # a page may be empty and have others behind it
        ([[], [], [shown(1, ts=NEW, delivery_id="dlv_1")]], "$1", 3),
        # older than the first attempt: what is behind was not ours
        ([[shown(2, ts=NEW), shown(1, ts=OLD)], [shown(0, ts=OLD, delivery_id="dlv_1")]], None, 1),
        # a little older: clocks differ
        ([[shown(2, ts=SINCE_MS - 200_000)], [shown(1, ts=SINCE_MS - 250_000, delivery_id="dlv_1")]], "$1", 2),
        # on the last page that counts
        ([[shown(2, ts=OLD), shown(1, ts=OLD, delivery_id="dlv_1")]], "$1", 1),
        # nobody's content of another form is taken for it
        ([[shown(1, ts=NEW, content={"com.bitnexus.delivery_id": ["dlv_1"]})]], None, 1),
    ],
)
async def test_a_message_is_looked_for_back_to_its_first_attempt(
    pages: list[list[dict[str, Any]]], found: str | None, requests: int
) -> None:
    async with stage(timeline(*pages)) as made:
        assert await made.find() == found
        assert len(made.requests) == requests


async def test_the_search_is_bounded_and_then_nothing_is_claimed() -> None:
    async with stage(timeline([shown(1, ts=NEW)], is_endless=True)) as made:
        with pytest.raises(HomeserverRefused, match="cannot be told"):
            await made.find()
        assert len(made.requests) == 100


@pytest.mark.parametrize(("status", "error"), [(500, DependencyFailed), (502, DependencyDown), (429, DependencyBusy)])
async def test_a_timeline_that_cannot_be_read_says_nothing(status: int, error: type[BitnexusError]) -> None:
    async with stage(always(status, {"errcode": "M_X", "error": "x"})) as made:
        with pytest.raises(error):
            await made.find()
