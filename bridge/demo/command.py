"""``bitnexus-chat demo``: run the demo here, run it detached, or stop one that runs."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from rich.console import Console

from bridge.demo import checkout
from bridge.demo.errors import DemoError
from bridge.demo.lock import try_lock
from bridge.demo.ports import Ports
from bridge.demo.prepare import PARTS, prepare
from bridge.demo.progress import Steps
from bridge.demo.roster import Roster, end
from bridge.demo.runner import INTERRUPTED, RUNNER, DemoRun, runner_roster
from bridge.demo.stack import log_path

STOP_SECONDS = 60.0
_POLL_SECONDS = 0.1
_TABLE_WIDTH = 120


def run_demo(directory: Path | None, port_base: int, *, detach: bool, stop: bool) -> int:
    """Do what ``bitnexus-chat demo`` was asked for and return the exit status; trouble is told in a sentence.

    ``directory`` None is ``.demo`` in the checkout.
    """
    console = Console() if sys.stdout.isatty() else Console(width=_TABLE_WIDTH)
    steps = Steps(console)
    folder = (directory or checkout.ROOT / ".demo").absolute()
    try:
        if stop:
            return asyncio.run(stop_demo(folder, steps))
        checkout.require_checkout()
        ports = Ports.from_base(port_base)
        if detach:
            return run_detached(folder, port_base, steps)
        return asyncio.run(DemoRun(directory=folder, ports=ports, steps=steps).until_stopped())
    except DemoError as error:
        _say(console, str(error), style="red")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


async def stop_demo(directory: Path, steps: Steps) -> int:
    """Stop the demo of ``directory`` and what a killed one left; return the exit status."""
    if not is_running(directory):
        left = await _end_leftovers(directory)
        ended = f"; ended what a killed one had left: {', '.join(left)}" if left else ""
        _say(steps.console, f"No demo is running in {directory}{ended}.")
        return 0
    runner = runner_roster(directory).entries().get(RUNNER)
    if runner is None:
        raise DemoError(f"a demo holds {directory} and has not written down its process yet: try again")
    with steps.shown(), steps.step("Stopping the demo"):
        await end(runner, seconds=STOP_SECONDS)
        await _end_leftovers(directory)
    return 0


async def _end_leftovers(directory: Path) -> list[str]:
    """End what a demo could not end itself, and take its stack.json away; return the names of what was left."""
    left = await Roster(directory / "processes.json").end_leftovers()
    (directory / "stack.json").unlink(missing_ok=True)
    return left


def is_running(directory: Path) -> bool:
    """Say whether a demo holds the folder."""
    lock = directory / "lock"
    if not lock.exists():
        return False
    with lock.open("r+") as file:
        return not try_lock(file)


def run_detached(directory: Path, port_base: int, steps: Steps) -> int:
    """Prepare here, start the demo in a process that outlives us, and return when it is ready."""
    if is_running(directory):
        raise DemoError(f"a demo runs already in {directory}: 'make demo-stop' stops it")
    with steps.shown():
        asyncio.run(prepare(PARTS, steps))
    log = log_path(directory, "demo")
    directory.mkdir(mode=0o711, parents=True, exist_ok=True)
    log.parent.mkdir(mode=0o700, exist_ok=True)
    stack_path = directory / "stack.json"
    stack_path.unlink(missing_ok=True)
    words = ("demo", "--dir", str(directory), "--port-base", str(port_base))
    with log.open("w", encoding="utf-8") as output, log.open(encoding="utf-8") as said:
        runner = subprocess.Popen(  # noqa: S603 - our own words
            (sys.executable, "-m", "bridge", *words),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        return _follow(runner, said, stack_path, steps.console)


def _follow(runner: "subprocess.Popen[bytes]", said: IO[str], stack_path: Path, console: Console) -> int:
    """Show what the runner says until it is ready or ends; stop it when we are told to stop."""
    try:
        while runner.poll() is None and not stack_path.exists():
            console.out(said.read(), end="", highlight=False)
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        runner.terminate()
        runner.wait(STOP_SECONDS)
    console.out(said.read(), end="", highlight=False)
    if runner.returncode is not None:
        return runner.returncode or 1
    _say(console, f"The demo runs in process {runner.pid}; its log: {said.name}")
    return 0


def _say(console: Console, text: str, style: str | None = None) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True, style=style)
