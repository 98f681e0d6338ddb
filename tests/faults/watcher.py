"""A person's client that looks on: when each message is first seen in its room."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import quote

from tests.faults.load import Account
from tests.faults.truth import mark_of

_FILTER = {
    "room": {
        "timeline": {"limit": 1000, "types": ["m.room.message"]},
        "state": {"types": []},
        "ephemeral": {"types": []},
        "account_data": {"types": []},
    },
    "presence": {"types": []},
    "account_data": {"types": []},
}
_AGAIN_SECONDS = 0.1


@dataclass(slots=True, kw_only=True)
class Watcher:
    """Syncs as an account that is in every room."""

    account: Account
    seen: dict[tuple[str, str], float] = field(default_factory=dict)
    _since: str | None = None

    @asynccontextmanager
    async def watching(self) -> AsyncGenerator[None, None]:
        """Look on for as long as the block lasts."""
        task = asyncio.create_task(self._run(), name="look on")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        query = {"filter": json.dumps(_FILTER)}
        while True:
            where = {"since": self._since, "timeout": "5000"} if self._since else {"timeout": "0"}
            reply = await self.account.call("GET", "v3/sync", seconds=15, **query, **where)
            if reply is None:
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            self._since = reply.body["next_batch"]
            for room_id, room in reply.body.get("rooms", {}).get("join", {}).items():
                self._see(room_id, room["timeline"]["events"])

    def _see(self, room_id: str, events: list[dict[str, object]]) -> None:
        now = time.time()
        for event in events:
            content = event.get("content")
            mark = mark_of(str(content.get("body", ""))) if isinstance(content, dict) else None
            if mark is not None:
                self.seen.setdefault((mark, room_id), now)

    async def timeline(self, room_id: str) -> list[str]:
        """Return the ids of all messages of a room, oldest first, as this member's client gets them page by page."""
        found: list[str] = []
        query = {"dir": "b", "limit": "500", "filter": json.dumps({"types": ["m.room.message"]})}
        while True:
            reply = await self.account.call("GET", f"v3/rooms/{quote(room_id)}/messages", **query)
            if reply is None:
                continue
            found += (event["event_id"] for event in reply.body["chunk"])
            if "end" not in reply.body:
                return found[::-1]
            query["from"] = reply.body["end"]
