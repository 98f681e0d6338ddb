"""A real Synapse with our module for its own tests: one process, and a bridge whose answers a test chooses."""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest
from stand_in_bridge import Bridge, Json, PolicyAnswer, allow
from yarl import URL

ROOT = Path(__file__).parents[2]
SERVER_NAME = "module.test"
CREATOR = f"@bitnexus:{SERVER_NAME}"
KEEPER = f"@bitnexus_keeper:{SERVER_NAME}"
RELAY = f"@bitnexus_relay:{SERVER_NAME}"
START_SECONDS = 60.0
STOP_SECONDS = 15.0
POLICY_TIMEOUT_SECONDS = 1.5
CLIENT = "/_matrix/client/v3"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def synapse_python() -> Path:
    """Give the interpreter of Synapse's environment; its absence is a failure that says what makes it."""
    python = Path(os.environ.get("BITNEXUS_SYNAPSE_PYTHON", ROOT / ".envs/synapse/bin/python"))
    if not python.exists():
        pytest.fail(f"Synapse's environment is not there ({python}); `make envs` makes it", pytrace=False)
    return python


@dataclass
class Answer:
    """What Synapse answered."""

    status: int
    body: Any

    @property
    def refusal(self) -> tuple[int, str | None, str | None]:
        """Give what a client goes by: status, errcode and our reason."""
        return self.status, self.body.get("errcode"), self.body.get("com.bitnexus.reason")

    @property
    def sentence(self) -> str:
        return str(self.body["error"])


@dataclass
class Actor:
    """Somebody who makes requests: a person, a person masqueraded by the application service, or a server admin."""

    homeserver: "Homeserver"
    user_id: str
    token: str
    is_masqueraded: bool = False

    async def ask(self, method: str, path: str, body: Json | None = None) -> Answer:
        """Make a request; ``path`` is sent as it stands, without any clean-up."""
        url = self.homeserver.url + path
        if self.is_masqueraded:
            url += ("&" if "?" in path else "?") + f"user_id={self.user_id}"
        headers = {"Authorization": f"Bearer {self.token}"}
        payload = None if body is None else json.dumps(body)
        session = self.homeserver.session
        async with session.request(method, URL(url, encoded=True), data=payload, headers=headers) as response:
            text = await response.text()
            return Answer(response.status, json.loads(text) if text.startswith(("{", "[")) else text)

    async def do(self, method: str, path: str, body: Json | None = None) -> Any:
        """Make a request that has to succeed, below ``/_matrix/client/v3``."""
        answer = await self.ask(method, CLIENT + path, body)
        assert answer.status == 200, (method, path, answer)
        return answer.body

    async def say(self, room_id: str, text: str = "hello") -> str:
        path = f"/rooms/{room_id}/send/m.room.message/{secrets.token_hex(8)}"
        return str((await self.do("PUT", path, {"msgtype": "m.text", "body": text}))["event_id"])


@dataclass
class Homeserver:
    """A running Synapse."""

    url: str
    folder: Path
    as_token: str
    registration_secret: str
    session: aiohttp.ClientSession
    bridge: Bridge
    process: "SynapseProcess"

    @property
    def creator(self) -> Actor:
        return self.masquerade(CREATOR)

    @property
    def log(self) -> str:
        return (self.folder / "synapse.log").read_text(encoding="utf-8")

    def masquerade(self, user_id: str) -> Actor:
        """Give the application service, acting as ``user_id``."""
        return Actor(self, user_id, self.as_token, is_masqueraded=True)

    async def register(self, localpart: str) -> Actor:
        """Register a person by the application service; their token comes without a sign-in."""
        body = {"type": "m.login.application_service", "username": localpart}
        answer = await Actor(self, "", self.as_token).do("POST", "/register", body)
        return Actor(self, answer["user_id"], answer["access_token"])

    async def register_admin(self, localpart: str) -> Actor:
        """Register a server admin, by the secret that operators register with."""
        path = "/_synapse/admin/v1/register"
        nobody = Actor(self, "", "")
        nonce = (await nobody.ask("GET", path)).body["nonce"]
        words = "\0".join((nonce, localpart, "a password", "admin"))
        mac = hmac.new(self.registration_secret.encode(), words.encode(), hashlib.sha1).hexdigest()
        body = {"nonce": nonce, "username": localpart, "password": "a password", "admin": True, "mac": mac}
        answer = await nobody.ask("POST", path, body)
        assert answer.status == 200, answer
        return Actor(self, answer.body["user_id"], answer.body["access_token"])


@dataclass
class Tenant:
    """A tenant's space and one room of it, whose power levels and join rule forbid as little as can be."""

    homeserver: Homeserver
    tenant_id: str
    space_id: str
    room_id: str

    @classmethod
    async def create(cls, homeserver: Homeserver, tenant_id: str, *, room_version: str = "12") -> Self:
        space_id = await create_room(homeserver, {"tenant_id": tenant_id, "type": "space"}, room_version=room_version)
        marker = {"tenant_id": tenant_id, "key": "general", "type": "general", "space_id": space_id}
        room_id = await create_room(homeserver, marker, room_version=room_version)
        return cls(homeserver, tenant_id, space_id, room_id)

    async def admit(self, actor: Actor) -> Actor:
        """Make somebody a member, the way that the bridge does."""
        person = self.homeserver.masquerade(actor.user_id) if actor.user_id.startswith("@u_") else actor
        await self.homeserver.creator.do("POST", f"/rooms/{self.space_id}/invite", {"user_id": actor.user_id})
        await person.do("POST", f"/join/{self.space_id}", {})
        await person.do("POST", f"/join/{self.room_id}", {})
        return actor


async def create_room(
    homeserver: Homeserver, marker: Json, *, room_version: str = "12", allow: str | None = None
) -> str:
    """Create a room as our bot, with power levels that let everybody do everything: the module alone says no."""
    is_space = marker["type"] == "space"
    lax = dict.fromkeys(("state_default", "events_default", "invite", "kick", "ban", "redact"), 0)
    space_id = allow or marker.get("space_id")
    restricted = {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": space_id}]}
    content = {"type": "m.space"} if is_space else {}
    if room_version == "12":
        content["additional_creators"] = [KEEPER]
    body = {
        "room_version": room_version,
        "preset": "private_chat",
        "invite": [KEEPER],
        "creation_content": content,
        "power_level_content_override": lax | ({} if room_version == "12" else {"users": {CREATOR: 150, KEEPER: 150}}),
        "initial_state": [
            {"type": "com.bitnexus.room", "state_key": "", "content": marker},
            *([] if is_space else [{"type": "m.room.join_rules", "state_key": "", "content": restricted}]),
        ],
    }
    room_id = str((await homeserver.creator.do("POST", "/createRoom", body))["room_id"])
    await homeserver.masquerade(KEEPER).do("POST", f"/join/{room_id}", {})
    return room_id


@asynccontextmanager
async def run_homeserver(
    folder: Path, answer: PolicyAnswer, *, database: Json | None = None
) -> AsyncIterator[Homeserver]:
    """Start Synapse and its bridge, and stop both; ``database`` is Synapse's setting of that name."""
    bridge = Bridge(port=free_port(), secret=secrets.token_urlsafe(24), answer=answer)
    port = free_port()
    tokens = {name: secrets.token_urlsafe(24) for name in ("as", "hs", "registration")}
    _write_settings(folder, port, bridge, tokens, {}, database=database)
    process = SynapseProcess(folder)
    await bridge.start()
    try:
        await process.start()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
            url = f"http://127.0.0.1:{port}"
            homeserver = Homeserver(url, folder, tokens["as"], tokens["registration"], session, bridge, process)
            for localpart in ("bitnexus_keeper", "bitnexus_relay"):
                await homeserver.register(localpart)
            yield homeserver
    finally:
        await process.stop()
        await bridge.stop()


async def start_synapse_in_vain(folder: Path, change: Json) -> str:
    """Start Synapse with a changed setting of the module; give what it says while it ends, which it has to do."""
    bridge = Bridge(port=free_port(), secret=secrets.token_urlsafe(24), answer=allow)
    tokens = {name: secrets.token_urlsafe(24) for name in ("as", "hs", "registration")}
    _write_settings(folder, free_port(), bridge, tokens, change)
    process = await _spawn_synapse(folder)
    try:
        said, _ = await asyncio.wait_for(process.communicate(), START_SECONDS)
    finally:
        await _stop(process)
    assert process.returncode != 0
    return said.decode()


async def _spawn_synapse(folder: Path) -> asyncio.subprocess.Process:
    # The checkout's module comes before an installed copy, which may be older.
    module_path = os.pathsep.join((str(ROOT / "synapse_module"), str(Path(__file__).parent)))
    return await asyncio.create_subprocess_exec(
        synapse_python(),
        "-m",
        "synapse.app.homeserver",
        "--config-path",
        str(folder / "homeserver.yaml"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": module_path, "PYTHONUNBUFFERED": "1"},
        cwd=folder,
    )


@dataclass
class SynapseProcess:
    """One Synapse of a folder, which can be killed and started again."""

    folder: Path
    _process: asyncio.subprocess.Process | None = None
    _reader: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it; returns when it listens."""
        self._process, is_listening = await _spawn_synapse(self.folder), asyncio.Event()
        log = self.folder / "synapse.log"
        self._reader = asyncio.create_task(_follow(self._process, log, is_listening))
        await asyncio.wait_for(is_listening.wait(), START_SECONDS)
        if self._process.returncode is not None or self._reader.done():
            pytest.fail(f"Synapse ended while starting:\n{log.read_text()[-3000:]}")

    async def stop(self) -> None:
        """Stop it as an operator does."""
        if self._process is not None and self._reader is not None:
            await _stop(self._process)
            await self._reader

    async def kill(self) -> None:
        """Kill it as a power cut would."""
        assert self._process is not None
        self._process.kill()
        await self.stop()


async def _follow(process: asyncio.subprocess.Process, log: Path, is_listening: asyncio.Event) -> None:
    """Copy what Synapse says into a file, and notice when it listens or ends."""
    assert process.stdout is not None
    with log.open("ab", buffering=0) as copy:
        async for line in process.stdout:
            copy.write(line)
            if b"now listening on TCP port" in line:
                is_listening.set()
    is_listening.set()


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


def _write_settings(
    folder: Path, port: int, bridge: Bridge, tokens: dict[str, str], change: Json, *, database: Json | None = None
) -> None:
    registration = {
        "id": "bitnexus",
        "url": f"http://127.0.0.1:{bridge.port}",
        "as_token": tokens["as"],
        "hs_token": tokens["hs"],
        "sender_localpart": "bitnexus",
        "rate_limited": False,
        "receive_ephemeral": True,
        "namespaces": {
            "users": [
                {"regex": f"@u_.*:{SERVER_NAME}", "exclusive": False},
                {"regex": f"@bitnexus.*:{SERVER_NAME}", "exclusive": True},
            ]
        },
    }
    _write(folder / "registration.yaml", registration)
    _write(folder / "log.yaml", _LOG)
    seed = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    (folder / "signing.key").write_text(f"ed25519 a_test {seed}\n", encoding="utf-8")
    settings = _homeserver_settings(folder, port, tokens)
    settings["database"] = database or {"name": "sqlite3", "args": {"database": str(folder / "synapse.db")}}
    module = {"module": "unlucky_module.UnluckyModule", "config": _module_settings(bridge) | change}
    _write(folder / "homeserver.yaml", settings | {"modules": [module]})


def _homeserver_settings(folder: Path, port: int, tokens: dict[str, str]) -> Json:
    fast = {"per_second": 1000, "burst_count": 1000}
    return {
        "server_name": SERVER_NAME,
        "report_stats": False,
        "pid_file": str(folder / "synapse.pid"),
        "signing_key_path": str(folder / "signing.key"),
        "media_store_path": str(folder / "media"),
        "log_config": str(folder / "log.yaml"),
        "listeners": [
            {
                "port": port,
                "type": "http",
                "bind_addresses": ["127.0.0.1"],
                "resources": [{"names": ["client", "metrics"]}],
            }
        ],
        "enable_metrics": True,
        "trusted_key_servers": [],
        "federation_domain_whitelist": [],
        "macaroon_secret_key": secrets.token_urlsafe(24),
        "form_secret": secrets.token_urlsafe(24),
        "registration_shared_secret": tokens["registration"],
        "bcrypt_rounds": 4,
        "app_service_config_files": [str(folder / "registration.yaml")],
        # what the module refuses, Synapse itself would allow here
        "alias_creation_rules": [{"action": "allow"}],
        "room_list_publication_rules": [{"action": "allow"}],
        "enable_room_list_search": True,
        **dict.fromkeys(("rc_message", "rc_registration", "rc_admin_redaction", "rc_room_creation"), fast),
        "rc_login": dict.fromkeys(("address", "account", "failed_attempts"), fast),
        "rc_joins": dict.fromkeys(("local", "remote"), fast),
        "rc_joins_per_room": fast,
        "rc_invites": dict.fromkeys(("per_room", "per_user", "per_issuer"), fast),
        "rc_third_party_invite": fast,
    }


def _module_settings(bridge: Bridge) -> Json:
    return {
        "creators": [CREATOR, KEEPER],
        "bots": [RELAY],
        "policy_url": f"http://127.0.0.1:{bridge.port}/_bitnexus/policy",
        "secret": bridge.secret,
        "timeout_seconds": POLICY_TIMEOUT_SECONDS,
    }


def _write(path: Path, content: Json) -> None:
    # JSON is YAML, too
    path.write_text(json.dumps(content), encoding="utf-8")


_LOG: Json = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(name)s %(levelname)s %(message)s"}},
    "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stdout"}},
    "root": {"level": "INFO", "handlers": ["out"]},
    "loggers": {"synapse.storage": {"level": "WARNING"}},
}
