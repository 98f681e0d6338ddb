"""People of BitNexus and their sessions; global tables, of no tenant."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import asyncpg

from bridge.db.connection import Connection, Pool, connection_of, rows_of
from bridge.db.person_tasks import PersonTaskStore
from bridge.model.credential import SessionCredential
from bridge.model.ids import DeviceID, MemberID, UserID
from bridge.model.tenant import Person


class PeopleStore:
    """Implements the port ``People``."""

    def __init__(self, connection: Connection, tasks: PersonTaskStore) -> None:
        self._connection, self._tasks = connection, tasks

    async def find(self, member_id: MemberID) -> Person | None:
        row = await self._connection.fetchrow("SELECT * FROM users WHERE member_id = $1", member_id)
        return person_from(row) if row else None

    async def find_all(self, member_ids: Collection[MemberID]) -> Mapping[MemberID, Person]:
        rows = await self._connection.fetch(
            # held until the end: nobody writes back what somebody else has changed meanwhile, a suspension above all
            "SELECT * FROM users WHERE member_id = ANY($1) ORDER BY member_id FOR NO KEY UPDATE",
            list(member_ids),
        )
        return {row["member_id"]: person_from(row) for row in rows}

    async def save(self, *people: Person) -> None:
        before = await self.find_all([person.member_id for person in people])
        # in one order everywhere, so that two that save the same people do not wait for each other
        await self._connection.executemany(
            "INSERT INTO users (member_id, matrix_id, display_name, super_admin, status, avatar_url)"
            " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (member_id) DO UPDATE SET display_name = $3,"
            " super_admin = $4, status = $5, avatar_url = $6, updated_at = now()",
            [
                (
                    person.member_id,
                    person.user_id,
                    person.display_name,
                    person.super_admin,
                    "active" if person.active else "suspended",
                    person.avatar_url,
                )
                for person in sorted(people, key=lambda person: person.member_id)
            ],
        )
        await self._follow(before, people)

    async def _follow(self, before: Mapping[MemberID, Person], people: Sequence[Person]) -> None:
        """See to it that Synapse hears of what people may do now."""
        changed = [
            (before[person.member_id], person)
            for person in people
            if person.member_id in before and _standing_of(before[person.member_id]) != _standing_of(person)
        ]
        # the lane of standings first: see the order of locks
        await self._tasks.enqueue("standing", [new.member_id for _, new in changed])
        await self._tasks.end_sessions([new.member_id for old, new in changed if old.active and not new.active])
        staff = [new.member_id for old, new in changed if old.super_admin or new.super_admin]
        staff += [person.member_id for person in people if person.member_id not in before and person.super_admin]
        await self._tasks.enqueue("staff", staff)

    async def member_ids(self, user_ids: Sequence[UserID]) -> Mapping[UserID, MemberID]:
        rows = await self._connection.fetch(
            "SELECT matrix_id, member_id FROM users WHERE matrix_id = ANY($1)", list(user_ids)
        )
        return {row["matrix_id"]: row["member_id"] for row in rows}

    async def are_blocking(self, one: MemberID, other: MemberID) -> bool:
        found: bool = await self._connection.fetchval(
            "SELECT EXISTS (SELECT FROM blocks WHERE (member_id, blocked_member_id) IN (($1, $2), ($2, $1)))",
            one,
            other,
        )
        return found

    async def blocked_by(self, member_id: MemberID) -> Sequence[MemberID]:
        rows = await self._connection.fetch(
            "SELECT blocked_member_id FROM blocks WHERE member_id = $1 ORDER BY blocked_member_id", member_id
        )
        return [MemberID(row["blocked_member_id"]) for row in rows]

    async def record_registered(self, user_id: UserID) -> None:
        await self._connection.execute("UPDATE users SET registered = true WHERE matrix_id = $1", user_id)

    async def record_profile_name(self, user_id: UserID, display_name: str) -> None:
        await self._connection.execute("UPDATE users SET profile_name = $2 WHERE matrix_id = $1", user_id, display_name)

    async def record_profile_avatar(self, user_id: UserID, avatar_url: str) -> None:
        await self._connection.execute("UPDATE users SET profile_avatar = $2 WHERE matrix_id = $1", user_id, avatar_url)


class SessionStore:
    """Implements the port ``Sessions``; each call is a transaction of its own.

    Whether a session may be used is a question across tenants, for the narrow role.
    """

    def __init__(self, pool: Pool, system: Pool) -> None:
        self._pool, self._system = pool, system

    async def epoch(self, member_id: MemberID) -> int:
        async with connection_of(self._pool) as connection:
            found: int | None = await connection.fetchval(
                "SELECT sessions_epoch FROM standings WHERE member_id = $1", member_id
            )
        return found or 0

    async def add(
        self, *, token_sha256: bytes, member_id: MemberID, device_id: DeviceID, expires_at: datetime, epoch: int
    ) -> bool:
        async with connection_of(self._pool) as connection:
            status = await connection.execute(
                "INSERT INTO sessions (token_sha256, member_id, device_id, expires_at, epoch)"
                " SELECT $1, member_id, $3, $4, $5 FROM users LEFT JOIN standings USING (member_id)"
                " WHERE member_id = $2 AND coalesce(sessions_epoch, 0) = $5",
                token_sha256,
                member_id,
                device_id,
                expires_at,
                epoch,
            )
        return rows_of(status) == 1

    async def find(self, token_sha256: bytes) -> SessionCredential | None:
        async with connection_of(self._system) as connection:
            row = await connection.fetchrow(
                "SELECT s.session_id::text, s.member_id, u.matrix_id, s.device_id FROM sessions s"
                " JOIN users u USING (member_id) LEFT JOIN standings USING (member_id)"
                " WHERE s.token_sha256 = $1 AND s.expires_at > now() AND s.epoch = coalesce(sessions_epoch, 0)"
                # who is welcome, as bridge/policy/standing.py says
                " AND u.status = 'active' AND (u.super_admin OR EXISTS (SELECT FROM memberships m"
                "  JOIN tenants t USING (tenant_id) WHERE m.member_id = s.member_id AND t.status = 'active'))",
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


def _standing_of(person: Person) -> tuple[bool, bool]:
    return person.active, person.super_admin


def person_from(row: asyncpg.Record) -> Person:
    """Build a Person from a row of ``users``."""
    return Person(
        member_id=row["member_id"],
        user_id=row["matrix_id"],
        display_name=row["display_name"],
        super_admin=row["super_admin"],
        active=row["status"] == "active",
        avatar_url=row["avatar_url"],
    )
