"""Run a command to its end: its output to a log, its last line to the screen, its tail into the error."""

import asyncio
import os
import signal
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from bridge.demo.process import tied_to_parent

_TAIL_LINES = 25
_MISLEADING = frozenset({"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "NODE_OPTIONS"})


async def run_command(
    argv: Sequence[str], *, cwd: Path, path: Path | None, log: Path, shown: Callable[[str], None]
) -> tuple[int, str]:
    """Run ``argv`` and return its exit status and the last lines that it wrote; ends it when cancelled.

    ``path`` goes before the PATH. What the caller's environment says of other Pythons is taken out.
    """
    environment = {key: value for key, value in os.environ.items() if key not in _MISLEADING}
    if path is not None:
        environment["PATH"] = f"{path}{os.pathsep}{environment.get('PATH', os.defpath)}"
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    process = await asyncio.create_subprocess_exec(
        *argv,
        cwd=cwd,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=1 << 20,
        start_new_session=True,
        preexec_fn=tied_to_parent(signal.SIGTERM),
    )
    try:
        await _drain(process, log, tail, shown)
        return await process.wait(), "\n".join(tail)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGTERM)  # what it started in its turn, too
            await process.wait()


async def _drain(
    process: asyncio.subprocess.Process, log: Path, tail: deque[str], shown: Callable[[str], None]
) -> None:
    stdout = process.stdout
    if stdout is None:
        raise RuntimeError("the command was started without a pipe")
    with log.open("ab") as file:
        async for raw in stdout:
            file.write(raw)
            line = raw.decode("utf-8", "replace").rstrip()
            tail.append(line)
            shown(line)
