"""What others offer for the same, run beside our stack: mautrix's application service as it is, and matrix-webhook."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from bench.stock_mautrix import Settings as StockSettings
from bridge.demo import checkout
from bridge.demo.postgres import SUPERUSER
from bridge.demo.probe import answers_ok
from bridge.demo.process import Process
from bridge.demo.stack import Stack
from bridge.demo.synapse import Synapse
from bridge.files import write_private
from bridge.registration import Settings, to_yaml

NEIGHBOURS_PYTHON = checkout.ENVIRONMENTS / "neighbours" / "bin" / "python"
_READY_SECONDS = 60.0


@dataclass(slots=True, kw_only=True)
class SharedSynapse(Synapse):
    """A Synapse that has other application services beside ours."""

    others: Sequence[Path]

    def settings(self) -> Settings:
        """Return our settings, with the other registrations."""
        settings = Synapse.settings(self)
        return {**settings, "app_service_config_files": [str(self.registration_path), *map(str, self.others)]}


@dataclass(slots=True, kw_only=True)
class Peer:
    """A process that is killed and started again as the bridge is."""

    name: str
    stack: Stack
    argv: tuple[str, ...]
    cwd: Path
    ready_url: str
    process: Process | None = None

    async def start(self) -> None:
        """Start it; returns when it answers."""
        self.process = Process(
            name=self.name, argv=self.argv, log=self.stack.log(self.name), cwd=self.cwd, roster=self.stack.roster
        )
        await self.process.start()
        await self.process.ready(answers_ok(self.ready_url), seconds=_READY_SECONDS)

    async def kill(self) -> None:
        """Kill it at once."""
        if self.process is not None:
            await self.process.kill()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """How a mautrix service is run."""

    synchronous: bool = False
    work_seconds: float = 0.0


def with_stock_services(stack: Stack, *, services: Mapping[str, Stock]) -> tuple[Stack, list[Peer]]:
    """Return the stack with a Synapse that knows these mautrix services, by name, and the services."""
    peers, paths = [], []
    for number, (name, stock) in enumerate(services.items()):
        settings = StockSettings(
            name=name,
            homeserver=stack.synapse.url,
            server_name=stack.config.homeserver.server_name,
            port=_free_ports(stack)[number],
            as_token=secrets.token_urlsafe(32),
            hs_token=secrets.token_urlsafe(32),
            synchronous=stock.synchronous,
            work_seconds=stock.work_seconds,
            database=stack.postgres.dsn(SUPERUSER, "postgres"),
        )
        folder = stack.directory / name
        folder.mkdir()
        write_private(folder / "settings.json", msgspec.json.encode(settings).decode())
        paths.append(folder / "registration.yaml")
        write_private(paths[-1], to_yaml(_registration(settings, stack)))
        argv = (str(checkout.BRIDGE_PYTHON), "-m", "bench.stock_mautrix", str(folder / "settings.json"))
        url = f"http://127.0.0.1:{settings.port}/_matrix/mau/ready"
        peers.append(Peer(name=name, stack=stack, argv=argv, cwd=checkout.ROOT, ready_url=url))
    shared = SharedSynapse(
        **{name: getattr(stack.synapse, name) for name in Synapse.__dataclass_fields__ if name != "_process"},
        others=paths,
    )
    return replace(stack, synapse=shared), peers


def _free_ports(stack: Stack) -> tuple[int, ...]:
    """Return the ports of the stack's row that nothing of it listens on here."""
    return (stack.ports.model, *range(stack.ports.host_page, stack.ports.host_page + 4))


def _registration(settings: StockSettings, stack: Stack) -> dict[str, Any]:
    """Return a registration by which the service hears of every room that one of our people is in, as we do."""
    prefix, server = stack.config.appservice.human_prefix, settings.server_name.replace(".", r"\.")
    return {
        "id": settings.name,
        "url": f"http://127.0.0.1:{settings.port}",
        "as_token": settings.as_token,
        "hs_token": settings.hs_token,
        "sender_localpart": settings.name,
        "rate_limited": False,
        "namespaces": {"users": [{"exclusive": False, "regex": f"@{prefix}.*:{server}"}], "rooms": [], "aliases": []},
    }


def matrix_webhook(stack: Stack, *, user_id: str, access_token: str, key: str) -> Peer:
    """Return a matrix-webhook that sends as a user of its own."""
    port = _free_ports(stack)[-1]
    folder = stack.directory / "matrix-webhook"
    folder.mkdir()
    argv = (
        *(str(NEIGHBOURS_PYTHON), "-m", "matrix_webhook", "--host", "127.0.0.1", "--port", str(port)),
        *("--matrix-url", stack.synapse.url, "--matrix-id", user_id, "--matrix-token", access_token, "--api-key", key),
    )
    return Peer(name="matrix-webhook", stack=stack, argv=argv, cwd=folder, ready_url=f"http://127.0.0.1:{port}/health")
