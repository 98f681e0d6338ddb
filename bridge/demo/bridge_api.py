"""Talk to the bridge and to Synapse over HTTP, as BitNexus and its people do; every refusal becomes a sentence."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
import jwt
import msgspec

from bridge.demo.credentials import Credentials
from bridge.demo.errors import DemoError
from bridge.demo.settings import AUDIENCE, ISSUER
from bridge.model.json import Json

_JOB_SECONDS = 120.0
_POLL_SECONDS = 0.1
_TOKEN_SECONDS = 120
_TRIES = 5
_AGAIN = frozenset({429, 502, 503})
_NO_CONTENT, _ERROR = 204, 400
_SAID = 500
_LONGEST_WAIT = 5.0

Answer = dict[str, Any]


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A person's session: what the demo needs of the answer of ``POST /v1/sessions``."""

    matrix_id: str
    access_token: str
    session_token: str


class Refused(DemoError):
    """A request was answered with an error; ``wait_seconds`` says when to try again, None that it is of no use."""

    def __init__(self, sentence: str, *, wait_seconds: float | None) -> None:
        super().__init__(sentence)
        self.wait_seconds = wait_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpApi:
    """Calls to one address with JSON in and out."""

    http: aiohttp.ClientSession
    url: str

    async def call(self, method: str, path: str, *, token: str | None = None, body: Json = None) -> Answer:
        """Return the answer's object; tries again when told to, raises Refused in the end."""
        return await patiently(lambda: self.call_once(method, path, token, body))

    async def call_once(self, method: str, path: str, token: str | None, body: Json) -> Answer:
        """Make one try."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.http.request(method, self.url + path, headers=headers, json=body) as response:
            if response.status < _ERROR:
                return await response.json() if response.status != _NO_CONTENT else {}
            said = (await response.text())[:_SAID]
            wait = float(response.headers.get("Retry-After", 1)) if response.status in _AGAIN else None
            raise Refused(f"{method} {path} was refused with {response.status}: {said}", wait_seconds=wait)


async def patiently(request: Callable[[], Awaitable[Answer]]) -> Answer:
    """Make a request until it is not refused for the moment only; raises Refused after a few tries."""
    for _ in range(_TRIES - 1):
        try:
            return await request()
        except Refused as refused:
            if refused.wait_seconds is None:
                raise
            await asyncio.sleep(min(refused.wait_seconds, _LONGEST_WAIT))
    return await request()


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeApi:
    """The bridge's ``/v1``, with the platform key and as people."""

    api: HttpApi
    credentials: Credentials

    async def platform(self, method: str, path: str, body: Json = None) -> Answer:
        """Call ``/v1`` as the BitNexus backend."""
        return await self.api.call(method, f"/v1{path}", token=self.credentials.platform_key, body=body)

    async def change(self, method: str, path: str, body: Json = None) -> str | None:
        """Make a change of desired state and return the id of the job that carries it out, if one does."""
        job_id: str | None = (await self.platform(method, path, body)).get("job_id")
        return job_id

    async def finish(self, job_id: str) -> None:
        """Wait until the job is done; raises DemoError with what went wrong when it failed."""
        deadline = time.monotonic() + _JOB_SECONDS
        while (job := await self.platform("GET", f"/jobs/{job_id}"))["state"] != "done":
            if job["state"] == "failed" or time.monotonic() > deadline:
                wrong = [effect for effect in job["effects"] if effect.get("error")]
                stands = f"'{job['state']}' after {job['done']} of {job['total']} steps"
                raise DemoError(f"job {job_id} is {stands}: {wrong[:3]}")
            await asyncio.sleep(_POLL_SECONDS)

    async def sign_in(self, user_id: str) -> Session:
        """Open a session for a person, with a token as BitNexus would sign it."""
        # a new token for each try: one is good once, even when the answer was that Synapse is away
        request = partial(self.api.call_once, "POST", "/v1/sessions", None)
        return msgspec.convert(await patiently(lambda: request({"token": self.person_token(user_id)})), Session)

    async def sign_out(self, session: Session) -> None:
        """End a session and its device."""
        await self.api.call("DELETE", "/v1/sessions", token=session.session_token)

    def person_token(self, user_id: str) -> str:
        """Return a JWT of the demo's issuer for a person; good once."""
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": user_id, "iat": now, "exp": now + _TOKEN_SECONDS}
        return jwt.encode({**claims, "jti": uuid.uuid4().hex}, self.credentials.issuer_secret, algorithm="HS256")
