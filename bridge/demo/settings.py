"""The bridge's config.yaml in a stack, made from ports and credentials."""

from collections.abc import Mapping
from pathlib import Path

from bridge.config import Config, load_config
from bridge.demo import checkout
from bridge.demo.credentials import Credentials
from bridge.demo.ports import Ports
from bridge.files import write_private
from bridge.model.json import Json
from bridge.registration import Settings, to_yaml

SERVER_NAME = "bitnexus.localhost"
ISSUER = "bitnexus-demo"
AUDIENCE = "bitnexus-chat"
MODEL_NAME = "smollm2-135m-instruct"

Overrides = Mapping[str, Mapping[str, Json]]


def address(port: int) -> str:
    """Return the address of a listener of ours."""
    return f"http://127.0.0.1:{port}"


def write_config(
    path: Path, *, ports: Ports, credentials: Credentials, with_model: bool, overrides: Overrides | None = None
) -> Config:
    """Write the bridge's settings, ``overrides`` by section laid over them; return them as the bridge reads them."""
    settings = _settings(ports, credentials, with_model=with_model)
    for section, values in (overrides or {}).items():
        standing = settings.get(section)
        settings[section] = {**(standing if isinstance(standing, Mapping) else {}), **values}
    write_private(path, "# Written by the demo at each start; changes are lost.\n" + to_yaml(settings))
    return load_config(path, {})


def _settings(ports: Ports, credentials: Credentials, *, with_model: bool) -> Settings:
    return {
        "homeserver": {
            "address": address(ports.synapse),
            "public_address": address(ports.synapse),
            "server_name": SERVER_NAME,
        },
        "appservice": {
            "address": address(ports.appservice),
            "as_token": credentials.as_token,
            "hs_token": credentials.hs_token,
            "module_secret": credentials.module_secret,
            "listen": _listen(ports.appservice),
        },
        "http": {"listen": _listen(ports.bridge), "public_address": address(ports.bridge)},
        "metrics": {"listen": _listen(ports.metrics)},
        "database": {
            "url": _database(ports, "bitnexus_app", credentials.bitnexus_app),
            "system_url": _database(ports, "bitnexus_system", credentials.bitnexus_system),
            "migration_url": _database(ports, "bitnexus_owner", credentials.bitnexus_owner),
        },
        "platform": {"key": credentials.platform_key},
        "sessions": {
            "issuers": [{"iss": ISSUER, "aud": AUDIENCE, "alg": "HS256", "secret": credentials.issuer_secret}],
            "allow_hs256": True,
        },
        "assistant": _assistant(ports, credentials, with_model=with_model),
        "web": {"directory": str(checkout.WEB_BUILD) if checkout.WEB_BUILD.is_dir() else None},
    }


def _assistant(ports: Ports, credentials: Credentials, *, with_model: bool) -> Settings:
    if not with_model:
        return {"base_url": None}
    return {"base_url": f"{address(ports.model)}/v1", "api_key": credentials.model_key, "model": MODEL_NAME}


def _listen(port: int) -> Settings:
    return {"host": "127.0.0.1", "port": port}


def _database(ports: Ports, role: str, password: str) -> str:
    return f"postgresql://{role}:{password}@127.0.0.1:{ports.postgres}/bitnexus"
