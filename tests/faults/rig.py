"""The stack under test: real Synapse and PostgreSQL, bridges on one database, and a proxy on every way between."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from bridge.demo.credentials import Credentials, keep_credentials
from bridge.demo.ports import Ports
from bridge.demo.settings import Overrides, address, write_config
from bridge.demo.stack import Stack, running_stack
from tests.faults.proxy import Leg, running_leg
from tests.faults.replica import Life, Replica, Zygote, running_zygote
from tests.faults.tap import Tap, running_tap
from tests.faults.truth import Truth
from tests.support.backend import Backend
from tests.support.waiting import until

READY_SECONDS = 60.0


@dataclass(slots=True, kw_only=True)
class Ledger:
    """What was done to the stack, with times; each entry is also a line of ``trace``, to be read beside the logs."""

    trace: Path
    kills: list[tuple[float, str]] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)

    def note(self, fault: str, *, is_kill: bool = False) -> None:
        now = time.time()
        if is_kill:
            self.kills.append((now, fault))
        else:
            self.faults[fault] += 1
        with self.trace.open("a", encoding="utf-8") as lines:
            lines.write(f"{datetime.fromtimestamp(now, UTC).isoformat()} {'kill: ' * is_kill}{fault}\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """Everything there is to break, and what happens to it."""

    stack: Stack
    zygote: Zygote
    replicas: tuple[Replica, ...]
    """Synapse knows the first alone; n8n and people come to any of them."""
    backends: tuple[Backend, ...]
    tap: Tap
    to_synapse: Leg
    to_postgres: Leg
    http: aiohttp.ClientSession
    ledger: Ledger

    @property
    def legs(self) -> tuple[Leg, Leg]:
        return self.to_synapse, self.to_postgres

    async def start_bridges(self, *, off: tuple[str, ...] = ()) -> None:
        """Start both bridges, whole but for the safeguards in ``off``; returns when they are ready."""
        for replica in self.replicas:
            await replica.end()
            replica.off = off
            await replica.start()
        for backend in self.backends:
            await until(lambda b=backend: _is_ready(b), bool, seconds=READY_SECONDS)

    async def end_bridges(self, number: signal.Signals = signal.SIGKILL) -> None:
        await asyncio.gather(*(replica.end(number) for replica in self.replicas))

    @asynccontextmanager
    async def truth(self) -> AsyncGenerator[Truth, None]:
        """Open both databases past the proxies."""
        bridge, synapse = self.stack.postgres_dsn, self.stack.postgres.dsn("postgres", "synapse")
        size = {"min_size": 1, "max_size": 2}
        async with asyncpg.create_pool(bridge, **size) as one, asyncpg.create_pool(synapse, **size) as other:
            yield Truth(bridge=one, synapse=other)


@asynccontextmanager
async def running_rig(
    directory: Path, *, bridges: int = 2, overrides: Overrides | None = None
) -> AsyncGenerator[Rig, None]:
    """Run the stack with its proxies for as long as the block lasts; the bridges are not started."""
    ledger, credentials, ports = _begin(directory)
    async with AsyncExitStack() as opened:
        tap = await opened.enter_async_context(running_tap(credentials.hs_token))
        tap.target = address(ports.appservice)
        to_synapse = await opened.enter_async_context(running_leg("bridge to Synapse", ports.synapse))
        to_postgres = await opened.enter_async_context(running_leg("bridge to PostgreSQL", ports.postgres))
        ways = _ways(credentials, tap, to_synapse, to_postgres)
        ways["http"] = {"public_address": address(ports.bridge)}  # one for both, as behind a balancer
        settings = {
            name: {**ways.get(name, {}), **(overrides or {}).get(name, {})} for name in {*ways, *(overrides or {})}
        }
        stack = await opened.enter_async_context(
            running_stack(directory, ports=ports, with_model=False, with_bridge=False, overrides=settings, keep=False)
        )
        await _recover_swiftly(stack)
        zygote = await opened.enter_async_context(
            running_zygote(stack.log("zygote"), lambda life: _note_end(ledger, life))
        )
        replicas = tuple(_replica(stack, zygote, settings, number) for number in range(bridges))
        connector = aiohttp.TCPConnector(limit=0)
        http = await opened.enter_async_context(aiohttp.ClientSession(connector=connector))
        backends = tuple(Backend(http=http, stack=_facts(stack, replica)) for replica in replicas)
        rig = Rig(
            stack=stack, zygote=zygote, replicas=replicas, backends=backends, tap=tap,
            to_synapse=to_synapse, to_postgres=to_postgres, http=http, ledger=ledger,
        )  # fmt: skip
        opened.push_async_callback(rig.end_bridges)
        try:
            yield rig
        except Exception:
            await _keep_what_is_left(rig)
            raise


def _begin(directory: Path) -> tuple[Ledger, Credentials, Ports]:
    directory.mkdir(mode=0o711, parents=True, exist_ok=True)
    return Ledger(trace=directory / "faults.log"), keep_credentials(directory / "credentials.json"), Ports.free()


async def _recover_swiftly(stack: Stack) -> None:
    """Have PostgreSQL sync its file system after a crash instead of thousands of files one by one: 0.1 s, not 5."""
    connection = await asyncpg.connect(stack.postgres_dsn)
    await connection.execute("ALTER SYSTEM SET recovery_init_sync_method = 'syncfs'")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()


async def _keep_what_is_left(rig: Rig) -> None:
    """Write down what waits in the bridges' database, beside the logs: the stack is about to go."""
    with suppress(OSError, asyncpg.PostgresError):
        async with rig.truth() as truth:
            (rig.stack.directory / "left.log").write_text("\n".join(await truth.work_left()))


def _ways(credentials: Credentials, tap: Tap, to_synapse: Leg, to_postgres: Leg) -> dict[str, dict[str, Any]]:
    """Return the settings by which all that the bridges say goes through the proxies, and all that Synapse says."""

    def database(role: str, password: str) -> str:
        return f"postgresql://{role}:{password}@127.0.0.1:{to_postgres.port}/bitnexus"

    return {
        "homeserver": {"address": address(to_synapse.port)},
        "appservice": {"address": address(tap.port)},
        "database": {
            "url": database("bitnexus_app", credentials.bitnexus_app),
            "system_url": database("bitnexus_system", credentials.bitnexus_system),
            "migration_url": database("bitnexus_owner", credentials.bitnexus_owner),
        },
    }


def _replica(stack: Stack, zygote: Zygote, settings: Overrides, number: int) -> Replica:
    """Return the bridge of the stack, or a further one on its database with listeners of its own."""
    path, ports, name = stack.config_path, stack.ports, f"bridge-{number}"
    if number:
        own = Ports.free()
        ports = replace(ports, bridge=own.bridge, appservice=own.appservice, metrics=own.metrics)
        path = stack.directory / f"{name}.yaml"
        write_config(path, ports=ports, credentials=stack.credentials, with_model=False, overrides=settings)
    return Replica(
        name=name,
        zygote=zygote,
        config_path=path,
        log=stack.log(name),
        url=address(ports.bridge),
        appservice_url=address(ports.appservice),
    )


def _facts(stack: Stack, replica: Replica) -> Mapping[str, Any]:
    issuer = stack.config.sessions.issuers[0]
    return {
        "bridge_url": replica.url,
        "platform_key": stack.credentials.platform_key,
        "server_name": stack.config.homeserver.server_name,
        "demo_issuer": {"iss": issuer.iss, "aud": issuer.aud, "alg": issuer.alg, "secret": issuer.secret},
    }


def _note_end(ledger: Ledger, life: Life) -> None:
    if life.status == -signal.SIGKILL:
        ledger.note(f"bridge at {life.points[-1]}" if life.points else "bridge", is_kill=True)


async def _is_ready(backend: Backend) -> bool:
    try:
        return (await backend.call("GET", "/ready", token=None)).status == 200
    except aiohttp.ClientError:
        return False
