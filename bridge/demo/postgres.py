"""The embedded PostgreSQL: programs from a wheel, durable data in the demo's folder, on 127.0.0.1 alone."""

import asyncio
import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from bridge.demo import checkout
from bridge.demo.accounts import Account, unprivileged_account
from bridge.demo.errors import DemoError
from bridge.demo.postgres_place import Place, make_place
from bridge.demo.process import Process
from bridge.demo.roster import Roster, end, processes_in
from bridge.files import write_private

READY_SECONDS = 60.0
SUPERUSER = "postgres"
_LOCALE = {"LC_ALL": "C", "LANG": "C"}


@dataclass(slots=True, kw_only=True)
class Postgres:
    """One cluster with the databases ``bitnexus`` and ``synapse``; ``passwords`` are by role."""

    directory: Path
    log: Path
    port: int
    passwords: Mapping[str, str]
    roster: Roster
    _process: Process | None = None
    _account: Account | None = field(default_factory=unprivileged_account)

    @property
    def process(self) -> Process:
        """The running server; raises DemoError before ``start``."""
        if self._process is None:
            raise DemoError("PostgreSQL has not been started")
        return self._process

    def dsn(self, role: str, database: str = "bitnexus") -> str:
        """Return the address of a database, for a role and with its password."""
        return f"postgresql://{role}:{self.passwords[role]}@127.0.0.1:{self.port}/{database}"

    async def start(self) -> None:
        """Start the server, from nothing or from what a crash left; returns when roles and databases stand."""
        place = make_place(self.directory, self._account)
        await _end_strays(place)
        if not place.data.exists():
            await self._make_cluster(place)
        self._process = Process(
            name="PostgreSQL",
            argv=(place.program("postgres"), "-D", str(place.data), *_settings(self.port)),
            log=self.log,
            cwd=place.home,
            roster=self.roster,
            environment=_LOCALE,
            stop_signal=signal.SIGINT,  # "fast": SIGTERM would wait for every client to leave
            account=self._account,
        )
        await self._process.start()
        await self._process.ready(self._answers, seconds=READY_SECONDS)
        await self._make_roles(place)

    async def stop(self) -> None:
        """Stop the server; open transactions are rolled back."""
        if self._process is not None:
            await self._process.stop()

    async def _make_cluster(self, place: Place) -> None:
        """Make the cluster beside its place and move it there whole, so that a half made one is never taken up."""
        half, secret = place.home / "half", place.home / "password"
        shutil.rmtree(half, ignore_errors=True)
        write_private(secret, self.passwords[SUPERUSER])
        if self._account is not None:
            os.chown(secret, self._account.uid, self._account.gid)
        try:
            await self._run(
                place,
                place.program("initdb"),
                *("-D", str(half), "--locale=C", "--encoding=UTF8", "--auth=scram-sha-256"),
                *(f"--username={SUPERUSER}", f"--pwfile={secret}", "--no-instructions"),
                account=self._account,
            )
        finally:
            secret.unlink(missing_ok=True)
        half.rename(place.data)

    async def _make_roles(self, place: Place) -> None:
        connection = {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": SUPERUSER, "PGDATABASE": "postgres"}
        words = ("--no-psqlrc", "--quiet", "--file", str(checkout.POSTGRES_INIT))
        roles = {f"{role.upper()}_PASSWORD": word for role, word in self.passwords.items() if role != SUPERUSER}
        environment = {**connection, "PGPASSWORD": self.passwords[SUPERUSER], **roles}
        await self._run(place, place.program("psql"), *words, environment=environment)

    async def _run(
        self,
        place: Place,
        *argv: str,
        environment: Mapping[str, str] | None = None,
        account: Account | None = None,
    ) -> None:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=place.home,
            env={**kept, **_LOCALE, **(environment or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
        output, _ = await process.communicate()
        if process.returncode:
            said = output.decode("utf-8", "replace").strip()
            raise DemoError(f"PostgreSQL: {Path(argv[0]).name} ended with status {process.returncode}.\n{said}")

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.dsn(SUPERUSER, "postgres"), timeout=5)
        except (OSError, TimeoutError, asyncpg.CannotConnectNowError):
            return False
        await connection.close()
        return True


async def _end_strays(place: Place) -> None:
    """End what still runs on this data and remove the pid file of a server that was killed.

    PostgreSQL itself refuses to start beside a backend that outlived its server, and when the pid in the file lives
    again as anybody's process.
    """
    pid_file = place.data / "postmaster.pid"
    words = pid_file.read_text(encoding="utf-8", errors="replace").split() if pid_file.exists() else ["0"]
    for stray in processes_in(place.data):
        number = signal.SIGINT if str(stray["pid"]) == words[0] else signal.SIGQUIT
        await end({**stray, "stop_signal": int(number)})
    pid_file.unlink(missing_ok=True)


def _settings(port: int) -> tuple[str, ...]:
    """Return the server's settings: durable, one address, no socket file (its path may be too long for one)."""
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "fsync": "on",
        "full_page_writes": "on",
        "max_connections": "120",
        "shared_buffers": "128MB",
        "password_encryption": "scram-sha-256",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    return tuple(word for key, value in settings.items() for word in ("-c", f"{key}={value}"))
