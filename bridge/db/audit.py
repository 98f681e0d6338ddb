"""Append to a tenant's audit chain: one head per tenant under a row lock, so that a chain never forks."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from bridge.db.connection import Connection
from bridge.model.audit import GENESIS, Actor, AuditEntry, AuditRow, chain_row
from bridge.model.ids import TenantID


async def append_audit(
    connection: Connection, tenant_id: TenantID, actor: Actor, entries: Sequence[AuditEntry], *, now: datetime
) -> None:
    """Add rows behind the head of the tenant's chain, inside the caller's transaction."""
    if not entries:
        return
    await connection.execute(
        "INSERT INTO audit_heads (tenant_id, seq, hash) VALUES ($1, 0, $2) ON CONFLICT DO NOTHING", tenant_id, GENESIS
    )
    head = await connection.fetchrow("SELECT seq, hash FROM audit_heads WHERE tenant_id = $1 FOR UPDATE", tenant_id)
    if head is None:  # pragma: no cover - the insert above made it
        raise RuntimeError("the head of an audit chain is gone")
    rows: list[AuditRow] = []
    personal: list[tuple[TenantID, int, str, bytes, str]] = []
    seq, previous_hash = head["seq"], head["hash"]
    for entry in entries:
        salts = {name: secrets.token_bytes(16) for name in entry.personal}
        row = chain_row(
            tenant_id=tenant_id,
            seq=seq + 1,
            previous_hash=previous_hash,
            at_ms=int(now.timestamp() * 1000),
            actor=actor,
            entry=entry,
            salts=salts,
        )
        rows.append(row)
        personal += [(tenant_id, row.seq, name, salts[name], value) for name, value in entry.personal.items()]
        seq, previous_hash = row.seq, row.hash
    await connection.executemany(
        "INSERT INTO audit_log (tenant_id, seq, entry, previous_hash, hash) VALUES ($1, $2, $3, $4, $5)",
        [(tenant_id, row.seq, row.entry, row.previous_hash, row.hash) for row in rows],
    )
    await connection.executemany(
        "INSERT INTO audit_personal (tenant_id, seq, field, salt, value) VALUES ($1, $2, $3, $4, $5)", personal
    )
    await connection.execute(
        "UPDATE audit_heads SET seq = $2, hash = $3 WHERE tenant_id = $1", tenant_id, seq, previous_hash
    )
