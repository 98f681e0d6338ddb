"""A proxy in front of the bridge that delivers every request and loses the first answer to each event."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import ClientSession, web


@dataclass(frozen=True, slots=True, kw_only=True)
class LossyProxy:
    """What passed: ``attempts`` counts requests by idempotency key, ``statuses`` has the bridge's own answers."""

    url: str
    attempts: Counter[str] = field(default_factory=Counter)
    statuses: dict[str, list[int]] = field(default_factory=dict)


@asynccontextmanager
async def lossy_proxy(bridge_url: str) -> AsyncIterator[LossyProxy]:
    """Serve the proxy on a free port of 127.0.0.1."""
    async with ClientSession() as session:
        app = web.Application()
        runner = web.AppRunner(app)
        proxy: LossyProxy | None = None

        async def forward(request: web.Request) -> web.Response:
            assert proxy is not None
            key = str((await request.json())["id"])
            headers = {name: request.headers[name] for name in ("Authorization", "Content-Type")}
            async with session.post(bridge_url + request.path, data=await request.read(), headers=headers) as answer:
                proxy.attempts[key] += 1
                proxy.statuses.setdefault(key, []).append(answer.status)
                if proxy.attempts[key] == 1:
                    return web.Response(status=502, text="the answer was lost")
                return web.Response(status=answer.status, body=await answer.read(), content_type="application/json")

        app.router.add_post("/v1/events", forward)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        proxy = LossyProxy(url=f"http://127.0.0.1:{runner.addresses[0][1]}")
        try:
            yield proxy
        finally:
            await runner.cleanup()
