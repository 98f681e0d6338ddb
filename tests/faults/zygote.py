"""A process that has imported the bridge once, and forks one in milliseconds for each order that comes in.

An order is a line of JSON on standard input; what happens is told in lines of JSON on standard output. When the harness
is gone, the forked bridges and this process go too.
"""

import asyncio
import ctypes
import gc
import os
import selectors
import signal
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import msgspec

from bridge.app import run
from bridge.config import Config, load_config
from bridge.errors import BitnexusError
from bridge.telemetry import set_up_logging
from tests.faults.crash_points import Planted, plant, tell_of_work
from tests.faults.mistakes import spoil

_PR_SET_PDEATHSIG = 1


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Fork a bridge with this configuration; ``off`` names safeguards that it lacks, and mistakes that it makes."""

    config: str
    log: str
    planted: tuple[Planted, ...] = ()
    off: tuple[str, ...] = ()


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened: an order was carried out, a bridge began to work, it came to a planted point, it ended."""

    what: str
    pid: int
    point: str = ""
    status: int = 0


_config_of = cache(load_config)


def main() -> None:
    """Serve orders until standard input ends."""
    out = os.dup(1)
    gc.freeze()  # what is here now stays shared between the processes
    waiting = bytearray()
    ended, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(waking)
    _tell(out, Told(what="ready", pid=os.getpid()))
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ, lambda: _take_orders(waiting, out))
        selector.register(ended, selectors.EVENT_READ, lambda: _reap(ended, out))
        while True:
            for key, _ in selector.select():
                key.data()


def _take_orders(waiting: bytearray, out: int) -> None:
    piece = os.read(0, 65_536)
    if not piece:
        sys.exit(0)  # the bridges get their signal from the kernel
    waiting += piece
    while b"\n" in waiting:
        line, _, rest = bytes(waiting).partition(b"\n")
        waiting[:] = rest
        _fork(msgspec.json.decode(line, type=Order), out)


def _fork(order: Order, out: int) -> None:
    config, parent = _config_of(Path(order.config), None), os.getpid()
    pid = os.fork()
    if pid:
        _tell(out, Told(what="forked", pid=pid))
        return
    try:
        _become_own(order, parent)
        status = _run(order, config, lambda what, point="": _tell(out, Told(what=what, pid=os.getpid(), point=point)))
    except BaseException:  # noqa: BLE001 - nothing of the zygote may run on in the child
        sys.excepthook(*sys.exc_info())
        status = 70
    os._exit(status)


def _become_own(order: Order, parent: int) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    log = os.open(order.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)


def _run(order: Order, config: Config, tell: Callable[..., None]) -> int:
    """Do what ``bitnexus-chat run`` does, with what was planted."""
    spoil(order.off)
    tell_of_work(lambda: tell("works"))
    plant(order.planted, lambda point: tell("point", point))
    set_up_logging(config.logging.level, config.logging.format)
    try:
        asyncio.run(run(config))
    except BitnexusError as error:
        sys.stderr.write(f"bitnexus-chat: {error.sentence}\n")
        return 1
    return 0


def _reap(ended: int, out: int) -> None:
    os.read(ended, 4096)
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _tell(out, Told(what="ended", pid=pid, status=os.waitstatus_to_exitcode(status)))


def _tell(out: int, told: Told) -> None:
    os.write(out, msgspec.json.encode(told) + b"\n")  # one write of less than PIPE_BUF is never torn


if __name__ == "__main__":
    main()
