"""Messages that come in without a pause, each tried until it is acknowledged, whatever is killed meanwhile."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import quote

import aiohttp

from bench.peers import Peer
from bench.rig import Rig, event_body

_PAUSE_SECONDS = 0.08
_AGAIN_SECONDS = 0.5
_TRY = aiohttp.ClientTimeout(total=30)
_LAST_SECONDS = 90.0

Try = Callable[[str], Awaitable[int]]
"""Make one try for a mark, and return the HTTP status."""


@dataclass(kw_only=True)
class Stream:
    """One message after the other, in one room."""

    attempt: Try
    sent: dict[str, int] = field(default_factory=dict)
    """Marks, acknowledged or not, with their place in the order."""
    acknowledged: list[str] = field(default_factory=list)
    tries: int = 0
    _is_over: bool = False
    _task: "asyncio.Task[None] | None" = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Begin no more, and return when the last message is acknowledged; raises TimeoutError."""
        self._is_over = True
        if self._task is not None:
            await asyncio.wait_for(self._task, _LAST_SECONDS)

    async def _run(self) -> None:
        while not self._is_over:
            mark = f"mark-{uuid.uuid4().hex}"
            self.sent[mark] = len(self.sent)
            while not await self._try(mark):  # noqa: ASYNC110 - what is killed does not tell when it is back
                await asyncio.sleep(_AGAIN_SECONDS)
            self.acknowledged.append(mark)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _try(self, mark: str) -> bool:
        self.tries += 1
        try:
            status = await self.attempt(mark)
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False
        if (
            HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
            and status != HTTPStatus.TOO_MANY_REQUESTS
        ):
            raise RuntimeError(f"refused for good, with {status}")
        return status < HTTPStatus.BAD_REQUEST


def person_says(rig: Rig, room_key: str, device_id: str) -> Stream:
    """Return the messages of the member, put into Synapse."""

    async def attempt(mark: str) -> int:
        path = f"/_matrix/client/v3/rooms/{quote(rig.rooms[room_key])}/send/m.room.message/{mark}"
        query = {"user_id": rig.reader, "device_id": device_id}
        content = {"msgtype": "m.text", "body": f"I have seen {mark}", "m.mentions": {}}
        async with rig.http.put(
            rig.stack.synapse.url + path, params=query, json=content, headers=rig.as_headers, timeout=_TRY
        ) as response:
            await response.read()
            return response.status

    return Stream(attempt=attempt)


def posts_to_us(rig: Rig, room_key: str) -> Stream:
    """Return posts to ``POST /v1/events``, each with an id of its own that its repetitions keep."""

    async def attempt(mark: str) -> int:
        headers = {"Authorization": f"Bearer {rig.key}"}
        url = f"{rig.stack.bridge.url}/v1/events"
        async with rig.http.post(url, json=event_body(room_key, mark), headers=headers, timeout=_TRY) as response:
            await response.read()
            return response.status

    return Stream(attempt=attempt)


def posts_to_webhook(rig: Rig, webhook: Peer, room_key: str, key: str) -> Stream:
    """Return posts to matrix-webhook; it knows no ids."""
    url = f"{webhook.ready_url.removesuffix('/health')}/{quote(rig.rooms[room_key])}"

    async def attempt(mark: str) -> int:
        body = {"body": f"Course completed {mark}", "key": key}
        async with rig.http.post(url, json=body, timeout=_TRY) as response:
            await response.read()
            return response.status

    return Stream(attempt=attempt)
