"""Read the module's settings from homeserver.yaml; refuse what is unknown, missing or a placeholder."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from bitnexus_synapse_module.snapshot import Ours

PLACEHOLDER: Final = "change-me"
DEFAULT_TIMEOUT_SECONDS: Final = 2.0
MAX_TIMEOUT_SECONDS: Final = 10.0

_REQUIRED: Final = ("creators", "policy_url", "secret")
_KNOWN: Final = frozenset({*_REQUIRED, "bots", "timeout_seconds"})
# what may follow an "@", by https://spec.matrix.org/v1.16/appendices/#user-identifiers
_USER_ID: Final = re.compile(r"@[a-z0-9._=/+-]+:[A-Za-z0-9.:\[\]-]+")


class SettingError(ValueError):
    """The settings cannot be used; the sentence names the setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set, as README.md describes it."""

    ours: Ours
    policy_url: str
    secret: str
    timeout_seconds: float


def read_settings(raw: object) -> Settings:
    """Read the ``config`` of the module; raises SettingError, whose sentence names the setting."""
    if not isinstance(raw, Mapping):
        raise SettingError("the module's config must be a mapping of settings")
    if unknown := sorted(str(key) for key in raw if key not in _KNOWN):
        raise SettingError(f"unknown setting '{unknown[0]}'; known are {', '.join(sorted(_KNOWN))}")
    if missing := [key for key in _REQUIRED if not raw.get(key)]:
        raise SettingError(f"setting '{missing[0]}' is missing")
    return Settings(
        ours=_read_ours(raw),
        policy_url=_read_url(raw["policy_url"]),
        secret=_read_secret(raw["secret"]),
        timeout_seconds=_read_timeout(raw.get("timeout_seconds", DEFAULT_TIMEOUT_SECONDS)),
    )


def check_server(settings: Settings, server_name: str) -> None:
    """Refuse accounts of another server: they would be strangers who may do everything."""
    for user_id in sorted(settings.ours.creators | settings.ours.bots):
        if user_id.partition(":")[2] != server_name:
            raise SettingError(f"'{user_id}' is not an account of this server, {server_name}")


def _read_ours(raw: Mapping[str, object]) -> Ours:
    creators = _read_user_ids("creators", raw["creators"])
    bots = _read_user_ids("bots", raw.get("bots", []))
    if both := sorted(creators & bots):
        raise SettingError(f"setting 'bots' names '{both[0]}', which is a creator already")
    return Ours(creators=creators, bots=bots)


def _read_user_ids(name: str, value: object) -> frozenset[str]:
    if not isinstance(value, list):
        raise SettingError(f"setting '{name}' must be a list of Matrix user ids")
    for user_id in value:
        if not isinstance(user_id, str) or not _USER_ID.fullmatch(user_id):
            raise SettingError(f"setting '{name}' has {user_id!r}, which is no Matrix user id such as @bitnexus:server")
    return frozenset(value)


def _read_url(value: object) -> str:
    if not isinstance(value, str):
        raise SettingError("setting 'policy_url' must be text")
    try:
        parts = urlsplit(value)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise SettingError("setting 'policy_url' is no URL") from None
    if parts.scheme not in {"http", "https"} or not has_host:
        raise SettingError("setting 'policy_url' must begin with http:// or https:// and name a host")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise SettingError("setting 'policy_url' may have no credentials, query or fragment")
    return value.rstrip("/")


def _read_secret(value: object) -> str:
    if not isinstance(value, str):
        raise SettingError("setting 'secret' must be text")
    if PLACEHOLDER in value:
        raise SettingError("setting 'secret' still has the example's placeholder; give it a value of your own")
    if not (value.isascii() and value.isprintable() and " " not in value):
        raise SettingError("setting 'secret' may have printable ASCII characters only, and no spaces")
    return value


def _read_timeout(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_TIMEOUT_SECONDS:
        raise SettingError(f"setting 'timeout_seconds' must be a number above 0 and at most {MAX_TIMEOUT_SECONDS:g}")
    return float(value)
