"""Alliances over HTTP, in memory: who may say what, what each side's records have, and what a task does once more."""

from typing import Any

import pytest

from bridge.actions.settle_alliance import SettleAlliance
from bridge.model.ids import AllianceID, MemberID, TenantID
from bridge.model.tenant import TenantStatus
from tests.unit.api.asking import PLATFORM_KEY, Api, json_of
from tests.unit.people import ACME, GLOBEX, HOUSE, member, tenant_of

INITECH = TenantID("initech")
PATH = "/v1/alliances/pact"
WISH = {"owner_tenant_id": "acme", "partner_tenant_id": "globex", "name": "Pact"}


def api_of(**status: TenantStatus) -> Api:
    api = Api()
    for tenant_id, people in (
        (ACME, (member("ann", "owner"), member("bob"))),
        (GLOBEX, (member("gus", "admin"), member("hal"))),
        (INITECH, (member("eve", "owner"),)),
    ):
        found = status.get(tenant_id, TenantStatus.ACTIVE)
        api.house.database.put_tenant(tenant_of(*people, tenant_id=tenant_id, status=found, rooms=()))
    return api


async def ask(
    api: Api, method: str, path: str, body: Any = None, *, token: str = PLATFORM_KEY
) -> tuple[int, dict[str, Any]]:
    answer = await api.ask(method, path, token=token, body=body)
    return answer.status, json_of(answer)


def audited(api: Api, tenant_id: TenantID) -> list[tuple[str, str]]:
    audit = api.house.database.memory.audit
    return [(actor.kind, entry.action) for found, actor, entry in audit if found == tenant_id]


def events(api: Api, tenant_id: TenantID) -> list[str]:
    return [event.type for found, _, event in api.house.database.memory.events if found == tenant_id]


async def test_the_backend_speaks_for_both_sides_and_each_sides_records_tell_it_once() -> None:
    api = api_of()
    status, proposed = await ask(api, "PUT", PATH, {**WISH, "members": {"acme": ["ann"], "globex": ["gus"]}})
    assert (status, proposed["state"], proposed["in_force"]) == (200, "proposed", True)
    assert (await ask(api, "PUT", PATH, {**WISH, "members": {"acme": ["ann"], "globex": ["gus"]}}))[1] == proposed
    status, accepted = await ask(api, "POST", f"{PATH}/accept", {"tenant_id": "globex"})
    assert (status, accepted["state"], accepted["in_force"]) == (202, "active", False), "nobody reconciles here"
    assert accepted["job_id"] in api.house.database.memory.jobs
    status, shown = await ask(api, "GET", PATH)
    assert (status, shown["members"]) == (200, {"acme": ["ann"], "globex": ["gus"]})
    for tenant_id in (ACME, GLOBEX):
        assert events(api, tenant_id) == ["alliance.proposed", "alliance.accepted"]
        page = (await ask(api, "GET", f"/v1/tenants/{tenant_id}/alliances"))[1]
        assert (page["items"], page["next"]) == ([shown], None)
    assert [found for found in audited(api, GLOBEX) if found[1] == "alliance.proposed"] == [
        ("system", "alliance.proposed")
    ]
    assert [found for found in audited(api, ACME) if found[1] == "alliance.accepted"] == [
        ("system", "alliance.accepted")
    ]
    (room,) = api.house.database.memory.tenants[ACME].rooms
    assert (room.key, room.archived, {who.member_id for who in room.outsiders}) == ("alliance_pact", False, {"gus"})
    rows = len(api.house.database.memory.audit)
    settle = SettleAlliance(database=api.house.database, house=HOUSE)
    await settle(AllianceID("pact"))
    assert len(api.house.database.memory.audit) == rows, "the task finds it done"
    assert (await settle(AllianceID("absent"))).job_id is None


@pytest.mark.parametrize(
    ("who", "body", "status", "path"),
    [
        ("ann", {**WISH, "members": {"acme": ["ann"]}}, 200, None),
        ("ann", {**WISH, "members": {"acme": ["ann"], "globex": ["gus"]}}, 403, "$.members"),
        ("ann", {**WISH, "members": {"acme": ["gus"]}}, 404, "$.members.acme[0]"),
        ("ann", {**WISH, "members": {"acme": ["absent"]}}, 404, "$.members.acme[0]"),
        ("gus", {**WISH, "members": {"globex": ["gus"]}}, 404, None),
        ("gus", WISH, 404, None),
        ("eve", WISH, 404, None),
        ("bob", WISH, 403, None),
    ],
)
async def test_who_may_propose(who: str, body: dict[str, Any], status: int, path: str | None) -> None:
    api = api_of()
    found, answer = await ask(api, "PUT", PATH, body, token=await api.sign_in(who))
    assert (found, answer.get("path")) == (status, path)
    assert bool(api.house.database.memory.alliances) == (status == 200)


async def test_the_partners_admin_chooses_and_accepts_and_can_do_no_more() -> None:
    api = api_of()
    await ask(api, "PUT", PATH, {**WISH, "members": {"acme": ["ann"]}})
    gus = await api.sign_in("gus")
    assert (await ask(api, "PUT", PATH, {**WISH, "members": {"globex": ["hal"]}}, token=gus))[0] == 200
    renamed = {**WISH, "name": "Ours", "members": {"globex": ["hal"]}}
    assert (await ask(api, "PUT", PATH, renamed, token=gus))[0] == 403
    assert (await ask(api, "POST", f"{PATH}/accept", {"tenant_id": "acme"}, token=gus))[0] == 404
    assert (await ask(api, "POST", f"{PATH}/accept", {"tenant_id": "globex"}, token=gus))[0] == 202
    assert (await ask(api, "GET", "/v1/tenants/acme/alliances", token=gus))[0] == 404
    assert (await ask(api, "GET", PATH, token=gus))[1]["state"] == "active"


@pytest.mark.parametrize("verb", ["accept", "suspend", "resume", "revoke"])
async def test_to_others_a_foreign_alliance_is_an_absent_one(verb: str) -> None:
    api = api_of()
    await ask(api, "PUT", PATH, WISH)
    eve = await api.sign_in("eve")
    for side in ("acme", "globex", "initech", "absent"):
        answers = [
            await ask(api, "POST", f"/v1/alliances/{alliance_id}/{verb}", {"tenant_id": side}, token=eve)
            for alliance_id in ("pact", "absent")
        ]
        assert answers[0] == answers[1] == (404, {"errcode": "M_NOT_FOUND", "error": "there is no such alliance"})
    assert (await ask(api, "GET", PATH, token=eve)) == (await ask(api, "GET", "/v1/alliances/absent", token=eve))
    assert (await ask(api, "POST", f"{PATH}/{verb}", {"tenant_id": "initech"}))[0] == 404


@pytest.mark.parametrize(("tenant_id", "path"), [("acme", "$.owner_tenant_id"), ("globex", "$.partner_tenant_id")])
async def test_an_alliance_is_proposed_by_and_to_active_tenants(tenant_id: str, path: str) -> None:
    api = api_of(**{tenant_id: TenantStatus.SUSPENDED})
    status, answer = await ask(api, "PUT", PATH, WISH)
    assert (status, answer["path"]) == (409, path)


async def test_the_key_of_its_room_cannot_be_taken_from_it() -> None:
    api = api_of()
    body = {"key": "alliance_pact", "type": "custom", "name": "Mine"}
    await ask(api, "POST", "/v1/tenants/acme/rooms", body)
    assert (await ask(api, "PUT", PATH, WISH))[0] == 409
    await ask(api, "PUT", "/v1/alliances/other", WISH)
    late = {"key": "alliance_other", "type": "custom", "name": "Mine"}
    assert (await ask(api, "POST", "/v1/tenants/acme/rooms", late))[0] == 409
    whole = {"name": "Acme", "rooms": [late]}
    assert (await ask(api, "PUT", "/v1/tenants/acme", whole))[0] == 400


async def test_a_task_asks_the_hosts_of_somebody_who_was_suspended() -> None:
    api = api_of()
    await ask(api, "PUT", PATH, {**WISH, "members": {"globex": ["gus"]}})
    assert await api.house.database.hosts_of_person(MemberID("gus")) == [ACME]
    await ask(api, "POST", f"{PATH}/revoke", {"tenant_id": "acme"})
    assert await api.house.database.hosts_of_person(MemberID("gus")) == []


async def test_a_tenant_that_is_removed_ends_its_alliances() -> None:
    api = api_of()
    await ask(api, "PUT", PATH, {**WISH, "members": {"globex": ["gus"]}})
    await ask(api, "POST", f"{PATH}/accept", {"tenant_id": "globex"})
    assert (await ask(api, "DELETE", "/v1/tenants/globex?now=true&confirm=globex"))[0] == 200
    shown = (await ask(api, "GET", PATH))[1]
    assert (shown["state"], shown["ended_by_tenant_id"]) == ("ended", "globex")
    assert events(api, GLOBEX)[-1] == "alliance.ended"
