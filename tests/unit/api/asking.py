"""Ask the API without a network: the application's own router and middlewares, on requests made by hand."""

import asyncio
import hashlib
import json
from typing import Any

from aiohttp import StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request

from bridge.api.auth import Authenticator
from bridge.api.server import build_api
from bridge.model.ids import DeviceID, MemberID
from tests.unit.house import House

PLATFORM_KEY = "platform-key-of-the-tests"
SESSION_TOKEN = "bxs_session"
INTEGRATION_KEY = "bxi_integration"


class Api:
    """The main listener's application over a house in memory."""

    def __init__(self, house: House | None = None) -> None:
        self.house = house or House()
        self.app = build_api(
            actions=self.house.actions(),
            authenticator=Authenticator(
                platform_key=PLATFORM_KEY, database=self.house.database, sessions=self.house.sessions
            ),
            database=self.house.database,
            web_directory=None,
            max_body_bytes=1024 * 1024,
        )
        self.app.freeze()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> web.Response:
        """Return the answer; ``body`` is sent as it is when it is bytes."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = make_mocked_request(
            method, path, headers=sent, payload=_payload(raw), app=self.app, client_max_size=1024 * 1024
        )
        answer = await self.app._handle(request)
        assert isinstance(answer, web.Response)
        return answer

    async def sign_in(self, member_id: str = "ben") -> str:
        """Return a session token of a person."""
        await self.house.sessions.add(
            token_sha256=hashlib.sha256(SESSION_TOKEN.encode()).digest(),
            member_id=MemberID(member_id),
            device_id=DeviceID("D"),
            expires_at=self.house.clock.now(),
            epoch=0,
        )
        return SESSION_TOKEN


def json_of(answer: web.Response) -> Any:
    assert isinstance(answer.body, bytes)
    return json.loads(answer.body)


def _payload(raw: bytes) -> StreamReader:
    loop = asyncio.get_running_loop()
    reader = StreamReader(BaseProtocol(loop), 2**16, loop=loop)
    reader.feed_data(raw)
    reader.feed_eof()
    return reader
