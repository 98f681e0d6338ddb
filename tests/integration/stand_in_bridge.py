"""The side of the bridge that Synapse sees, whose answers a test chooses: clear ones, and every kind of failure."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Json = dict[str, Any]
PolicyAnswer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Bridge:
    """The side of the bridge that Synapse sees: transactions are kept, and sign-ins answered as the test chose."""

    port: int
    secret: str
    answer: PolicyAnswer
    questions: list[Json] = field(default_factory=list)
    credentials: list[str | None] = field(default_factory=list)
    connections: list[object] = field(default_factory=list)
    transactions: list[Json] = field(default_factory=list)
    _runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application(client_max_size=32 * 1024 * 1024)
        app.router.add_post("/_bitnexus/policy/login", self._take_question)
        app.router.add_route("*", "/_matrix/app/v1/{rest:.*}", self._take_transaction)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _take_question(self, request: web.Request) -> web.StreamResponse:
        self.questions.append(await request.json())
        self.credentials.append(request.headers.get("Authorization"))
        self.connections.append(request.get_extra_info("peername"))
        return await self.answer(request)

    async def _take_transaction(self, request: web.Request) -> web.Response:
        if request.method == "PUT":
            self.transactions.append(await request.json())
        return web.json_response({})


async def allow(_: web.Request) -> web.Response:
    return web.json_response({"allow": True, "sentence": ""})


def replying(status: int, body: str, **headers: str) -> PolicyAnswer:
    async def reply(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body, headers=headers)

    return reply


async def hang(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError("nothing sets this event")


async def stop_in_the_middle(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "14"})
    await response.prepare(request)
    await response.write(b'{"allow":')
    await asyncio.Event().wait()
    return response


async def never_end(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" " * 4096)


async def hang_up(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    raise web.HTTPInternalServerError


async def speak_no_http(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.write(b"\x00\xff nonsense\r\n\r\n")
    request.transport.close()
    raise web.HTTPInternalServerError


YES = '{"allow": true, "sentence": ""}'
FAILURES: dict[str, tuple[PolicyAnswer, str]] = {
    "error 500": (replying(500, YES), "bridge_status"),
    "error 401": (replying(401, YES), "bridge_status"),
    "another success": (replying(201, YES), "bridge_status"),
    "redirect": (replying(307, YES, Location="http://127.0.0.1:1/"), "bridge_status"),
    "garbage": (replying(200, "<html>"), "bridge_unreadable"),
    "nothing": (replying(200, ""), "bridge_unreadable"),
    "wrong shape": (replying(200, '{"allow": "true"}'), "bridge_unreadable"),
    "a list": (replying(200, "[true]"), "bridge_unreadable"),
    "endless": (never_end, "bridge_unreadable"),
    "hanging": (hang, "bridge_timeout"),
    "half an answer": (stop_in_the_middle, "bridge_timeout"),
    "hanging up": (hang_up, "bridge_unreachable"),
    "no HTTP": (speak_no_http, "bridge_unreachable"),
}
