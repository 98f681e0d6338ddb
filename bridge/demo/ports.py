"""The ports of one stack: seven in a row in the demo, any seven in tests."""

import itertools
import os
import socket
from contextlib import ExitStack
from dataclasses import asdict, dataclass

from bridge.demo.errors import DemoError

DEFAULT_BASE = 29300
_RESERVED = 10
_LOWEST, _HIGHEST = 1024, 65536 - _RESERVED
# below the ports that Linux gives to clients (32768 and up), where a connection could stand in the way
_ROWS = range(20_000, 32_000, 50)
_given = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where each part listens on 127.0.0.1."""

    bridge: int
    appservice: int
    metrics: int
    synapse: int
    postgres: int
    model: int
    host_page: int

    @classmethod
    def from_base(cls, base: int) -> "Ports":
        """Return the ports from ``base`` upward; the three behind them are kept for n8n."""
        if not _LOWEST <= base <= _HIGHEST:
            raise DemoError(f"DEMO_PORT_BASE must be a number from {_LOWEST} to {_HIGHEST}, not {base}")
        return cls.of(range(base, base + _RESERVED))

    @classmethod
    def of(cls, numbers: "range | list[int]") -> "Ports":
        """Return the ports with the first seven of ``numbers``, in the order of the fields."""
        bridge, appservice, metrics, synapse, postgres, model, host_page = list(numbers)[:7]
        return cls(
            bridge=bridge,
            appservice=appservice,
            metrics=metrics,
            synapse=synapse,
            postgres=postgres,
            model=model,
            host_page=host_page,
        )

    @classmethod
    def free(cls) -> "Ports":
        """Return a row of ports on 127.0.0.1 that nobody listens on now.

        No row is given twice in a process, and each process begins elsewhere: who looks at the same moment, before
        anybody listens, finds another row.
        """
        for _ in _ROWS:
            base = _ROWS[(97 * os.getpid() + next(_given)) % len(_ROWS)]
            with ExitStack() as held:
                try:
                    for port in range(base, base + _RESERVED):
                        held.enter_context(socket.socket()).bind(("127.0.0.1", port))
                except OSError:
                    continue
                return cls.from_base(base)
        raise DemoError("there is no row of free ports on 127.0.0.1")

    def by_name(self) -> dict[str, int]:
        """Return the ports by the name of what listens there."""
        return asdict(self)
