"""What becomes of a chat that somebody starts in their own client: in which tenant we make it, or why not."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bridge.model.ids import TenantID, UserID

MORE_THAN_ONE = "A chat is between two people. For a room of more, ask an admin of your organisation."
NOBODY = "You cannot start a chat with this person."
SWITCHED_OFF = "Direct chats are switched off in your organisation."


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedTenant:
    """An active tenant that both people are active members of."""

    tenant_id: TenantID
    dms: bool
    has_chat: bool
    """Whether the two have a direct chat in it already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatDecision:
    """Where a chat is opened; nowhere without a tenant. The sentence is what the person reads in their client."""

    sentence: str
    tenant_id: TenantID | None = None


def only_invitee(asker: UserID, invitees: Collection[UserID]) -> UserID | None:
    """Return the one person whom a chat is started with, however often named; None for nobody, more, or oneself."""
    found = set(invitees)
    return found.pop() if len(found) == 1 and asker not in found else None


def decide_chat(shared: Sequence[SharedTenant], *, is_blocked: bool, name: str) -> ChatDecision:
    """Decide about a chat with one person, named ``name`` once both are known to share a tenant.

    A stranger, a person of another tenant and one who blocks get the same answer. Whether direct chats are switched off
    is said before blocks are looked at: it must not tell them apart.
    """
    if not shared:
        return ChatDecision(sentence=NOBODY)
    possible = [tenant for tenant in shared if tenant.dms]
    if not possible:
        return ChatDecision(sentence=SWITCHED_OFF)
    if is_blocked:
        return ChatDecision(sentence=NOBODY)
    chosen = min(possible, key=lambda tenant: (not tenant.has_chat, tenant.tenant_id))
    return ChatDecision(sentence=f"Your chat with {name} is ready in your list.", tenant_id=chosen.tenant_id)
