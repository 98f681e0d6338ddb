"""The steps of an erasure, in their order."""

from collections.abc import Mapping
from dataclasses import replace

from bridge.model.erasure import Erasure, Step

_ORDER: tuple[Step, ...] = ("leave", "content", "account", "redact", "finish")


def next_step(erasure: Erasure) -> Erasure:
    """Return the erasure at the beginning of its next step; from the last one it goes back to the first.

    It goes back when a tenant has taken the person in again meanwhile.
    """
    following = _ORDER[(_ORDER.index(erasure.step) + 1) % len(_ORDER)]
    return replace(erasure, step=following, position="")


def count(erasure: Erasure, more: Mapping[str, int]) -> Erasure:
    """Return the erasure with more counted in."""
    names = erasure.counts.keys() | more.keys()
    return replace(erasure, counts={name: erasure.counts.get(name, 0) + more.get(name, 0) for name in sorted(names)})
