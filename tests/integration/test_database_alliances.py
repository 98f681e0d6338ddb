"""Alliances on a real PostgreSQL: who sees and writes which rows, and what reaches the other side whatever dies."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest

from bridge.actions.settle_alliance import SettleAlliance
from bridge.actions.speak_on_alliance import end_alliances
from bridge.actions.tend_people import TendPeople
from bridge.db.connection import Connection
from bridge.model.alliance import AllianceState, AllianceWish
from bridge.model.audit import PLATFORM_ACTOR, AuditEntry
from bridge.model.ids import PLATFORM, AllianceID, MemberID, TenantID, UserID
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Person, Role, TenantStatus
from bridge.policy.alliances import propose, say
from tests.support.own_database import ACME, BOTS, GLOBEX, OwnDatabase
from tests.unit.fake_edges import FakeExpiry, FakeHomeserver

INITECH = TenantID("initech")
HOUSE = MatrixHouse(server_name="s", room_version="12", bots=BOTS)
PACT = AllianceID("pact")
ANN, GUS = MemberID("ann"), MemberID("gus")
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
WISH = AllianceWish(
    alliance_id=PACT, owner_tenant_id=ACME, partner_tenant_id=GLOBEX, name="Pact", members={ACME: (ANN,)}
)


@pytest.fixture
async def pact(own: OwnDatabase) -> OwnDatabase:
    """Acme has proposed to Globex and chosen Ann, Globex has chosen Gus; Initech has nothing to do with it."""
    async with own.database.work(PLATFORM) as work:
        await work.people.save(
            *(Person(member_id=who, user_id=UserID(f"@u_{who}:s"), display_name=who) for who in (ANN, GUS))
        )
    for tenant_id, who in ((ACME, ANN), (GLOBEX, GUS), (INITECH, None)):
        await own.put_tenant(tenant_id)
        if who:
            async with own.database.work(tenant_id) as work:
                await work.tenants.save_members({who: Role.OWNER})
    async with own.database.work(ACME) as work:
        assert await work.alliances.add(propose(WISH))
        await work.alliances.choose(PACT, [ANN])
        await work.alliances.note_step(propose(WISH), "proposed")
    async with own.database.work(GLOBEX) as work:
        await work.alliances.choose(PACT, [GUS])
    return own


@asynccontextmanager
async def as_tenant(own: OwnDatabase, tenant_id: str | None) -> AsyncIterator[Connection]:
    """Give the application's connection in a transaction of a tenant that is undone in the end."""
    async with own.app.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            if tenant_id is not None:
                await connection.execute("SELECT set_config('bitnexus.tenant_id', $1, true)", tenant_id)
            yield connection
        finally:
            await transaction.rollback()


TABLES = ("alliances", "alliance_members", "alliance_steps")


@pytest.mark.parametrize(
    ("tenant_id", "counts"), [(ACME, (1, 2, 1)), (GLOBEX, (1, 2, 1)), (INITECH, (0, 0, 0)), (None, (0, 0, 0))]
)
async def test_both_sides_see_everything_of_an_alliance_and_nobody_else_anything(
    pact: OwnDatabase, tenant_id: str | None, counts: tuple[int, ...]
) -> None:
    async with as_tenant(pact, tenant_id) as connection:
        seen = [await connection.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES]  # noqa: S608
    assert tuple(seen) == counts


WRITES = {
    "choose": "INSERT INTO alliance_members VALUES ('pact', '{side}', '{who}')",
    "drop": "DELETE FROM alliance_members WHERE tenant_id = '{side}'",
    "rename": "UPDATE alliances SET name = 'Other'",
    "accept": "UPDATE alliances SET state = 'active'",
    "end": "UPDATE alliances SET state = 'ended', ended_by_tenant = 'x'",
    "make": "INSERT INTO alliances (alliance_id, tenant_id, partner_tenant_id, name, state, revision)"
    " VALUES ('other', '{side}', 'umbrella', 'x', 'proposed', 1)",
    "step": "INSERT INTO alliance_steps VALUES ('pact', 9, '{side}', 'ended')",
    "tell": "UPDATE alliance_steps SET told_at = now()",
}
REFUSED = "refused"


@pytest.mark.parametrize(
    ("tenant_id", "what", "side", "outcome"),
    [
        (ACME, "choose", ACME, 1), (ACME, "choose", GLOBEX, REFUSED), (ACME, "drop", ACME, 1),
        (ACME, "drop", GLOBEX, 0),
        (GLOBEX, "choose", GLOBEX, 1), (GLOBEX, "choose", ACME, REFUSED), (GLOBEX, "drop", ACME, 0),
        (INITECH, "choose", INITECH, REFUSED), (INITECH, "choose", ACME, REFUSED), (INITECH, "drop", ACME, 0),
        (None, "choose", ACME, REFUSED), (None, "drop", ACME, 0),
        (ACME, "rename", "", 1), (GLOBEX, "rename", "", REFUSED), (INITECH, "rename", "", 0), (None, "rename", "", 0),
        (GLOBEX, "accept", "", 1), (ACME, "accept", "", REFUSED), (INITECH, "accept", "", 0), (None, "accept", "", 0),
        (GLOBEX, "end", "", 1), (ACME, "end", "", 1), (INITECH, "end", "", 0), (None, "end", "", 0),
        (INITECH, "make", INITECH, 1), (INITECH, "make", ACME, REFUSED), (GLOBEX, "make", ACME, REFUSED),
        (None, "make", ACME, REFUSED),
        (ACME, "step", ACME, 1), (ACME, "step", GLOBEX, REFUSED), (INITECH, "step", INITECH, REFUSED),
        (GLOBEX, "tell", "", 1), (ACME, "tell", "", 0), (INITECH, "tell", "", 0), (None, "tell", "", 0),
    ],
)  # fmt: skip
async def test_each_side_writes_its_part_and_nobody_else_anything(
    pact: OwnDatabase, tenant_id: str | None, what: str, side: str, outcome: int | str
) -> None:
    other = GUS if side in {ACME, INITECH} else ANN
    async with as_tenant(pact, tenant_id) as connection:
        try:
            status = await connection.execute(WRITES[what].format(side=side, who=other))
        except asyncpg.InsufficientPrivilegeError:
            assert outcome == REFUSED
        else:
            assert status.endswith(f" {outcome}")


@pytest.mark.parametrize("statement", [
    "UPDATE alliances SET tenant_id = 'globex'",
    "UPDATE alliances SET partner_tenant_id = 'initech'",
    "DELETE FROM alliances",
    "UPDATE alliance_members SET tenant_id = 'globex'",
    "DELETE FROM alliance_steps",
    "UPDATE alliance_steps SET tenant_id = 'globex'",
])  # fmt: skip
async def test_whose_an_alliance_is_is_nobodys_to_change(pact: OwnDatabase, statement: str) -> None:
    for tenant_id in (ACME, GLOBEX):
        async with as_tenant(pact, tenant_id) as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)


async def test_what_has_ended_stays_ended_and_each_side_suspends_for_itself(pact: OwnDatabase) -> None:
    async with pact.database.work(GLOBEX) as work:
        await work.alliances.save(say(propose(WISH), "accept", GLOBEX, now=NOW))
    for tenant_id, suspended_by in ((ACME, [GLOBEX]), (GLOBEX, [ACME]), (ACME, [ACME, GLOBEX])):
        async with as_tenant(pact, tenant_id) as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="for itself"):
                await connection.execute("UPDATE alliances SET state = 'suspended', suspended_by = $1", suspended_by)
    async with pact.database.act(ACME, PLATFORM_ACTOR) as act:
        await end_alliances(act, ACME, now=NOW)
    for tenant_id in (ACME, GLOBEX):
        async with as_tenant(pact, tenant_id) as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="stays as it is"):
                await connection.execute("UPDATE alliances SET state = 'active', ended_by_tenant = NULL")


async def test_the_narrow_role_learns_whose_alliances_are_and_not_what_they_are_called(pact: OwnDatabase) -> None:
    assert await pact.system.fetchval("SELECT tenant_id FROM alliances") == ACME
    for statement in ("SELECT name FROM alliances", "DELETE FROM alliances", "SELECT * FROM alliance_steps"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pact.system.execute(statement)


async def test_a_foreign_id_is_taken_and_says_no_more_than_that(pact: OwnDatabase) -> None:
    async with pact.database.work(INITECH) as work:
        assert await work.alliances.find(PACT) is None
        theirs = AllianceWish(
            alliance_id=PACT, owner_tenant_id=INITECH, partner_tenant_id=ACME, name="Mine", members={}
        )
        assert not await work.alliances.add(propose(theirs))


def tend_of(own: OwnDatabase) -> TendPeople:
    erase: object = None
    return TendPeople(
        database=own.database,
        homeserver=FakeHomeserver(),
        expiry=FakeExpiry(),
        house=HOUSE,
        erase=erase,  # type: ignore[arg-type]  # nobody is erased here
        settle=SettleAlliance(database=own.database, house=HOUSE),
    )


async def work_off(own: OwnDatabase) -> int:
    """Do what a worker does with the lanes of alliances."""
    done = 0
    while lanes := [lane for lane in await own.claim("people", limit=8) if lane.lane_key.startswith("&")]:
        for lane in lanes:
            done += await tend_of(own)(lane)
            await own.lanes.release(lane)
    return done


async def room_of_pact(own: OwnDatabase) -> dict[str, object] | None:
    rows = await own.rows(
        "SELECT member_ids, outsider_ids, read_only, archived FROM tenant_rooms WHERE key = 'alliance_pact'"
    )
    return rows[0] if rows else None


async def audited(own: OwnDatabase, tenant_id: str) -> list[str]:
    rows = await own.rows(
        "SELECT entry::jsonb ->> 'action' AS action FROM audit_log WHERE tenant_id = $1 ORDER BY seq", tenant_id
    )
    return [row["action"] for row in rows if row["action"] != "alliance.room_changed"]


async def accept(own: OwnDatabase) -> None:
    """Do the partner's part of an acceptance, and die before the owner's."""
    async with own.database.act(GLOBEX, PLATFORM_ACTOR) as act:
        alliance = await act.alliances.hold(PACT)
        assert alliance is not None
        after = say(alliance, "accept", GLOBEX, now=NOW)
        await act.alliances.save(after)
        await act.alliances.note_step(after, "accepted")
        await act.audit(AuditEntry(action="alliance.accepted", target=PACT))


async def test_what_one_side_did_comes_into_the_others_room_and_records_by_the_task_alone(pact: OwnDatabase) -> None:
    await accept(pact)
    assert await room_of_pact(pact) is None, "the process died here"
    assert await work_off(pact) > 0
    assert await room_of_pact(pact) == {
        "member_ids": [ANN, GUS], "outsider_ids": [GUS], "read_only": False, "archived": False,
    }  # fmt: skip
    assert await audited(pact, ACME) == ["alliance.accepted"]
    assert await audited(pact, GLOBEX) == ["alliance.accepted", "alliance.proposed"]
    assert await pact.ask("SELECT count(*) FROM jobs WHERE tenant_id = 'acme' AND state = 'queued'") == 1
    rows = await pact.ask("SELECT count(*) FROM audit_log")
    await SettleAlliance(database=pact.database, house=HOUSE)(PACT)
    assert await pact.ask("SELECT count(*) FROM audit_log") == rows, "again is as good as once"
    assert await pact.drifted() == []


async def test_whom_the_partner_loses_the_owners_room_loses_and_gets_back(pact: OwnDatabase) -> None:
    await accept(pact)
    await work_off(pact)

    async def outsiders() -> object:
        await work_off(pact)
        room = await room_of_pact(pact)
        assert room is not None
        return room["outsider_ids"]

    async with pact.database.work(GLOBEX) as work:
        await work.tenants.remove_members([GUS])
    assert await outsiders() == []
    async with pact.database.work(GLOBEX) as work:
        await work.tenants.save_members({GUS: Role.MEMBER})
    assert await outsiders() == [GUS]
    for status, expected in (("suspended", []), ("active", [GUS])):
        async with pact.database.act(GLOBEX, PLATFORM_ACTOR) as act:
            tenant = await act.tenants.find()
            assert tenant is not None
            await act.tenants.save(replace(tenant, status=TenantStatus(status)))
            act.nothing_changed()
        assert await outsiders() == expected


async def test_the_last_of_the_owners_side_takes_nobody_elses_words_along(pact: OwnDatabase) -> None:
    await accept(pact)
    await work_off(pact)
    async with pact.database.act(GLOBEX, PLATFORM_ACTOR) as act:
        await end_alliances(act, GLOBEX, now=NOW)
    await work_off(pact)
    assert await pact.ask("SELECT member_ids FROM tenant_rooms WHERE key = 'alliance_pact'") == [ANN]
    await pact.ask(
        "INSERT INTO chat_rooms (id, tenant_id, key, type) VALUES ('!r', 'acme', 'alliance_pact', 'alliance')"
    )
    async with pact.database.work(ACME) as work:
        await work.messages.add(pact.event("!r", sender=UserID("@u_ann:s")))
        await work.messages.add(pact.event("!r", body="of the partner", sender=UserID("@u_gus:s")))
        content = await work.erasures.erase_content(ANN, UserID("@u_ann:s"))
    assert [room.whole for room in content.rooms] == [False]
    left = await pact.rows("SELECT content ->> 'body' AS body FROM chat_messages WHERE content <> '{}'")
    assert [row["body"] for row in left] == ["of the partner"]


async def test_a_message_keeps_its_senders_tenant_in_a_room_of_two_tenants_alone(pact: OwnDatabase) -> None:
    said = {"body": "x", "com.bitnexus.tenant_id": GLOBEX}
    for room_id, kind in (("!shared", "alliance"), ("!own", "custom")):
        await pact.ask("INSERT INTO chat_rooms (id, tenant_id, key, type) VALUES ($1, 'acme', $1, $2)", room_id, kind)
        async with pact.database.work(ACME) as work:
            await work.messages.add(pact.event(room_id, content=said))
    kept = await pact.rows("SELECT room_id, metadata ->> 'sender_tenant_id' AS sender FROM chat_messages ORDER BY 1")
    assert [(row["room_id"], row["sender"]) for row in kept] == [("!own", None), ("!shared", GLOBEX)]


async def test_an_erased_person_is_in_no_row_of_an_alliance(pact: OwnDatabase) -> None:
    await accept(pact)
    await work_off(pact)
    for tenant_id in (ACME, GLOBEX):
        async with pact.database.work(tenant_id) as work:
            await work.erasures.erase_content(GUS, UserID("@u_gus:s"))
    assert await pact.ask("SELECT count(*) FROM alliance_members WHERE member_id = 'gus'") == 0
    assert await pact.ask("SELECT count(*) FROM tenant_rooms WHERE 'gus' = ANY(outsider_ids)") == 0


async def test_a_tenant_that_goes_ends_its_alliances_and_the_other_side_is_told(pact: OwnDatabase) -> None:
    await accept(pact)
    await work_off(pact)
    async with pact.database.act(GLOBEX, PLATFORM_ACTOR) as act:
        await end_alliances(act, GLOBEX, now=NOW)
    await work_off(pact)
    async with pact.database.work(ACME) as work:
        alliance = await work.alliances.find(PACT)
    assert alliance is not None
    assert (alliance.state, alliance.ended_by_tenant) == (AllianceState.ENDED, GLOBEX)
    room = await room_of_pact(pact)
    assert room is not None
    assert (room["outsider_ids"], room["read_only"], room["archived"]) == ([], True, False)
    assert await audited(pact, ACME) == ["alliance.accepted", "alliance.ended"]
