"""JSON as a type, and its one canonical form."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import rfc8785

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
JsonObject = Mapping[str, Json]


def canonical_json(value: Json) -> bytes:
    """Return the canonical form of RFC 8785: equal values give equal bytes."""
    return rfc8785.dumps(_plain(value))


def json_sha256(value: Json) -> str:
    """Return the hexadecimal SHA-256 of the canonical form."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def _plain(value: Json) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
