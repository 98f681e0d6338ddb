"""A full disk: what cannot be stored is refused, what was acknowledged stays, with room again all goes on by itself."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from bridge.demo.accounts import unprivileged_account
from tests.faults.rig import Rig
from tests.faults.stage import Run, Stage, running_stage
from tests.support.waiting import until

SIZE = "96m"
_PIECE = b"\0" * 65_536


@pytest.fixture(scope="module")
def small_disk() -> Iterator[Path]:
    """A file system of its own, of 96 MB, that PostgreSQL may write to."""
    place = Path(tempfile.mkdtemp(dir="/var/tmp", prefix="bitnexus-chat-full-"))
    mounted = subprocess.run(  # noqa: S603
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=711", "none", str(place)],  # noqa: S607
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        assert mounted.returncode == 0, (
            "this test fills a small file system of its own, which only root may mount (with CAP_SYS_ADMIN in a "
            f"container): run it as root. mount said: {mounted.stderr.strip()}"
        )
        yield place
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "--lazy", str(place)], check=True)  # noqa: S603, S607
        shutil.rmtree(place)


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory, small_disk: Path) -> AsyncIterator[Stage]:
    """A stage whose bridges have their database on the small disk; Synapse has its own elsewhere."""
    async with running_stage(tmp_path_factory.mktemp("full") / "stack", tenants=1, rooms=1) as running:
        await move_database(running.rig, small_disk)
        yield running


async def move_database(rig: Rig, disk: Path) -> None:
    account, space = unprivileged_account(), disk / "space"
    space.mkdir(mode=0o700)
    if account is not None:
        os.chown(space, account.uid, account.gid)
    await rig.end_bridges()
    connection = await asyncpg.connect(rig.stack.postgres.dsn("postgres", "postgres"))
    await connection.execute(f"CREATE TABLESPACE small LOCATION '{space}'")
    await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'bitnexus'")
    await connection.execute("ALTER DATABASE bitnexus SET TABLESPACE small")
    await connection.close()


def fill(disk: Path) -> Path:
    """Take all the room that is left, and return the file that has it."""
    ballast = disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(_PIECE)
    assert shutil.disk_usage(disk).free == 0
    return ballast


@pytest.mark.timeout(360)
async def test_on_a_full_disk_nothing_is_acknowledged_that_is_not_kept_and_with_room_again_all_goes_on(
    stage: Stage, small_disk: Path
) -> None:
    run = await stage.new_run(off=())
    await stage.rig.start_bridges()
    silence = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for source in run.many_sources(8, longest_text=8_000):
            group.create_task(source.run(silence))
        await until(lambda: acknowledged(run), lambda count: count >= 10)
        ballast = await asyncio.to_thread(fill, small_disk)
        await until(lambda: refused(run), lambda counts: min(counts) >= 3, seconds=90)
        before = await acknowledged(run)
        ballast.unlink()
        await until(lambda: acknowledged(run), lambda count: count >= before + 10, seconds=60)
        silence.set()
    assert all(not replica.life.ended.is_set() for replica in stage.rig.replicas if replica.life)
    verdict = await run.judge(bad=None)
    assert verdict.is_clean, verdict.faults
    assert {given.kind for given in run.log.inputs if given.is_acknowledged} == {"relay", "person"}


async def acknowledged(run: Run) -> int:
    return sum(given.is_acknowledged for given in run.log.inputs)


async def refused(run: Run) -> tuple[int, int]:
    """Return how many posts and how many transactions were answered 503."""
    return run.log.counts["posts answered 503"], run.rig.tap.counts["answered 503"]
