"""Locks on files: the kernel frees them when their holder ends, however it ends."""

import fcntl
from typing import IO


def try_lock(file: IO[str]) -> bool:
    """Take the lock on ``file`` and return True, or return False when another process holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
