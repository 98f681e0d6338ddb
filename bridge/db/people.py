"""People of BitNexus and their sessions; global tables, of no tenant."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import asyncpg

from bridge.db.connection import Connection, Pool, connection_of, rows_of
from bridge.model.credential import SessionCredential
from bridge.model.ids import DeviceID, MemberID, UserID
from bridge.model.tenant import Person


class PeopleStore:
    """Implements the port ``People``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self, member_id: MemberID) -> Person | None:
        row = await self._connection.fetchrow("SELECT * FROM users WHERE member_id = $1", member_id)
        return person_from(row) if row else None

    async def save(self, person: Person) -> None:
        """Insert or update; a Matrix id, once given, stays (it is what Synapse knows the person by)."""
        await self._connection.execute(
            "INSERT INTO users (member_id, matrix_id, display_name, super_admin, status) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT (member_id) DO UPDATE SET display_name = $3, super_admin = $4, status = $5,"
            " updated_at = now()",
            person.member_id,
            person.user_id,
            person.display_name,
            person.super_admin,
            "active" if person.active else "suspended",
        )

    async def member_ids(self, user_ids: Sequence[UserID]) -> Mapping[UserID, MemberID]:
        rows = await self._connection.fetch(
            "SELECT matrix_id, member_id FROM users WHERE matrix_id = ANY($1)", list(user_ids)
        )
        return {row["matrix_id"]: row["member_id"] for row in rows}

    async def record_registered(self, user_id: UserID) -> None:
        await self._connection.execute("UPDATE users SET registered = true WHERE matrix_id = $1", user_id)

    async def record_profile_name(self, user_id: UserID, display_name: str) -> None:
        await self._connection.execute("UPDATE users SET profile_name = $2 WHERE matrix_id = $1", user_id, display_name)


class SessionStore:
    """Implements the port ``Sessions``; each call is a transaction of its own."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, *, token_sha256: bytes, member_id: MemberID, device_id: DeviceID, expires_at: datetime) -> None:
        async with connection_of(self._pool) as connection:
            await connection.execute(
                "INSERT INTO sessions (token_sha256, member_id, device_id, expires_at) VALUES ($1, $2, $3, $4)",
                token_sha256,
                member_id,
                device_id,
                expires_at,
            )

    async def find(self, token_sha256: bytes) -> SessionCredential | None:
        async with connection_of(self._pool) as connection:
            row = await connection.fetchrow(
                "SELECT s.session_id::text, s.member_id, u.matrix_id, s.device_id FROM sessions s"
                " JOIN users u USING (member_id)"
                " WHERE s.token_sha256 = $1 AND s.expires_at > now() AND u.status = 'active'",
                token_sha256,
            )
        if row is None:
            return None
        return SessionCredential(
            session_id=row["session_id"],
            member_id=row["member_id"],
            user_id=row["matrix_id"],
            device_id=row["device_id"],
        )

    async def remove(self, session_id: str) -> None:
        async with connection_of(self._pool) as connection:
            await connection.execute("DELETE FROM sessions WHERE session_id::text = $1", session_id)

    async def use_token_once(self, *, iss: str, jti: str, expires_at: datetime) -> bool:
        async with connection_of(self._pool) as connection:
            status = await connection.execute(
                "INSERT INTO used_tokens (iss, jti, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                iss,
                jti,
                expires_at,
            )
        return status == "INSERT 0 1"

    async def forget_expired(self) -> int:
        async with connection_of(self._pool) as connection:
            sessions = await connection.execute("DELETE FROM sessions WHERE expires_at < now()")
            tokens = await connection.execute(
                "DELETE FROM used_tokens WHERE expires_at < now() - interval '10 minutes'"
            )
        return rows_of(sessions) + rows_of(tokens)

    async def forget_token(self, *, iss: str, jti: str) -> None:
        async with connection_of(self._pool) as connection:
            await connection.execute("DELETE FROM used_tokens WHERE iss = $1 AND jti = $2", iss, jti)


def person_from(row: asyncpg.Record) -> Person:
    """Build a Person from a row of ``users``."""
    return Person(
        member_id=row["member_id"],
        user_id=row["matrix_id"],
        display_name=row["display_name"],
        super_admin=row["super_admin"],
        active=row["status"] == "active",
    )
