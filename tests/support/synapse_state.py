"""What stands in Matrix, read from Synapse's own database: nothing of ours lies between."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingRoom:
    """A room with its current state: contents by type and state key."""

    room_id: str
    key: str
    state: Mapping[tuple[str, str], Mapping[str, Any]]

    @property
    def joined(self) -> frozenset[str]:
        return self._with("join")

    @property
    def invited(self) -> frozenset[str]:
        return self._with("invite")

    @property
    def levels(self) -> Mapping[str, int]:
        """The power levels that are listed."""
        users: Mapping[str, int] = self.state["m.room.power_levels", ""]["users"]
        return users

    def _with(self, membership: str) -> frozenset[str]:
        return frozenset(
            user_id
            for (kind, user_id), content in self.state.items()
            if kind == "m.room.member" and content.get("membership") == membership
        )


async def rooms_of_tenant(dsn: str, tenant_id: str) -> Sequence[StandingRoom]:
    """Return every room that was ever made for a tenant, by its create event."""
    connection = await asyncpg.connect(dsn)
    try:
        births = await connection.fetch(
            "SELECT e.room_id, j.json FROM events e JOIN event_json j USING (event_id) WHERE e.type = 'm.room.create'"
        )
        rooms: list[StandingRoom] = []
        for birth in births:
            content = json.loads(birth["json"])["content"]
            if content.get("com.bitnexus.tenant_id") == tenant_id:
                state = await _state(connection, birth["room_id"])
                rooms.append(StandingRoom(room_id=birth["room_id"], key=content["com.bitnexus.key"], state=state))
        return rooms
    finally:
        await connection.close()


async def _state(connection: "asyncpg.Connection[asyncpg.Record]", room_id: str) -> dict[tuple[str, str], Any]:
    rows = await connection.fetch(
        "SELECT s.type, s.state_key, j.json FROM current_state_events s JOIN event_json j USING (event_id)"
        " WHERE s.room_id = $1",
        room_id,
    )
    return {(row["type"], row["state_key"]): json.loads(row["json"])["content"] for row in rows}
