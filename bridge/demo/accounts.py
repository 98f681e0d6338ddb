"""Whom a part runs as: PostgreSQL refuses root, so root runs it as an account without rights."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

UNPRIVILEGED = "nobody"


@dataclass(frozen=True, slots=True)
class Account:
    """A user and a group of this machine, by number."""

    uid: int
    gid: int


def unprivileged_account() -> Account | None:
    """Return the account that takes root's place, or None when we are not root and need none."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(UNPRIVILEGED)
    return Account(entry.pw_uid, entry.pw_gid)


def everybody_may_enter(path: Path) -> bool:
    """Say whether every user may enter the folder ``path``, or run the program there: nothing on the way is closed."""
    resolved = path.resolve()
    return all(step.stat().st_mode & stat.S_IXOTH for step in (resolved, *resolved.parents))
