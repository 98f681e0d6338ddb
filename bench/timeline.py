"""When messages become visible: one ``/sync`` of a member, as a client holds it open."""

import asyncio
import json
import re
import time
from collections.abc import Collection, Mapping
from typing import Any

import aiohttp

MARK = re.compile(r"mark-[\w-]+")
"""What a benchmark's messages carry in their body, each its own."""

_FILTER = {
    "presence": {"types": []},
    "account_data": {"types": []},
    "room": {
        "timeline": {"limit": 2000, "types": ["m.room.message"]},
        "ephemeral": {"types": []},
        "account_data": {"types": []},
        "state": {"types": []},
    },
}


class Timeline:
    """Follows a member's ``/sync``; knows when each mark was first seen, in which order, and how often."""

    def __init__(self, http: aiohttp.ClientSession, url: str, headers: Mapping[str, str], user_id: str) -> None:
        self._http, self._url, self._headers, self._user_id = http, url, headers, user_id
        self._since: str | None = None
        self._news = asyncio.Condition()
        self.seen_at: dict[str, float] = {}
        self.order: dict[str, list[str]] = {}
        """Marks by room, as they stand there; one that stands twice is in it twice."""

    async def begin(self) -> None:
        """Take the present as the beginning."""
        await self._sync(timeout_ms=0)

    async def follow(self) -> None:
        """Follow until cancelled; a homeserver that is away is asked again."""
        while True:
            try:
                await self._sync(timeout_ms=30_000)
            except (aiohttp.ClientError, TimeoutError, OSError):
                await asyncio.sleep(0.2)

    async def wait_for(self, marks: Collection[str], *, seconds: float = 60) -> None:
        """Return when all ``marks`` were seen; raises TimeoutError."""
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: all(mark in self.seen_at for mark in marks))

    async def _sync(self, *, timeout_ms: int) -> None:
        query = {"user_id": self._user_id, "timeout": str(timeout_ms), "filter": json.dumps(_FILTER)}
        if self._since is not None:
            query["since"] = self._since
        url = f"{self._url}/_matrix/client/v3/sync"
        async with self._http.get(url, params=query, headers=self._headers) as response:
            response.raise_for_status()
            answer = json.loads(await response.read())
        now, self._since = time.perf_counter(), answer["next_batch"]
        async with self._news:
            self._take(answer.get("rooms", {}).get("join", {}), now)
            self._news.notify_all()

    def _take(self, rooms: Mapping[str, Any], now: float) -> None:
        for room_id, room in rooms.items():
            if room["timeline"].get("limited") and self._since is not None:
                raise RuntimeError("the timeline was cut: its limit is too small for this benchmark")
            for event in room["timeline"]["events"]:
                for mark in MARK.findall(str(event["content"].get("body", "")))[:1]:
                    self.seen_at.setdefault(mark, now)
                    self.order.setdefault(room_id, []).append(mark)
