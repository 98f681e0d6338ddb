"""Refuse to begin where the disk has no room or a port is taken: both end badly later, and far from their cause."""

import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

from bridge.demo.errors import DemoError

_GIGABYTE = 1_000_000_000


def require_room(path: Path, needed: int) -> None:
    """Raise DemoError unless the disk that holds ``path`` has ``needed`` bytes free."""
    free = shutil.disk_usage(path).free
    if free < needed:
        raise DemoError(
            f"{path} has {free / _GIGABYTE:.1f} GB free and {needed / _GIGABYTE:.1f} GB are needed: make room there"
        )


def require_ports(ports: Mapping[str, int]) -> None:
    """Raise DemoError naming the first of our ports that somebody else listens on."""
    for name, port in ports.items():
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            # as servers do: a connection that is winding down does not hold the port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except (OSError, OverflowError) as error:
                raise DemoError(
                    f"port {port}, for {name}, is not free on 127.0.0.1 ({error}): stop what uses it, "
                    "or choose other ports, such as: make demo DEMO_PORT_BASE=29400"
                ) from None
