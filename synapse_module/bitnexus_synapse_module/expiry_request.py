"""Read what the bridge says of people who may use nothing for now, and of those who may again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bitnexus_synapse_module.snapshot import Ours
from bitnexus_synapse_module.stream_request import ParameterError

MAX_CHANGES: Final = 1000
"""How many people one request may speak of."""

_KNOWN: Final = frozenset({"expired", "restored"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Whose accounts are expired from now on, and whose are no longer; nobody is both."""

    expired: frozenset[str]
    restored: frozenset[str]


def read_changes(body: Mapping[str, object], ours: Ours, server_name: str) -> Changes:
    """Read the body of a request; raises ParameterError. Our own accounts cannot expire, nor another server's."""
    if unknown := sorted(str(key) for key in body if key not in _KNOWN):
        raise ParameterError(f"unknown field {unknown[0][:40]!r}")
    changes = Changes(
        expired=_read_people(body, "expired", ours, server_name),
        restored=_read_people(body, "restored", ours, server_name),
    )
    if len(changes.expired) + len(changes.restored) > MAX_CHANGES:
        raise ParameterError(f"the fields may name {MAX_CHANGES} people together")
    if changes.expired & changes.restored:
        raise ParameterError("field 'restored' names somebody whom 'expired' names too")
    return changes


def _read_people(body: Mapping[str, object], name: str, ours: Ours, server_name: str) -> frozenset[str]:
    user_ids = body.get(name, [])
    if not isinstance(user_ids, list) or len(user_ids) > MAX_CHANGES:
        raise ParameterError(f"field '{name}' must be a list of at most {MAX_CHANGES} Matrix user ids")
    for user_id in user_ids:
        if not isinstance(user_id, str) or not _is_of(server_name, user_id):
            raise ParameterError(f"field '{name}' may have Matrix user ids of this server only")
        if user_id in ours:
            raise ParameterError(f"field '{name}' names an account of BitNexus itself")
    return frozenset(user_ids)


def _is_of(server_name: str, user_id: str) -> bool:
    localpart, _, server = user_id.partition(":")
    return localpart.startswith("@") and len(localpart) > 1 and server == server_name
