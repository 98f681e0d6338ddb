"""Who a request speaks for."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from bridge.model.audit import PLATFORM_ACTOR, Actor
from bridge.model.ids import MemberID, RoomKey, TenantID, UserID


def secret_sha256(secret: str) -> bytes:
    """Return the digest that a secret is stored and found by, whatever characters a caller sends."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformCredential:
    """The BitNexus backend."""

    @property
    def actor(self) -> Actor:
        """Who stands in the audit log."""
        return PLATFORM_ACTOR


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrationCredential:
    """An integration key of one tenant; ``room_keys`` None reaches every room of it."""

    key_id: str
    tenant_id: TenantID
    scopes: frozenset[str]
    room_keys: frozenset[RoomKey] | None

    @property
    def actor(self) -> Actor:
        """Who stands in the audit log."""
        return Actor(kind="integration", id=self.key_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCredential:
    """A person, by a session token."""

    session_id: str
    member_id: MemberID
    user_id: UserID
    device_id: str

    @property
    def actor(self) -> Actor:
        """Who stands in the audit log."""
        return Actor.person(self.member_id)


Credential = PlatformCredential | IntegrationCredential | SessionCredential


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrationKey:
    """An integration key as lists show it: never its secret."""

    key_id: str
    name: str
    prefix: str
    scopes: tuple[str, ...]
    room_keys: tuple[RoomKey, ...] | None
    created_at: datetime
    expires_at: datetime | None
