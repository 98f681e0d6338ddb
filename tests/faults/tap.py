"""Between Synapse and the bridge's transaction endpoint: everything passes, is remembered, and may be spoilt.

A transaction can be delivered twice at once, forgotten (Synapse is told that it arrived), held back behind newer ones,
be slow, or lose its answer; old ones are played again, under their own ids or under ids that start again at 1.
"""

import asyncio
import random
from collections import Counter, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

import aiohttp
from aiohttp import web

Trick = Literal["twice", "forgotten", "held back", "slow", "answer lost"]
TRICKS: tuple[Trick, ...] = ("twice", "forgotten", "held back", "slow", "answer lost")

_REMEMBERED = 300
_TRANSACTIONS = "/_matrix/app/v1/transactions/"
_HELD_SECONDS, _SLOW_SECONDS = 0.8, 0.7


@dataclass(slots=True, kw_only=True)
class Tap:
    """Forwards to ``target``, the appservice address of one bridge; ``tricks`` are played on the next transactions."""

    target: str
    hs_token: str
    http: aiohttp.ClientSession
    port: int = 0
    tricks: deque[Trick] = field(default_factory=deque)
    counts: Counter[str] = field(default_factory=Counter)
    seen: deque[tuple[str, bytes]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    _held: set["asyncio.Task[None]"] = field(default_factory=set)
    _restarted_ids: "count[int]" = field(default_factory=lambda: count(1))

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        txn_id = request.path.removeprefix(_TRANSACTIONS)
        if request.method != "PUT" or txn_id == request.path:
            return await self._forward(request.method, request.path, body, request.headers.get("Authorization", ""))
        self.counts["transactions"] += 1
        self.seen.append((txn_id, body))
        trick = self.tricks.popleft() if self.tricks else None
        answer = await (self._put(txn_id, body) if trick is None else self._spoil(trick, request, txn_id, body))
        self.counts[trick or "plain"] += 1
        self.counts[f"answered {answer.status}"] += 1
        return answer

    async def _spoil(self, trick: Trick, request: web.Request, txn_id: str, body: bytes) -> web.StreamResponse:
        if trick == "forgotten":
            return web.json_response({})
        if trick == "held back":
            # under the id that the one before had: an id proves nothing
            self._start_late(self.seen[max(0, len(self.seen) - 2)][0], body)
            return web.json_response({})
        if trick == "slow":
            await asyncio.sleep(_SLOW_SECONDS)
        if trick == "twice":
            answers = await asyncio.gather(self._put(txn_id, body), self._put(f"{txn_id}b", body))
            return max(answers, key=lambda answer: answer.status)
        answer = await self._put(txn_id, body)
        if trick == "answer lost" and request.transport is not None:
            request.transport.abort()
        return answer

    def _start_late(self, txn_id: str, body: bytes) -> None:
        async def late() -> None:
            await asyncio.sleep(_HELD_SECONDS)
            await self._put(txn_id, body)

        task = asyncio.create_task(late())
        self._held.add(task)
        task.add_done_callback(self._held.discard)

    async def play_again(self, rng: random.Random, *, most: int, start_again: bool) -> int:
        """Send up to ``most`` old transactions once more, in a random order; returns how many the bridge took."""
        old = rng.sample(list(self.seen), min(most, len(self.seen)))
        answers = [
            await self._put(str(next(self._restarted_ids)) if start_again else txn_id, body) for txn_id, body in old
        ]
        taken = sum(answer.status == web.HTTPOk.status_code for answer in answers)
        self.counts["ids from 1" if start_again else "replayed"] += taken
        return taken

    async def settle(self) -> None:
        """Wait until nothing is held back any more."""
        while self._held:
            await asyncio.gather(*self._held)

    async def _put(self, txn_id: str, body: bytes) -> web.Response:
        return await self._forward("PUT", _TRANSACTIONS + txn_id, body, f"Bearer {self.hs_token}")

    async def _forward(self, method: str, path: str, body: bytes, authorization: str) -> web.Response:
        headers = {"Authorization": authorization, "Content-Type": "application/json"}
        try:
            async with self.http.request(method, self.target + path, data=body, headers=headers) as response:
                answer = await response.read()
                return web.Response(status=response.status, body=answer, content_type=response.content_type)
        except (aiohttp.ClientError, OSError, TimeoutError):
            return web.Response(status=web.HTTPBadGateway.status_code)


@asynccontextmanager
async def running_tap(hs_token: str) -> AsyncGenerator[Tap, None]:
    """Run a tap for as long as the block lasts; its ``target`` is to be set before Synapse starts."""
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        tap = Tap(target="", hs_token=hs_token, http=http)
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/{path:.*}", tap.pass_on)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            tap.port = runner.addresses[0][1]
            yield tap
        finally:
            await runner.cleanup()
