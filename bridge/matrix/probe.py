"""What the doctor asks Synapse: plain requests whose refusals are answers, not errors."""

from collections.abc import Mapping
from typing import cast
from urllib.parse import quote

import aiohttp
import msgspec

from bridge.errors import DependencyDown
from bridge.matrix.stream import PATH as MODULE_PATH
from bridge.model.health import BotFacts, HomeserverAnswer
from bridge.model.ids import UserID
from bridge.model.json import Json, JsonObject

MODULE_FIELDS = frozenset({"instance", "events", "receipts"})
"""What the module's answer about the streams must have."""


class SynapseProbe:
    """Asks as the application service, and as our module's other side; changes nothing."""

    def __init__(
        self, session: aiohttp.ClientSession, address: str, *, as_token: str, module_secret: str, appservice_id: str
    ) -> None:
        self._session, self._address = session, address.rstrip("/")
        self._as_token, self._module_secret, self._appservice_id = as_token, module_secret, appservice_id

    async def versions(self) -> HomeserverAnswer:
        """Ask which versions of the specification it speaks; raises DependencyDown when nobody answers."""
        return await self._ask("GET", "/_matrix/client/versions", token="")

    async def whoami(self, user_id: UserID) -> HomeserverAnswer:
        """Ask who we are, in the name of one of our bots."""
        return await self._ask("GET", "/_matrix/client/v3/account/whoami", as_user=user_id)

    async def bot(self, user_id: UserID) -> BotFacts:
        """Return a bot and its devices."""
        answer = await self._ask("GET", "/_matrix/client/v3/devices", as_user=user_id)
        devices = answer.body.get("devices")
        if not isinstance(devices, list):
            return BotFacts(user_id=user_id, devices=None)
        found = (device.get("device_id") for device in devices if isinstance(device, Mapping))
        return BotFacts(user_id=user_id, devices=tuple(str(device_id) for device_id in found))

    async def ping(self, user_id: UserID) -> HomeserverAnswer:
        """Have Synapse ping the bridge; it delivers at once what it kept for us."""
        path = f"/_matrix/client/v1/appservice/{quote(self._appservice_id, safe='')}/ping"
        return await self._ask("POST", path, as_user=user_id)

    async def module(self) -> HomeserverAnswer:
        """Ask our module where the streams end."""
        return await self._ask("GET", f"{MODULE_PATH}/stream", token=self._module_secret)

    async def _ask(
        self, method: str, path: str, *, as_user: UserID | None = None, token: str | None = None
    ) -> HomeserverAnswer:
        query = {"user_id": as_user} if as_user else {}
        token = self._as_token if token is None else token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        body: JsonObject | None = {} if method == "POST" else None
        url = self._address + path
        try:
            async with self._session.request(method, url, params=query, headers=headers, json=body) as response:
                return HomeserverAnswer(status=response.status, body=_object(await response.read()))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise DependencyDown(f"Synapse does not answer at {self._address}: {_why(error)}") from error


def _object(raw: bytes) -> JsonObject:
    try:
        answer: object = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return {}
    return cast("Mapping[str, Json]", answer) if isinstance(answer, Mapping) else {}


def _why(error: Exception) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
