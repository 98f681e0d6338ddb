"""The few things that only Synapse's admin API can do, by an account that does nothing else."""

import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import quote

from bridge.demo.bridge_api import HttpApi
from bridge.demo.credentials import Credentials
from bridge.demo.errors import DemoError
from bridge.demo.seed_state import SeedFile
from bridge.model.json import Json

ADMIN = "demo_admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class SynapseAdmin:
    """Sets passwords, so that people can sign in with Element."""

    api: HttpApi
    credentials: Credentials
    file: SeedFile

    async def set_password(self, matrix_id: str, password: str) -> None:
        """Give an account a password; its sessions go on."""
        path = f"/_synapse/admin/v2/users/{quote(matrix_id, safe='')}"
        token = await self._token()
        await self.api.call("PUT", path, token=token, body={"password": password, "logout_devices": False})

    async def _token(self) -> str:
        state = self.file.state
        if state.admin_token is None:
            try:
                answer = await self._register()
            except DemoError:  # it is there already: we were killed between the two
                answer = await self._log_in()
            state.admin_token = answer
            self.file.save()
        return state.admin_token

    async def _register(self) -> str:
        path = "/_synapse/admin/v1/register"
        nonce: str = (await self.api.call("GET", path))["nonce"]
        words = "\0".join((nonce, ADMIN, self.credentials.admin_password, "admin"))
        key = self.credentials.registration_shared_secret.encode()
        body: Json = {
            "nonce": nonce,
            "username": ADMIN,
            "password": self.credentials.admin_password,
            "admin": True,
            "mac": hmac.new(key, words.encode(), hashlib.sha1).hexdigest(),
        }
        token: str = (await self.api.call("POST", path, body=body))["access_token"]
        return token

    async def _log_in(self) -> str:
        identifier: Json = {"type": "m.id.user", "user": ADMIN}
        body: Json = {"type": "m.login.password", "identifier": identifier, "password": self.credentials.admin_password}
        token: str = (await self.api.call("POST", "/_matrix/client/v3/login", body=body))["access_token"]
        return token
