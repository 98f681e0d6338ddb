"""The pids of a demo's processes, written down so that the next start can end what a killed one left behind."""

import asyncio
import json
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from bridge.files import write_private

_END_SECONDS = 15.0


class Entry(TypedDict):
    """A process as it was when it began; pids are used again, a pid with its start time and command line is not."""

    pid: int
    started: str
    argv: list[str]
    stop_signal: int


@dataclass(frozen=True, slots=True)
class Roster:
    """The list, in a file; every change is written at once."""

    path: Path

    def add(self, name: str, pid: int, argv: Sequence[str], stop_signal: signal.Signals) -> None:
        """Write a process down that has just been started."""
        entry = Entry(pid=pid, started=start_time(pid) or "", argv=list(argv), stop_signal=int(stop_signal))
        self._write({**self.entries(), name: entry})

    def remove(self, name: str) -> None:
        """Strike a process out that has ended."""
        entries = self.entries()
        entries.pop(name, None)
        self._write(entries)

    def entries(self) -> dict[str, Entry]:
        """Return what is written down, by name, in the order of their starts."""
        try:
            found: dict[str, Entry] = json.loads(self.path.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return found

    async def end_leftovers(self) -> list[str]:
        """End every listed process that still runs, last started first; return their names."""
        ended = [name for name, entry in reversed(self.entries().items()) if await end(entry)]
        self.path.unlink(missing_ok=True)
        return ended

    def _write(self, entries: dict[str, Entry]) -> None:
        write_private(self.path, json.dumps(entries, indent=1))


async def end(entry: Entry, *, seconds: float = _END_SECONDS) -> bool:
    """End the process and return True, or return False when it is no longer there; never touches another's pid."""
    if not is_same(entry):
        return False
    if not await _signalled(entry["pid"], entry["stop_signal"], seconds):
        _kill(entry["pid"])
        await _signalled(entry["pid"], 0, seconds)
    return True


def _kill(pid: int) -> None:
    """Kill the process, and its group where it leads one."""
    try:
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def is_same(entry: Entry) -> bool:
    """Say whether the pid still belongs to the process that was written down."""
    pid = entry["pid"]
    return start_time(pid) == entry["started"] and command_line(pid) == entry["argv"]


def start_time(pid: int) -> str | None:
    """Return when the process began, in ticks since the machine's start; None when it has ended."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = status.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def command_line(pid: int) -> list[str]:
    """Return the process's command line, empty when it has ended."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return raw.decode("utf-8", "surrogateescape").rstrip("\0").split("\0")


def processes_in(folder: Path) -> list[Entry]:
    """Return the processes whose working directory is ``folder``, as far as we may see them."""
    found: list[Entry] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or not _works_in(entry, folder):
            continue
        pid = int(entry.name)
        started = start_time(pid)
        if started is not None:
            found.append(Entry(pid=pid, started=started, argv=command_line(pid), stop_signal=int(signal.SIGTERM)))
    return found


def _works_in(process: Path, folder: Path) -> bool:
    try:
        return (process / "cwd").readlink() == folder.resolve()
    except OSError:  # it ended, or it is another user's
        return False


async def _signalled(pid: int, number: int, seconds: float) -> bool:
    """Send a signal and say whether the process ended in time; it need not be our child."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        os.kill(pid, number)
        async with asyncio.timeout(seconds):
            await ended.wait()
    except ProcessLookupError:
        return True
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    return True
