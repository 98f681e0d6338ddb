"""Read what the bridge asks of the streams: its secret, and which piece it wants."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000
SPAN: Final = 10_000
"""How many positions one request looks at, whatever it finds: other people's rooms may fill most of a stream."""

_MAX_POSITION: Final = 2**63 - 1
_MAX_DIGITS: Final = 19
_KNOWN: Final = frozenset({b"after", b"until", b"limit"})


class Credential(StrEnum):
    """What came in the place of the secret."""

    RIGHT = "right"
    MISSING = "missing"
    WRONG = "wrong"


class ParameterError(ValueError):
    """A parameter cannot be used; the sentence names it."""

    def __init__(self, sentence: str, *, is_missing: bool = False) -> None:
        super().__init__(sentence)
        self.is_missing = is_missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A piece of a stream: positions above ``after``, up to ``until`` or the end, at most ``limit`` items."""

    after: int
    until: int | None
    limit: int

    def upper(self, end: int) -> int:
        """Give the last position that one request looks at; below ``after`` it never goes."""
        last = end if self.until is None else min(end, self.until)
        return max(self.after, min(last, self.after + SPAN))

    def reached(self, found: Sequence[int], end: int) -> int:
        """Give how far an answer with the positions ``found`` reaches, found by this piece's own bounds."""
        return found[-1] if len(found) >= self.limit else self.upper(end)


def check_credential(headers: Sequence[bytes], secret: str) -> Credential:
    """Compare the Authorization headers of a request, of which there must be one, in constant time."""
    if len(headers) != 1:
        return Credential.WRONG if headers else Credential.MISSING
    scheme, _, token = headers[0].strip().partition(b" ")
    if scheme.lower() != b"bearer":
        return Credential.MISSING
    is_right = hmac.compare_digest(token.strip(), secret.encode())
    return Credential.RIGHT if is_right else Credential.WRONG


def read_wanted(query: Mapping[bytes, Sequence[bytes]]) -> Wanted:
    """Read the parameters of a request; raises ParameterError."""
    refuse_unknown(query, _KNOWN)
    after = _read_number(query, "after", least=0, most=_MAX_POSITION)
    if after is None:
        raise ParameterError("parameter 'after' is missing", is_missing=True)
    limit = _read_number(query, "limit", least=1, most=MAX_LIMIT)
    return Wanted(
        after=after,
        until=_read_number(query, "until", least=0, most=_MAX_POSITION),
        limit=DEFAULT_LIMIT if limit is None else limit,
    )


def refuse_unknown(query: Mapping[bytes, Sequence[bytes]], known: frozenset[bytes] = frozenset()) -> None:
    """Refuse parameters that mean nothing, a secret in the query among them; raises ParameterError."""
    if unknown := sorted(query.keys() - known):
        raise ParameterError(f"unknown parameter {unknown[0][:40].decode(errors='replace')!r}")


def _read_number(query: Mapping[bytes, Sequence[bytes]], name: str, *, least: int, most: int) -> int | None:
    values = query.get(name.encode(), ())
    if not values:
        return None
    if len(values) > 1:
        raise ParameterError(f"parameter '{name}' is given more than once")
    text = values[0]
    # isdigit of bytes knows ASCII only; the length first, because long numbers are slow to read
    number = int(text) if len(text) <= _MAX_DIGITS and text.isdigit() else -1
    if not least <= number <= most:
        raise ParameterError(f"parameter '{name}' must be an integer from {least} to {most}")
    return number
