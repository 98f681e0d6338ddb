"""Erasures of people: their progress, and what is taken out of one tenant's tables."""

import asyncpg
import msgspec

from bridge.db.connection import Connection, rows_of
from bridge.model.erasure import ErasedContent, ErasedRoom, Erasure
from bridge.model.ids import MemberID, TenantID, UserID
from bridge.model.tenant import Person


class ErasureStore:
    """Implements the port ``Erasures``."""

    def __init__(self, connection: Connection, tenant_id: TenantID) -> None:
        self._connection, self._tenant_id = connection, tenant_id

    async def begin(self, person: Person, receipt_id: str) -> Erasure:
        row = await self._connection.fetchrow(
            "INSERT INTO erasures (receipt_id, member_id, matrix_id) VALUES ($1, $2, $3) RETURNING *",
            receipt_id,
            person.member_id,
            person.user_id,
        )
        assert row is not None  # noqa: S101 - what was inserted is returned
        return _erasure_from(row)

    async def find(self, member_id: MemberID) -> Erasure | None:
        row = await self._connection.fetchrow(
            "SELECT * FROM erasures WHERE member_id = $1 ORDER BY asked_at DESC LIMIT 1", member_id
        )
        return _erasure_from(row) if row else None

    async def save(self, erasure: Erasure) -> None:
        await self._connection.execute(
            "UPDATE erasures SET step = $2, position = $3, rooms = $4, counts = $5, state = $6,"
            " finished_at = CASE WHEN $6 = 'done' THEN now() END WHERE receipt_id = $1",
            erasure.receipt_id,
            erasure.step,
            erasure.position,
            msgspec.to_builtins(erasure.rooms),
            dict(erasure.counts),
            erasure.state,
        )

    async def forget_person(self, member_id: MemberID) -> bool:
        await self._connection.execute("SAVEPOINT forgetting")
        try:
            await self._connection.execute("DELETE FROM users WHERE member_id = $1", member_id)
        except asyncpg.ForeignKeyViolationError:  # by a membership, of whatever tenant
            await self._connection.execute("ROLLBACK TO SAVEPOINT forgetting")
            return False
        return True

    async def erase_content(self, member_id: MemberID, user_id: UserID) -> ErasedContent:
        rooms = await self._rooms(member_id, user_id)
        own = [room.room_id for room in rooms if room.whole]
        counts = {
            "messages": await self._change(
                "UPDATE chat_messages SET content = '{}', metadata = metadata || '{\"redacted\": true}'"
                " WHERE tenant_id = $1 AND content <> '{}' AND (user_id = $2 OR room_id = ANY($3))",
                user_id,
                own,
            ),
            "audit_values": await self._change(
                "DELETE FROM audit_personal p USING audit_log l WHERE p.tenant_id = $1 AND l.tenant_id = $1"
                " AND l.seq = p.seq AND l.entry::jsonb ->> 'target' = $2",
                member_id,
            ),
            "names": await self._change(
                "UPDATE room_state SET content = content - 'displayname' - 'avatar_url' WHERE tenant_id = $1"
                " AND event_type = 'm.room.member' AND state_key = $2 AND content ?| '{displayname,avatar_url}'",
                user_id,
            ),
        }
        for statement in (
            "DELETE FROM early_changes WHERE tenant_id = $1 AND sender = $2",
            "DELETE FROM chat_message_reads WHERE tenant_id = $1 AND user_id = $2",
            "UPDATE chat_room_members SET display_name = NULL WHERE tenant_id = $1 AND user_id = $2",
        ):
            await self._connection.execute(statement, self._tenant_id, user_id)
        for statement in (
            "DELETE FROM alliance_members WHERE tenant_id = $1 AND member_id = $2",
            "UPDATE tenant_rooms SET outsider_ids = array_remove(outsider_ids, $2) WHERE tenant_id = $1"
            " AND $2 = ANY(outsider_ids)",
        ):
            await self._connection.execute(statement, self._tenant_id, member_id)
        return ErasedContent(rooms=rooms, counts=counts)

    async def _rooms(self, member_id: MemberID, user_id: UserID) -> tuple[ErasedRoom, ...]:
        rows = await self._connection.fetch(
            "SELECT c.id, coalesce(t.personal AND t.type <> 'alliance' AND t.member_ids = ARRAY[$3], false) AS whole"
            " FROM chat_rooms c"
            " LEFT JOIN tenant_rooms t USING (tenant_id, key) WHERE c.tenant_id = $1 AND ("
            " EXISTS (SELECT FROM chat_room_members m WHERE m.room_id = c.id AND m.user_id = $2)"
            " OR EXISTS (SELECT FROM chat_messages m WHERE m.tenant_id = $1 AND m.room_id = c.id AND m.user_id = $2))"
            " ORDER BY c.id",
            self._tenant_id,
            user_id,
            member_id,
        )
        return tuple(ErasedRoom(tenant_id=self._tenant_id, room_id=row["id"], whole=row["whole"]) for row in rows)

    async def _change(self, statement: str, *values: object) -> int:
        return rows_of(await self._connection.execute(statement, self._tenant_id, *values))


def _erasure_from(row: asyncpg.Record) -> Erasure:
    return Erasure(
        receipt_id=row["receipt_id"],
        member_id=row["member_id"],
        user_id=row["matrix_id"],
        state=row["state"],
        step=row["step"],
        position=row["position"],
        rooms=msgspec.convert(row["rooms"], tuple[ErasedRoom, ...]),
        counts=row["counts"],
        asked_at=row["asked_at"],
        finished_at=row["finished_at"],
    )
