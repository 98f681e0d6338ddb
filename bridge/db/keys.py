"""Integration keys of one tenant; the secret is stored as its SHA-256 alone."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from bridge.db.connection import Connection, rows_of
from bridge.model.credential import IntegrationKey
from bridge.model.ids import RoomKey, TenantID


class KeyStore:
    """Implements the port ``Keys``."""

    def __init__(self, connection: Connection, tenant_id: TenantID) -> None:
        self._connection, self._tenant_id = connection, tenant_id

    async def add(
        self,
        *,
        name: str,
        prefix: str,
        secret_sha256: bytes,
        scopes: Sequence[str],
        room_keys: Sequence[RoomKey] | None,
        expires_at: datetime | None,
    ) -> IntegrationKey:
        row = await self._connection.fetchrow(
            "INSERT INTO integration_keys (tenant_id, name, prefix, secret_sha256, scopes, room_keys, expires_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *",
            self._tenant_id,
            name,
            prefix,
            secret_sha256,
            list(scopes),
            None if room_keys is None else list(room_keys),
            expires_at,
        )
        if row is None:  # pragma: no cover - an insert without ON CONFLICT returns its row
            raise RuntimeError("an inserted key came back without a row")
        return _key_from(row)

    async def list_valid(self, *, after: str | None, limit: int) -> Sequence[IntegrationKey]:
        rows = await self._connection.fetch(
            # a key that was revoked meanwhile still says where to go on
            "SELECT * FROM integration_keys WHERE tenant_id = $1 AND revoked_at IS NULL"
            " AND ($2::text IS NULL OR (created_at, key_id) >"
            " (SELECT created_at, key_id FROM integration_keys WHERE tenant_id = $1 AND key_id::text = $2))"
            " ORDER BY created_at, key_id LIMIT $3",
            self._tenant_id,
            after,
            limit,
        )
        return [_key_from(row) for row in rows]

    async def revoke(self, key_id: str) -> bool:
        status = await self._connection.execute(
            "UPDATE integration_keys SET revoked_at = now()"
            " WHERE tenant_id = $1 AND key_id::text = $2 AND revoked_at IS NULL",
            self._tenant_id,
            key_id,
        )
        return status == "UPDATE 1"

    async def revoke_all(self) -> int:
        status = await self._connection.execute(
            "UPDATE integration_keys SET revoked_at = now() WHERE tenant_id = $1 AND revoked_at IS NULL",
            self._tenant_id,
        )
        return rows_of(status)


def _key_from(row: asyncpg.Record) -> IntegrationKey:
    return IntegrationKey(
        key_id=str(row["key_id"]),
        name=row["name"],
        prefix=row["prefix"],
        scopes=tuple(row["scopes"]),
        room_keys=None if row["room_keys"] is None else tuple(row["room_keys"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )
