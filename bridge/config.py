"""Read config.yaml and the environment into one frozen Config; refuse what is unknown, missing or a placeholder."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_type_hints

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bridge.errors import ConfigError
from bridge.model.json import Json

ENVIRONMENT_PREFIX = "BITNEXUS_"
PLACEHOLDER = "change-me"


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of the configuration; unknown keys are refused."""


class Homeserver(_Section, frozen=True, kw_only=True):
    """The Synapse that we are attached to."""

    address: str
    public_address: str
    server_name: str
    room_version: Literal["11", "12"] = "12"
    request_timeout_seconds: float = 30.0


class Listener(_Section, frozen=True, kw_only=True):
    """Where a listener binds."""

    host: str = "127.0.0.1"
    port: int


class Appservice(_Section, frozen=True, kw_only=True):
    """What the registration says of us, and where Synapse reaches us."""

    id: str = "bitnexus"
    address: str
    as_token: str
    hs_token: str
    module_secret: str
    listen: Listener
    sender_localpart: str = "bitnexus"
    keeper_localpart: str = "bitnexus_keeper"
    relay_localpart: str = "bitnexus_relay"
    assistant_localpart: str = "bitnexus_nexushub"
    human_prefix: str = "u_"
    max_body_bytes: int = 32 * 1024 * 1024


class Http(_Section, frozen=True, kw_only=True):
    """The main listener: the /v1 API and the embedded client."""

    listen: Listener
    public_address: str
    max_body_bytes: int = 1024 * 1024
    drain_seconds: float = 1.0


class Metrics(_Section, frozen=True, kw_only=True):
    """The listener of /metrics."""

    listen: Listener


class Database(_Section, frozen=True, kw_only=True):
    """PostgreSQL, by three roles: the application's, the narrow one across tenants, and the owner's for migrations."""

    url: str
    system_url: str
    migration_url: str | None = None
    max_connections: int = 10


class Platform(_Section, frozen=True, kw_only=True):
    """The BitNexus backend: its credential, and how much it may take away without asking twice."""

    key: str
    max_removal_percent: Annotated[int, msgspec.Meta(ge=0, le=100)] = 20
    grace_days: Annotated[int, msgspec.Meta(ge=0, le=365)] = 30


class Issuer(_Section, frozen=True, kw_only=True):
    """Who may sign the tokens that sessions are opened with; one algorithm each."""

    iss: str
    aud: str
    alg: Literal["EdDSA", "ES256", "RS256", "HS256"]
    secret: str


class Sessions(_Section, frozen=True, kw_only=True):
    """Sessions of people: issuers of their tokens, and how long a session lasts."""

    issuers: tuple[Issuer, ...] = ()
    lifetime_seconds: int = 12 * 3600
    allow_hs256: bool = False


class Assistant(_Section, frozen=True, kw_only=True):
    """NexusHub, behind any endpoint that speaks the OpenAI chat API."""

    name: str = "NexusHub"
    base_url: str | None = None
    api_key: str = "none"
    model: str = "default"
    instructions: str = "You are NexusHub, the assistant of BitNexus. Answer briefly and plainly."
    timeout_seconds: float = 120.0
    max_tokens: int = 400


class Worker(_Section, frozen=True, kw_only=True):
    """How work is taken from the queues."""

    concurrency: int = 16
    lease_seconds: float = 5.0
    poll_seconds: float = 1.0
    drain_seconds: float = 10.0


class Repair(_Section, frozen=True, kw_only=True):
    """How Synapse is watched, and how often its streams are compared with what it has sent us."""

    watch_seconds: float = 2.0
    interval_seconds: float = 30.0


class Reconcile(_Section, frozen=True, kw_only=True):
    """How tenants are kept as desired when nobody asks."""

    verify_seconds: Annotated[float, msgspec.Meta(gt=0)] = 86400.0
    look_seconds: Annotated[float, msgspec.Meta(gt=0)] = 60.0


class Logging(_Section, frozen=True, kw_only=True):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class Web(_Section, frozen=True, kw_only=True):
    """The embedded client's build, served at /chat/."""

    directory: str | None = None


class Config(_Section, frozen=True, kw_only=True):
    """Everything that can be set; ``config.example.yaml`` shows it with comments."""

    homeserver: Homeserver
    appservice: Appservice
    http: Http
    metrics: Metrics
    database: Database
    platform: Platform
    sessions: Sessions = Sessions()
    assistant: Assistant = Assistant()
    worker: Worker = Worker()
    repair: Repair = Repair()
    reconcile: Reconcile = Reconcile()
    logging: Logging = Logging()
    web: Web = Web()


def load_config(path: Path, environment: Mapping[str, str] | None = None) -> Config:
    """Read ``path``, lay the environment over it, and return the Config.

    ``BITNEXUS_SECTION_KEY`` overrides ``section.key``; with ``_FILE`` behind, the value is the content of the named
    file. Raises ConfigError, whose sentence names the setting.
    """
    tree = _read_yaml(path)
    _overlay(tree, os.environ if environment is None else environment)
    try:
        # not strict: what comes from the environment is text, numbers and booleans too
        config = msgspec.convert(tree, Config, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_setting_path(str(error))}") from None
    _refuse_placeholders(msgspec.to_builtins(config), path)
    _refuse_weak_issuers(config, path)
    return config


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"cannot read {path}: it is not UTF-8 text") from None
    try:
        tree: object = YAML(typ="safe", pure=True).load(text)  # pyright: ignore[reportUnknownMemberType] - untyped
    except YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} must be a mapping of settings")
    # a section whose settings are all in comments is null
    return {key: value for key, value in cast("dict[str, Any]", tree).items() if value is not None}


def _overlay(tree: dict[str, Any], environment: Mapping[str, str]) -> None:
    for name, raw in environment.items():
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        setting = name.removeprefix(ENVIRONMENT_PREFIX)
        value = raw
        if setting.endswith("_FILE"):
            setting, value = setting.removesuffix("_FILE"), _read_secret(name, raw)
        section, _, key = setting.lower().partition("_")
        if section in _SECTIONS and key:
            _set(tree, section, key.split("__"), value, name)


def _set(tree: dict[str, Any], section: str, keys: list[str], value: str, name: str) -> None:
    node = tree
    for key in (section, *keys[:-1]):
        inner = node.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"environment variable {name} points into {key}, which is not a mapping")
        node = cast("dict[str, Any]", inner)
    node[keys[-1]] = value


def _read_secret(name: str, file_name: str) -> str:
    try:
        return Path(file_name).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"environment variable {name} names {file_name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"environment variable {name} names {file_name}: it is not UTF-8 text") from None


def _setting_path(message: str) -> str:
    """Turn msgspec's ``... - at `$.homeserver.port``` into a sentence that begins with the setting."""
    sentence, _, where = message.partition(" - at `$")
    return f"setting '{where.strip('.`') or 'top level'}': {sentence}"


def _refuse_placeholders(node: Json, path: Path, where: str = "") -> None:
    if isinstance(node, Mapping):
        for key, value in node.items():
            _refuse_placeholders(value, path, f"{where}.{key}".lstrip("."))
    elif isinstance(node, str):
        if PLACEHOLDER in node:
            raise ConfigError(f"{path}: setting '{where}' still has the example's placeholder; give it your own value")
    elif isinstance(node, Sequence):
        for index, value in enumerate(node):
            _refuse_placeholders(value, path, f"{where}[{index}]")


def _refuse_weak_issuers(config: Config, path: Path) -> None:
    for index, issuer in enumerate(config.sessions.issuers):
        if issuer.alg == "HS256" and not config.sessions.allow_hs256:
            raise ConfigError(
                f"{path}: setting 'sessions.issuers[{index}].alg' is HS256, a shared secret; use EdDSA, ES256 or RS256 "
                "(the demo alone sets sessions.allow_hs256)"
            )


_SECTIONS = frozenset(get_type_hints(Config))
