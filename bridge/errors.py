"""The one tree of errors; each carries a Matrix errcode and an HTTP status, and a sentence for a person.

BitnexusError                     500 M_UNKNOWN
├── InvalidInput                  400 M_INVALID_PARAM     (``path`` names the field)
│   ├── MalformedJson             400 M_NOT_JSON
│   └── MissingInput              400 M_MISSING_PARAM
├── MissingCredential             401 M_MISSING_TOKEN
├── UnknownCredential             401 M_UNKNOWN_TOKEN
├── Forbidden                     403 M_FORBIDDEN
├── NotFound                      404 M_NOT_FOUND
├── Conflict                      409 M_CONFLICT
│   └── NeedsConfirmation         409 M_CONFLICT          (``plan`` says what would be done)
├── TooLarge                      413 M_TOO_LARGE
├── KeyReused                     422 M_DUPLICATE_KEY     (same idempotency key, another body)
├── LimitExceeded                 429 M_LIMIT_EXCEEDED    (``retry_after_ms``)
├── DependencyDown                503 M_UNAVAILABLE       (PostgreSQL, Synapse, the assistant)
│   ├── DependencyBusy            503 M_UNAVAILABLE       (it told us to wait, ``retry_after_ms`` long)
│   └── DependencyFailed          503 M_UNAVAILABLE       (it answered, and the answer was that it failed)
├── HomeserverRefused             502 the homeserver's own errcode; a permanent answer to one of our requests
└── ConfigError                   the process does not start
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

DEFAULT_RETRY_AFTER_MS = 1000


class BitnexusError(Exception):
    """Base of every error that we raise on purpose."""

    errcode: ClassVar[str] = "M_UNKNOWN"
    status: ClassVar[int] = 500

    def __init__(self, sentence: str, **details: str | int) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.details: Mapping[str, str | int] = MappingProxyType(details)

    @property
    def body(self) -> dict[str, object]:
        """The Matrix standard error that tells of this one."""
        return {"errcode": self.errcode, "error": self.sentence, **self.details}


class InvalidInput(BitnexusError):
    """The request's content is wrong; ``path`` names the field, such as ``$.rooms[2].type``."""

    errcode = "M_INVALID_PARAM"
    status = 400

    def __init__(self, sentence: str, *, path: str = "$") -> None:
        super().__init__(sentence, path=path)
        self.path = path


class MalformedJson(InvalidInput):
    """The body is not JSON."""

    errcode = "M_NOT_JSON"


class MissingInput(InvalidInput):
    """A field that must be there is not."""

    errcode = "M_MISSING_PARAM"


class MissingCredential(BitnexusError):
    """The request has no bearer token."""

    errcode = "M_MISSING_TOKEN"
    status = 401


class UnknownCredential(BitnexusError):
    """The request's token is not one of ours, has expired or was revoked."""

    errcode = "M_UNKNOWN_TOKEN"
    status = 401


class Forbidden(BitnexusError):
    """The credential is good and does not reach this far."""

    errcode = "M_FORBIDDEN"
    status = 403


class NotFound(BitnexusError):
    """There is no such thing, or the asker may not know that there is."""

    errcode = "M_NOT_FOUND"
    status = 404


class Conflict(BitnexusError):
    """The request contradicts what stands."""

    errcode = "M_CONFLICT"
    status = 409


class NeedsConfirmation(Conflict):
    """A change takes so much away that it is made only when the hash of its plan comes with it."""

    def __init__(self, sentence: str, *, plan: Mapping[str, object]) -> None:
        super().__init__(sentence)
        self.plan = plan

    @property
    def body(self) -> dict[str, object]:
        """The Matrix standard error, with the plan."""
        return {**super().body, "plan": dict(self.plan)}


class TooLarge(BitnexusError):
    """The body is larger than the listener takes."""

    errcode = "M_TOO_LARGE"
    status = 413


class KeyReused(BitnexusError):
    """An idempotency key came again with another body."""

    errcode = "M_DUPLICATE_KEY"
    status = 422


class LimitExceeded(BitnexusError):
    """Too many requests; ``retry_after_ms`` says how long to wait."""

    errcode = "M_LIMIT_EXCEEDED"
    status = 429

    def __init__(self, sentence: str, *, retry_after_ms: int) -> None:
        super().__init__(sentence, retry_after_ms=retry_after_ms)
        self.retry_after_ms = retry_after_ms


class DependencyDown(BitnexusError):
    """Something that we need does not answer; trying again later is right."""

    errcode = "M_UNAVAILABLE"
    status = 503

    def __init__(self, sentence: str, *, retry_after_ms: int = DEFAULT_RETRY_AFTER_MS) -> None:
        super().__init__(sentence, retry_after_ms=retry_after_ms)
        self.retry_after_ms = retry_after_ms


class DependencyBusy(DependencyDown):
    """Something that we need limits us, and says for how long."""


class DependencyFailed(DependencyDown):
    """Something that we need answered that it failed: for now, or with this one request for ever."""


class HomeserverRefused(BitnexusError):
    """The homeserver answered one of our requests with a permanent error; trying again cannot help."""

    status = 502

    def __init__(self, sentence: str, *, errcode: str, http_status: int) -> None:
        super().__init__(sentence, homeserver_errcode=errcode, homeserver_status=http_status)
        self.homeserver_errcode = errcode
        self.http_status = http_status


class ConfigError(BitnexusError):
    """The configuration cannot be used; the sentence names the setting."""
