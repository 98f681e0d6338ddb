"""The BitNexus backend, its people and its n8n, as the tests play them against a real stack."""

import asyncio
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import jwt
from ruamel.yaml import YAML

DEADLINE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: Any
    raw: bytes


@dataclass(slots=True, kw_only=True)
class Backend:
    """Calls of the BitNexus backend, with the platform key unless another token is given."""

    http: aiohttp.ClientSession
    stack: Mapping[str, Any]

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = "platform",  # noqa: S107 - which credential, not one
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> Reply:
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {self.stack['platform_key'] if token == 'platform' else token}"
        url = self.stack["bridge_url"] + path
        async with self.http.request(method, url, json=body, data=data, headers=sent) as response:
            raw = await response.read()
            is_json = response.content_type == "application/json"
            parsed = await response.json() if is_json and raw else None
            return Reply(status=response.status, headers=response.headers, body=parsed, raw=raw)

    async def ok(self, method: str, path: str, body: object = None, **how: Any) -> Any:
        reply = await self.call(method, path, body, **how)
        assert reply.status < 300, (method, path, reply.status, reply.raw)
        return reply.body

    async def finish(self, change: Mapping[str, Any]) -> dict[str, Any] | None:
        """Wait for the job of a change, and return it."""
        if change["job_id"] is None:
            return None
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            job: dict[str, Any] = await self.ok("GET", f"/v1/jobs/{change['job_id']}")
            if job["state"] in {"done", "failed"}:
                return job
            assert time.monotonic() < deadline, job
            await asyncio.sleep(0.05)

    async def settle(self, tenant_id: str) -> None:
        """Wait until the tenant stands as it is desired."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (plan := await self.ok("GET", f"/v1/tenants/{tenant_id}/plan"))["effects"]:
            assert time.monotonic() < deadline, plan
            await asyncio.sleep(0.1)

    async def new_tenant(self, *, rooms: list[dict[str, Any]] | None = None, **people: str) -> str:
        """Make a tenant of its own with these people (``ann="owner"``), and return its id once all is in place."""
        tenant_id = f"t{uuid.uuid4().hex[:12]}"
        rooms = rooms or [{"key": "general", "type": "general", "name": "General"}]
        await self.ok("PUT", f"/v1/tenants/{tenant_id}", {"name": f"Tenant {tenant_id}", "rooms": rooms})
        for name, role in people.items():
            await self.put_member(tenant_id, name, role)
        await self.settle(tenant_id)
        return tenant_id

    async def put_member(self, tenant_id: str, name: str, role: str) -> Any:
        """Put a person of this tenant's own into it; ids of people are unique to the tenant."""
        body = {"role": role, "display_name": name.title()}
        return await self.ok("PUT", f"/v1/tenants/{tenant_id}/members/{member_id(tenant_id, name)}", body)

    async def integration_key(self, tenant_id: str, *, rooms: list[str] | None = None) -> str:
        body = {"name": "test", "scopes": ["events:write", "deliveries:read"], "rooms": rooms}
        key: str = (await self.ok("POST", f"/v1/tenants/{tenant_id}/integration-keys", body))["key"]
        return key

    def token_for(self, user_id: str, **changes: Any) -> str:
        """Return a signed token as BitNexus would make it; ``changes`` spoil it."""
        issuer, now = self.stack["demo_issuer"], int(time.time())
        claims = {"iss": issuer["iss"], "aud": issuer["aud"], "sub": user_id, "iat": now, "exp": now + 120}
        claims |= {"jti": uuid.uuid4().hex} | changes
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, issuer["secret"], algorithm=issuer["alg"])

    async def sign_in(self, user_id: str) -> "Client":
        answer = await self.ok("POST", "/v1/sessions", {"token": self.token_for(user_id)}, token=None)
        return Client(http=self.http, session=answer)

    async def look_as(self, user_id: str) -> "Client":
        """Return a person's client that goes on when their sessions end: the application service acts in their name."""
        client = await self.sign_in(user_id)
        registration = YAML(typ="safe", pure=True).load(Path(self.stack["registration"]))
        session = {**client.session, "access_token": registration["as_token"]}
        return Client(http=self.http, session=session, is_masqueraded=True)


@dataclass(slots=True, kw_only=True)
class Client:
    """A person's Matrix client: plain requests, so that a test sees what Synapse says."""

    http: aiohttp.ClientSession
    session: Mapping[str, Any]
    since: str | None = None
    is_masqueraded: bool = False

    @property
    def matrix_id(self) -> str:
        return str(self.session["matrix_id"])

    async def call(self, method: str, path: str, body: object = None, **query: str) -> Reply:
        url = f"{self.session['homeserver_url']}/_matrix/client/{path}"
        headers = {"Authorization": f"Bearer {self.session['access_token']}"}
        if self.is_masqueraded:
            query["user_id"] = self.matrix_id
        async with self.http.request(method, url, json=body, params=query, headers=headers) as response:
            raw = await response.read()
            return Reply(status=response.status, headers=response.headers, body=await response.json(), raw=raw)

    async def ok(self, method: str, path: str, body: object = None, **query: str) -> Any:
        reply = await self.call(method, path, body, **query)
        assert reply.status == 200, (method, path, reply.status, reply.raw)
        return reply.body

    async def rooms(self) -> dict[str, str]:
        """Return the joined rooms: key to room id, the space under ``@space``."""
        found: dict[str, str] = {}
        for room_id in (await self.ok("GET", "v3/joined_rooms"))["joined_rooms"]:
            marker = await self.ok("GET", f"v3/rooms/{quote(room_id)}/state/com.bitnexus.room/")
            found[marker["key"]] = room_id
        return found

    async def say(self, room_id: str, body: str) -> str:
        content = {"msgtype": "m.text", "body": body}
        path = f"v3/rooms/{quote(room_id)}/send/m.room.message/{uuid.uuid4().hex}"
        event_id: str = (await self.ok("PUT", path, content))["event_id"]
        return event_id

    async def messages(self, room_id: str) -> list[dict[str, Any]]:
        """Return the events of the room that this person sees, oldest first."""
        page = await self.ok("GET", f"v3/rooms/{quote(room_id)}/messages", dir="b", limit="100")
        return list(reversed(page["chunk"]))


def member_id(tenant_id: str, name: str) -> str:
    """Return the BitNexus id of a person of a test's tenant."""
    return f"{name}-{tenant_id}"
