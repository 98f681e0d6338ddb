"""Where PostgreSQL's data and programs lie: in the demo's folder, or outside where root's stand-in may not go there."""

import hashlib
import os
import secrets
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from bridge.demo import checkout
from bridge.demo.accounts import UNPRIVILEGED, Account, everybody_may_enter
from bridge.demo.errors import DemoError
from bridge.files import write_private

_OUTSIDE = Path("/var/tmp")  # noqa: S108 - kept over restarts, and entered by everybody; its name is checked below
_PREFIX = "bitnexus-chat-"
_OWNER = "demo"
_RECORD = "postgres-place"
_TOKEN = "token"  # noqa: S105 - a file's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The folder that holds ``data``, and the one with PostgreSQL's ``bin``, ``lib`` and ``share``."""

    home: Path
    install: Path

    @property
    def data(self) -> Path:
        """The database cluster."""
        return self.home / "data"

    def program(self, name: str) -> str:
        """Return the path of one of PostgreSQL's programs."""
        return str(self.install / "bin" / name)


def make_place(directory: Path, account: Account | None) -> Place:
    """Return the place for the demo in ``directory``, made if need be and owned by ``account``.

    Without an account, or where the account may enter everything, that is inside ``directory``. Else programs and data
    go below /var/tmp, and ``directory`` keeps a record of it for ``remove_place``.
    """
    if account is None:
        home = directory / "postgres"
        home.mkdir(mode=0o700, exist_ok=True)
        return Place(home=home, install=checkout.POSTGRES_INSTALL)
    is_open = everybody_may_enter(directory) and everybody_may_enter(checkout.POSTGRES_INSTALL / "bin" / "postgres")
    if is_open and not _record(directory).exists():
        return Place(home=_owned(directory / "postgres", account), install=checkout.POSTGRES_INSTALL)
    if (directory / "postgres" / "data").exists():
        raise DemoError(
            f"{directory} holds a database that {UNPRIVILEGED} owns, and a folder on the way is closed to it"
        )
    outside = _outside(directory)
    return Place(home=_owned(outside / "postgres", account), install=_copied_programs(outside))


def remove_place(directory: Path) -> None:
    """Remove what stands outside ``directory`` for it, if anything does."""
    record = _record(directory)
    if record.exists():
        outside, token = _read_record(record)
        if _is_ours(outside) and _token(outside) == token:
            shutil.rmtree(outside)
        record.unlink()


def remove_orphans() -> None:
    """Remove what stands outside for demos whose own folder is gone, taken away by hand."""
    for outside in _OUTSIDE.glob(f"{_PREFIX}*"):
        owner = outside / _OWNER
        if _is_ours(outside) and owner.is_file() and not Path(owner.read_text(encoding="utf-8")).exists():
            shutil.rmtree(outside, ignore_errors=True)  # another demo that starts may be at it, too


def _outside(directory: Path) -> Path:
    """Return the folder outside, made anew unless the one that stands there belongs to this very demo."""
    remove_orphans()
    record = _record(directory)
    name = hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:16]
    wanted = _OUTSIDE / f"{_PREFIX}{name}"
    if record.exists():
        outside, token = _read_record(record)
        if _is_ours(outside) and _token(outside) == token:
            return outside
    if wanted.exists() or wanted.is_symlink():
        if not _is_ours(wanted):
            raise DemoError(f"{wanted} stands in the way and belongs to somebody else: remove it")
        shutil.rmtree(wanted)
    wanted.mkdir(mode=0o711)
    wanted.chmod(0o711)
    token = secrets.token_hex(16)
    write_private(wanted / _TOKEN, token)
    write_private(wanted / _OWNER, str(directory.resolve()))
    write_private(record, f"{wanted}\n{token}\n")
    return wanted


def _record(directory: Path) -> Path:
    return directory / _RECORD


def _read_record(record: Path) -> tuple[Path, str]:
    outside, token = record.read_text(encoding="utf-8").split()
    return Path(outside), token


def _is_ours(path: Path) -> bool:
    """Say whether ``path`` is a folder of our own: others may make one by that name in a folder open to all."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022


def _token(outside: Path) -> str:
    token = outside / _TOKEN
    return token.read_text(encoding="utf-8") if token.is_file() else ""


def _owned(folder: Path, account: Account) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    os.chown(folder, account.uid, account.gid)
    return folder


def _copied_programs(outside: Path) -> Path:
    """Copy PostgreSQL's programs and libraries, once for each version of them; return their ``pginstall``."""
    source = checkout.POSTGRES_INSTALL
    version = hashlib.sha256((checkout.LOCKS / "demo.txt").read_bytes()).hexdigest()[:16]
    # the programs look for their libraries three folders up, as the wheel lays them out
    top = outside / f"programs-{version}"
    if not top.exists():
        half = outside / "programs-half"
        shutil.rmtree(half, ignore_errors=True)
        for old in outside.glob("programs-*"):
            shutil.rmtree(old)
        shutil.copytree(
            source, half / source.parent.name / source.name, ignore=shutil.ignore_patterns("include", "*.a")
        )
        shutil.copytree(checkout.POSTGRES_LIBRARIES, half / checkout.POSTGRES_LIBRARIES.name)
        _open_to_all(half)
        half.rename(top)
    return top / source.parent.name / source.name


def _open_to_all(top: Path) -> None:
    for path in (top, *top.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o444))
