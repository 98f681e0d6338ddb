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


def same_json(one: Json, other: Json) -> bool:
    """Say whether two values have the same canonical form, without making it: true is not 1, and 1 is 1.0."""
    if one is other:
        return True
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    if isinstance(one, Mapping):
        return isinstance(other, Mapping) and _same_objects(one, other)
    if isinstance(one, Sequence):
        return isinstance(other, Sequence) and _same_arrays(one, other)
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _same_objects(one: JsonObject, other: JsonObject) -> bool:
    return one.keys() == other.keys() and all(same_json(value, other[key]) for key, value in one.items())


def _same_arrays(one: Sequence[Json], other: Sequence[Json]) -> bool:
    return len(one) == len(other) and all(same_json(left, right) for left, right in zip(one, other, strict=True))


def json_sha256(value: Json) -> str:
    """Return the hexadecimal SHA-256 of the canonical form."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def _plain(value: Json) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
