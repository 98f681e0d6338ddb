"""Make, list and revoke a tenant's integration keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bridge.actions.hold_tenant import refuse_removed
from bridge.actions.plan_tenant import find_tenant
from bridge.errors import NotFound
from bridge.model.audit import Actor, AuditEntry
from bridge.model.credential import IntegrationKey, secret_sha256
from bridge.model.ids import RoomKey, TenantID
from bridge.ports import Database, Entropy

KEY_PREFIX = "bxi_"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateIntegrationKey:
    """Make a key; its secret is shown in this answer and never again."""

    database: Database
    entropy: Entropy

    async def __call__(
        self,
        tenant_id: TenantID,
        *,
        name: str,
        scopes: Sequence[str],
        room_keys: Sequence[RoomKey] | None,
        expires_at: datetime | None,
        acting_user: Actor,
    ) -> tuple[IntegrationKey, str]:
        """Return the key and its secret; raises NotFound for an unknown tenant or room."""
        secret = KEY_PREFIX + self.entropy.token()
        async with self.database.act(tenant_id, acting_user) as act:
            tenant = await find_tenant(act)
            refuse_removed(tenant)
            known = {room.key for room in tenant.rooms if not room.personal}
            for index, key in enumerate(room_keys or ()):
                if key not in known:
                    raise NotFound(f"there is no room '{key}' in this tenant", path=f"$.rooms[{index}]")
            created = await act.keys.add(
                name=name,
                prefix=secret[:12],
                secret_sha256=secret_sha256(secret),
                scopes=scopes,
                room_keys=room_keys,
                expires_at=expires_at,
            )
            details = {
                "name": name,
                "scopes": list(scopes),
                "rooms": list(room_keys) if room_keys is not None else None,
            }
            await act.audit(AuditEntry(action="integration_key.created", target=created.key_id, details=details))
        return created, secret


@dataclass(frozen=True, slots=True, kw_only=True)
class ListIntegrationKeys:
    """List a tenant's valid keys, without their secrets."""

    database: Database

    async def __call__(self, tenant_id: TenantID, *, after: str | None, limit: int) -> Sequence[IntegrationKey]:
        """Return up to ``limit`` keys behind ``after``, the oldest first; raises NotFound."""
        async with self.database.work(tenant_id) as work:
            await find_tenant(work)
            return await work.keys.list_valid(after=after, limit=limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeIntegrationKey:
    """End a key at once."""

    database: Database

    async def __call__(self, tenant_id: TenantID, key_id: str, *, acting_user: Actor) -> None:
        """Revoke the key; raises NotFound."""
        async with self.database.act(tenant_id, acting_user) as act:
            if not await act.keys.revoke(key_id):
                raise NotFound("there is no such integration key")
            await act.audit(AuditEntry(action="integration_key.revoked", target=key_id))
