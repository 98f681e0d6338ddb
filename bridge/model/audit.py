"""What an audit row says, and how its hash chain is built."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bridge.model.ids import MemberID, TenantID
from bridge.model.json import Json, canonical_json

ActorKind = Literal["platform", "person", "integration", "system"]

GENESIS = bytes(32)
"""What the first row of a chain names as the hash before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts: the BitNexus backend, a person, an integration key, or the bridge by itself."""

    kind: ActorKind
    id: str

    @staticmethod
    def person(member_id: MemberID) -> "Actor":
        """Return a person as an actor."""
        return Actor(kind="person", id=member_id)


PLATFORM_ACTOR = Actor(kind="platform", id="platform")
SYSTEM_ACTOR = Actor(kind="system", id="bridge")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One act: ``action`` such as ``member.added``; ``personal`` holds what an erasure must be able to take away."""

    action: str
    target: str
    details: Mapping[str, Json] = field(default_factory=dict[str, Json])
    personal: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """An entry as it stands in its chain; ``entry`` is canonical JSON."""

    tenant_id: TenantID
    seq: int
    entry: str
    previous_hash: bytes
    hash: bytes


def commitment(salt: bytes, value: str) -> str:
    """Return the hexadecimal commitment to a personal value: SHA-256 over its salt and its UTF-8."""
    return hashlib.sha256(salt + value.encode()).hexdigest()


def chain_row(
    *,
    tenant_id: TenantID,
    seq: int,
    previous_hash: bytes,
    at_ms: int,
    actor: Actor,
    entry: AuditEntry,
    salts: Mapping[str, bytes],
) -> AuditRow:
    """Return the row that follows ``previous_hash``; ``salts`` has one salt for each personal field."""
    text = canonical_json(
        {
            "tenant_id": tenant_id,
            "seq": seq,
            "at_ms": at_ms,
            "actor": {"kind": actor.kind, "id": actor.id},
            "action": entry.action,
            "target": entry.target,
            "details": entry.details,
            "personal": {name: commitment(salts[name], value) for name, value in entry.personal.items()},
        }
    )
    digest = hashlib.sha256(previous_hash + text).digest()
    return AuditRow(tenant_id=tenant_id, seq=seq, entry=text.decode(), previous_hash=previous_hash, hash=digest)
