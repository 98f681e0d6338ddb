"""Write settings.example.yaml: what `bitnexus-chat registration` makes of config.example.yaml, placeholders and all."""

from pathlib import Path

import msgspec
from ruamel.yaml import YAML

from bridge.config import Config
from bridge.registration import settings_text

ROOT = Path(__file__).resolve().parents[2]
REGISTRATION = Path("/etc/matrix-synapse/bitnexus-registration.yaml")

if __name__ == "__main__":
    # not by load_config, which refuses placeholders
    config = msgspec.convert(YAML(typ="safe", pure=True).load(ROOT / "config.example.yaml"), Config)
    text = settings_text(config, registration_path=REGISTRATION)
    (ROOT / "deploy" / "synapse" / "settings.example.yaml").write_text(text, encoding="utf-8")
