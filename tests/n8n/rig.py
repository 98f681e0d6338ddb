"""Run a real n8n without a screen: import, start, activate, call its webhooks, read its executions, stop."""

import asyncio
import json
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import ClientError, ClientSession, ClientTimeout, CookieJar

from tests.n8n.install import Node, find_node, n8n_folder

START_SECONDS = 90.0
IMPORT_SECONDS = 90.0
STOP_SECONDS = 20.0
ANSWER_SECONDS = 60.0
POLL_SECONDS = 0.2
API_SCOPES = ("workflow:activate", "workflow:deactivate", "execution:read", "execution:list")
# n8n's own programs that call home, or that these tests have no use for
OUTWARD_OFF = {
    "N8N_DIAGNOSTICS_ENABLED": "false",
    "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
    "N8N_VERSION_NOTIFICATIONS_WHATS_NEW_ENABLED": "false",
    "N8N_DYNAMIC_BANNERS_ENABLED": "false",
    "N8N_TEMPLATES_ENABLED": "false",
    "N8N_PERSONALIZATION_ENABLED": "false",
    "N8N_HIRING_BANNER_ENABLED": "false",
    "N8N_LICENSE_AUTO_RENEW_ENABLED": "false",
    "N8N_COMMUNITY_PACKAGES_ENABLED": "false",
    "N8N_AI_ENABLED": "false",
    "N8N_DISABLED_MODULES": "mcp-registry,mcp,instance-ai,agents,chat-hub,workflow-builder,insights",
}
Json = dict[str, Any]
T = TypeVar("T")


class RigError(Exception):
    """n8n did not do what it was asked to; the sentence ends with its last lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a webhook of n8n answered."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class N8n:
    """A running n8n, with a key to its public API."""

    url: str
    api_key: str
    session: ClientSession

    async def activate(self, workflow_id: str, webhook_path: str) -> None:
        """Activate a workflow, and return when its webhook is registered (n8n answers before it is)."""
        await self._api("POST", f"/api/v1/workflows/{workflow_id}/activate")

        async def registered() -> bool:
            # asking with another method runs nothing, and the answer names the method that is registered
            async with self.session.get(f"{self.url}/webhook/{webhook_path}") as response:
                return "POST request" in await response.text()

        await until(registered, ANSWER_SECONDS, f"webhook {webhook_path} to be registered")

    async def call(self, webhook_path: str, body: Json) -> Answer:
        """Call a workflow's webhook and return what its last node gave, or n8n's error."""
        async with self.session.post(f"{self.url}/webhook/{webhook_path}", json=body) as response:
            return Answer(status=response.status, body=await response.json())

    async def failed_execution(self, workflow_id: str, *, about: str) -> Json:
        """Return the failed execution whose data contain ``about``; n8n stores it after it has answered."""
        query = f"workflowId={workflow_id}&status=error&includeData=true&limit=20"

        async def stored() -> Json | None:
            executions = (await self._api("GET", f"/api/v1/executions?{query}"))["data"]
            return next((one for one in executions if about in json.dumps(one)), None)

        return await until(stored, ANSWER_SECONDS, f"a failed execution of {workflow_id} about {about!r}")

    async def _api(self, method: str, path: str) -> Json:
        headers = {"X-N8N-API-KEY": self.api_key, "Content-Type": "application/json"}
        async with self.session.request(method, self.url + path, headers=headers) as response:
            text = await response.text()
            if response.status != 200:
                raise RigError(f"n8n answered {method} {path} with {response.status}: {text[:500]}")
            return dict(json.loads(text))


@asynccontextmanager
async def running_n8n(folder: Path, *, credentials: Sequence[Json], workflows: Sequence[Json]) -> AsyncIterator[N8n]:
    """Give an n8n that lives in ``folder``, listens on 127.0.0.1 only, and has these credentials and workflows."""
    node = find_node()
    environment = _environment(node, folder)
    for kind, things in (("credentials", credentials), ("workflow", workflows)):
        source = folder / f"{kind}.json"
        source.write_text(json.dumps(things), encoding="utf-8")
        await _import(node, environment, kind, source)
        source.unlink()
    url = f"http://127.0.0.1:{environment['N8N_PORT']}"
    async with _process(node, environment, folder / "n8n.log") as process, _session() as session:
        await _until_ready(session, url, process, folder / "n8n.log")
        yield N8n(url=url, api_key=await _set_up_owner(session, url), session=session)


async def until(condition: Callable[[], Awaitable[T | None]], seconds: float, what: str) -> T:
    """Ask ``condition`` again and again, and return its first true answer; TimeoutError after ``seconds``."""
    try:
        async with asyncio.timeout(seconds):
            while not (found := await condition()):  # noqa: ASYNC110 - another process's state has no event to wait on
                await asyncio.sleep(POLL_SECONDS)
            return found
    except TimeoutError:
        raise TimeoutError(f"waited {seconds:.0f} s in vain for {what}") from None


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(node: Node, folder: Path) -> dict[str, str]:
    port = str(free_port())
    return {
        **OUTWARD_OFF,
        "PATH": f"{node.home / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "HOME": str(folder),
        "N8N_USER_FOLDER": str(folder),
        "N8N_ENCRYPTION_KEY": secrets.token_hex(24),
        "N8N_HOST": "127.0.0.1",
        "N8N_LISTEN_ADDRESS": "127.0.0.1",
        "N8N_PORT": port,
        "N8N_RUNNERS_BROKER_PORT": str(free_port()),
        "N8N_SECURE_COOKIE": "false",
        "N8N_LOG_LEVEL": "info",
        "GENERIC_TIMEZONE": "UTC",
    }


def _command(node: Node, *arguments: str) -> tuple[str, ...]:
    return (str(node.binary), str(n8n_folder() / "node_modules/n8n/bin/n8n"), *arguments)


async def _import(node: Node, environment: Mapping[str, str], kind: str, source: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *_command(node, f"import:{kind}", f"--input={source}"),
        # a process of its own wants a broker port of its own
        env={**environment, "N8N_RUNNERS_BROKER_PORT": str(free_port())},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), IMPORT_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0 or b"Successfully imported" not in output:
        raise RigError(f"n8n import:{kind} ended with status {process.returncode}:\n{output.decode()[-2000:]}")


@asynccontextmanager
async def _process(node: Node, environment: Mapping[str, str], log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *_command(node, "start"),
            env=environment,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            await _stop(process)


async def _stop(process: asyncio.subprocess.Process) -> None:
    """End n8n, and with it the task runners of its process group."""
    if process.returncode is None:
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _session() -> ClientSession:
    # unsafe: aiohttp keeps no cookies of plain addresses otherwise
    return ClientSession(timeout=ClientTimeout(total=ANSWER_SECONDS), cookie_jar=CookieJar(unsafe=True))


async def _until_ready(session: ClientSession, url: str, process: asyncio.subprocess.Process, log: Path) -> None:
    async def ready() -> bool:
        if process.returncode is not None:
            raise RigError(f"n8n ended with status {process.returncode} at its start:\n{_tail(log)}")
        try:
            async with session.get(f"{url}/healthz/readiness") as response:
                return response.status == 200
        except ClientError:
            return False

    try:
        await until(ready, START_SECONDS, "n8n to be ready")
    except TimeoutError as error:
        raise RigError(f"{error}:\n{_tail(log)}") from None


async def _set_up_owner(session: ClientSession, url: str) -> str:
    """Make n8n's first account and a key to its public API; the session's cookies carry the sign-in."""
    owner = {
        "email": "author@bitnexus.test",
        "firstName": "Test",
        "lastName": "Author",
        "password": f"Aa1{secrets.token_urlsafe(12)}",
    }
    await _rest(session, f"{url}/rest/owner/setup", owner)
    wanted = {"label": "tests", "scopes": API_SCOPES, "expiresAt": None}
    return str((await _rest(session, f"{url}/rest/api-keys", wanted))["data"]["rawApiKey"])


async def _rest(session: ClientSession, url: str, body: Json) -> Json:
    async with session.post(url, json=body) as response:
        text = await response.text()
        if response.status != 200:
            raise RigError(f"n8n answered {url} with {response.status}: {text[:500]}")
        return dict(json.loads(text))


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]
