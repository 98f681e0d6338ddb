"""Read rooms as a member of a tenant does: a plain Matrix client with a password, over the client-server API."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from aiohttp import ClientSession, ClientTimeout

SYNC_MS = 10_000
TIMELINE_LIMIT = 1000
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A person who is signed in."""

    user_id: str
    session: ClientSession

    async def room_id(self, key: str) -> str:
        """Return the joined room whose marker has this key."""
        for room_id in (await self._get("joined_rooms"))["joined_rooms"]:
            async with self.session.get(f"rooms/{quote(room_id)}/state/com.bitnexus.room/") as response:
                if response.status == 200 and (await response.json()).get("key") == key:
                    return str(room_id)
        raise LookupError(f"{self.user_id} is in no room with the key {key}")

    async def position(self) -> str:
        """Return where the member's stream stands now."""
        return str((await self._get("sync", filter=_FILTER))["next_batch"])

    async def messages_until(self, last: str, *, since: str, seconds: float = 30.0) -> list[Json]:
        """Return the messages of all rooms after ``since``, each with its room_id, up to one that contains ``last``."""
        found: list[Json] = []
        try:
            async with asyncio.timeout(seconds):
                while not any(last in event["content"].get("body", "") for event in found):
                    answer = await self._get("sync", since=since, timeout=str(SYNC_MS), filter=_FILTER)
                    since = answer["next_batch"]
                    found += _messages(answer)
        except TimeoutError:
            bodies = [event["content"].get("body") for event in found]
            raise TimeoutError(f"{self.user_id} did not see {last!r} in {seconds:.0f} s, but {bodies}") from None
        return found

    async def _get(self, path: str, **query: str) -> Json:
        async with self.session.get(path, params=query) as response:
            response.raise_for_status()
            return dict(await response.json())


@asynccontextmanager
async def signed_in(demo: Json, user: Json) -> AsyncIterator[Member]:
    """Sign a person of stack.json in by password, and out at the end."""
    base = f"{demo['synapse_url'].rstrip('/')}/_matrix/client/v3/"
    login = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": user["matrix_id"]},
        "password": user["password"],
    }
    async with ClientSession(base, timeout=ClientTimeout(total=40)) as session:
        async with session.post("login", json=login) as response:
            response.raise_for_status()
            session.headers["Authorization"] = f"Bearer {(await response.json())['access_token']}"
        try:
            yield Member(user_id=user["matrix_id"], session=session)
        finally:
            async with session.post("logout", json={}) as response:
                response.raise_for_status()


def plain_member(demo: Json, tenant_id: str) -> Json:
    """Return the first person with the role ``member``: one who is in this tenant only."""
    return next(user for user in tenant(demo, tenant_id)["users"] if user["role"] == "member")


def tenant(demo: Json, tenant_id: str) -> Json:
    """Return a tenant of stack.json."""
    return next(one for one in demo["tenants"] if one["tenant_id"] == tenant_id)


def _messages(answer: Json) -> list[Json]:
    rooms = answer.get("rooms", {}).get("join", {})
    return [
        {**event, "room_id": room_id}
        for room_id, room in rooms.items()
        for event in room["timeline"]["events"]
        if event["type"] == "m.room.message"
    ]


_FILTER = json.dumps(
    {
        "presence": {"types": []},
        "account_data": {"types": []},
        "room": {"timeline": {"limit": TIMELINE_LIMIT}, "ephemeral": {"types": []}, "account_data": {"types": []}},
    }
)
