"""The machine's clock and randomness."""

import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime


class SystemClock:
    """The machine's clock; implements the port ``Clock``."""

    def now(self) -> datetime:
        """Return the time, with its zone."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds of a clock that never goes back."""
        return time.monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemEntropy:
    """The operating system's randomness; implements the port ``Entropy``."""

    human_prefix: str

    def localpart(self) -> str:
        """Return a new opaque localpart: 100 bits, nothing of the person in it."""
        alphabet = "abcdefghijkmnpqrstuvwxyz23456789"
        return self.human_prefix + "".join(secrets.choice(alphabet) for _ in range(20))

    def token(self) -> str:
        """Return a new token of 256 bits."""
        return secrets.token_urlsafe(32)
