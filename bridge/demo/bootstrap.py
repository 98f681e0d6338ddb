"""Make .venv from the locks with any Python 3.11; uses nothing but the standard library, and runs before we exist.

Run as ``python3.11 -I bridge/demo/bootstrap.py``; a second run with the same inputs does nothing. With
``--is-fresh`` it only says by its exit status whether there is anything to do.
"""

import fcntl
import hashlib
import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
STAMP = ENVIRONMENT / "stamp"
LOCKS = (ROOT / "locks" / "bootstrap.txt", ROOT / "locks" / "bridge.txt")
WANTED = (3, 11)
_AS_IT_STANDS = ("--no-deps", "--no-build-isolation", "--editable")


def fingerprint() -> str:
    """Return where .venv stands, and a hash of everything that it is made from."""
    digest = hashlib.sha256(f"{sys.base_prefix}\n{sys.version}\n".encode())
    for path in (*LOCKS, ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    return f"{ROOT}\n{digest.hexdigest()}\n"


def main() -> int:
    """Make or refresh .venv; return the exit status."""
    if "--is-fresh" in sys.argv[1:]:
        return 0 if is_fresh() else 1
    trouble = what_is_missing()
    if trouble:
        say(trouble)
        return 1
    # two of us at once in one checkout: the second waits, then finds the work done
    (ROOT / ".cache").mkdir(exist_ok=True)
    with (ROOT / ".cache" / "bootstrap.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return 0 if is_fresh() else build()


def is_fresh() -> bool:
    """Say whether .venv stands, runs, and was made from what the locks say now."""
    return PYTHON.exists() and STAMP.exists() and STAMP.read_text() == fingerprint()


def what_is_missing() -> str:
    """Return a sentence on what this Python lacks, or nothing."""
    if sys.version_info[:2] != WANTED:
        return (
            f"BitNexus Chat is locked for Python 3.11, and {sys.executable} is {sys.version.split()[0]}. Install 3.11 "
            "(on Debian: apt-get install -y python3.11 python3.11-venv; with pyenv: pyenv install 3.11) and name it: "
            "make PYTHON=/path/to/python3.11"
        )
    if not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        return (
            f"{sys.executable} has no venv module. On Debian: apt-get install -y python3.11-venv; or name another "
            "Python 3.11: make PYTHON=/path/to/python3.11"
        )
    return ""


def build() -> int:
    """Create .venv, sync it to the locks, install the bridge into it; return the exit status."""
    begun = time.monotonic()
    # what runs inside .venv must not be led elsewhere by the caller's own environment
    environment = {
        key: value for key, value in os.environ.items() if key not in {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"}
    }
    uv = [str(PYTHON), "-m", "uv", "pip"]
    python = ["--python", str(PYTHON)]
    steps = [
        ("uv", [str(PYTHON), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(LOCKS[0])]),
        ("packages", [*uv, "sync", "--quiet", *python, "--require-hashes", *map(str, LOCKS)]),
        ("the bridge", [*uv, "install", "--quiet", *python, *_AS_IT_STANDS, str(ROOT)]),
    ]
    if not stands():
        steps.insert(0, ("interpreter", [sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)]))
    STAMP.unlink(missing_ok=True)
    for number, (name, step) in enumerate(steps, start=1):
        say(f"Python environment (.venv): {number} of {len(steps)}, {name}")
        status = subprocess.run(step, cwd=ROOT, env=environment, check=False).returncode  # noqa: S603 - our own words
        if status:
            say(f"Python environment (.venv): failed with status {status} at: {' '.join(step)}")
            return 1
    STAMP.write_text(fingerprint())
    say(f"Python environment (.venv): ready in {time.monotonic() - begun:.1f} s")
    return 0


def stands() -> bool:
    """Say whether .venv was made here and has a Python that runs and has pip.

    One that was moved with its checkout has the old place in its scripts; one whose Python is gone does not run.
    """
    if not PYTHON.exists() or not STAMP.exists() or STAMP.read_text().split("\n")[0] != str(ROOT):
        return False
    probe = [str(PYTHON), "-I", "-c", "import pip"]
    return subprocess.run(probe, check=False, capture_output=True).returncode == 0  # noqa: S603 - our own words


def say(sentence: str) -> None:
    """Print one line."""
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
