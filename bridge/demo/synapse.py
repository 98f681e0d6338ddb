"""The embedded Synapse: our settings, a client listener on 127.0.0.1, its data in PostgreSQL and the demo's folder."""

from dataclasses import dataclass
from pathlib import Path

from bridge.config import Config
from bridge.demo import checkout
from bridge.demo.credentials import Credentials
from bridge.demo.errors import DemoError
from bridge.demo.ports import Ports
from bridge.demo.probe import answers_ok
from bridge.demo.process import Process
from bridge.demo.roster import Roster
from bridge.demo.settings import address
from bridge.files import write_private
from bridge.registration import Settings, registration, synapse_settings, to_yaml

READY_SECONDS = 120.0


@dataclass(slots=True, kw_only=True)
class Synapse:
    """One Synapse process, of the environment ``.envs/synapse``, with our module in it."""

    directory: Path
    log: Path
    ports: Ports
    credentials: Credentials
    config: Config
    registration_path: Path
    roster: Roster
    _process: Process | None = None

    @property
    def process(self) -> Process:
        """The running server; raises DemoError before ``start``."""
        if self._process is None:
            raise DemoError("Synapse has not been started")
        return self._process

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return address(self.ports.synapse)

    @property
    def home(self) -> Path:
        """The folder with its settings, keys and media."""
        return self.directory / "synapse"

    async def start(self) -> None:
        """Write Synapse's settings anew and start it; returns when it answers."""
        self.home.mkdir(mode=0o700, exist_ok=True)
        write_private(self.registration_path, to_yaml(registration(self.config)))
        write_private(self.home / "signing.key", self.credentials.signing_key)
        write_private(self.home / "log.yaml", to_yaml(_log_settings(self.home / "homeserver.log")))
        write_private(self.home / "homeserver.yaml", to_yaml(self.settings()))
        self._process = Process(
            name="Synapse",
            argv=(
                str(checkout.SYNAPSE_PYTHON),
                "-m",
                "synapse.app.homeserver",
                "-c",
                str(self.home / "homeserver.yaml"),
            ),
            log=self.log,
            cwd=self.home,
            roster=self.roster,
        )
        await self._process.start()
        await self._process.ready(answers_ok(f"{self.url}/health"), seconds=READY_SECONDS)

    async def stop(self) -> None:
        """Stop Synapse; it ends what it is doing first."""
        if self._process is not None:
            await self._process.stop()

    def settings(self) -> Settings:
        """Return the whole of homeserver.yaml: what an operator gets from us, and what only this machine can say."""
        return {**synapse_settings(self.config, registration_path=self.registration_path), **self._local_settings()}

    def _local_settings(self) -> Settings:
        listener: Settings = {
            "port": self.ports.synapse,
            "bind_addresses": ["127.0.0.1"],
            "type": "http",
            "tls": False,
            "x_forwarded": False,
            "resources": [{"names": ["client"], "compress": False}],
        }
        often: Settings = {"per_second": 20, "burst_count": 200}
        return {
            "listeners": [listener],
            "database": self._database(),
            "signing_key_path": str(self.home / "signing.key"),
            "log_config": str(self.home / "log.yaml"),
            "media_store_path": str(self.home / "media"),
            "registration_shared_secret": self.credentials.registration_shared_secret,
            "macaroon_secret_key": self.credentials.macaroon_secret,
            "form_secret": self.credentials.form_secret,
            "password_config": {"enabled": True},
            "bcrypt_rounds": 8,  # random demo passwords, twenty of them at the first start
            # everybody signs in from one address here, 127.0.0.1
            "rc_login": {"address": often, "account": often},
        }

    def _database(self) -> Settings:
        return {
            "name": "psycopg2",
            "args": {
                "user": "synapse",
                "password": self.credentials.synapse,
                "dbname": "synapse",
                "host": "127.0.0.1",
                "port": self.ports.postgres,
                "cp_min": 3,
                "cp_max": 10,
            },
        }


def _log_settings(path: Path) -> Settings:
    return {
        "version": 1,
        "formatters": {"precise": {"format": "%(asctime)s %(levelname)s %(name)s %(request)s: %(message)s"}},
        "handlers": {
            "file": {
                "class": "logging.handlers.RotatingFileHandler",
                "formatter": "precise",
                "filename": str(path),
                "maxBytes": 20_000_000,
                "backupCount": 3,
                "encoding": "utf8",
            },
            # what is wrong at the start must reach the log that the demo shows when Synapse does not get ready
            "console": {"class": "logging.StreamHandler", "formatter": "precise", "level": "WARNING"},
        },
        "loggers": {"synapse.storage.SQL": {"level": "WARNING"}},
        "root": {"level": "INFO", "handlers": ["file", "console"]},
        "disable_existing_loggers": False,
    }
