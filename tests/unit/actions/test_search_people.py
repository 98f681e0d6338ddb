"""Who may look for people, and whom they find."""

import pytest

from bridge.errors import Forbidden, NotFound
from bridge.model.credential import SessionCredential
from bridge.model.ids import MemberID, TenantID
from bridge.model.tenant import TenantStatus
from tests.unit.api.asking import Api, json_of
from tests.unit.house import House
from tests.unit.people import ACME, GLOBEX, member, tenant_of, user


def session(name: str) -> SessionCredential:
    return SessionCredential(session_id="s", member_id=MemberID(name), user_id=user(name), device_id="D")


def house_of(status: TenantStatus = TenantStatus.ACTIVE) -> House:
    house = House()
    people = (member("anna", "owner"), member("ben"), member("cleo", "guest"), member("dora", active=False))
    house.database.put_tenant(tenant_of(*people, status=status))
    house.database.put_tenant(tenant_of(member("eve", "owner"), tenant_id=GLOBEX))
    return house


async def search(house: House, tenant_id: TenantID, who: str) -> list[str]:
    found = await house.actions().search_people(tenant_id, "", after=None, limit=50, credential=session(who))
    return [person.member_id for person in found.people]


@pytest.mark.parametrize(("who", "expected"), [("anna", ["ben", "cleo"]), ("cleo", ["anna", "ben"])])
async def test_everybody_of_the_tenant_finds_its_other_active_people(who: str, expected: list[str]) -> None:
    assert await search(house_of(), ACME, who) == expected


@pytest.mark.parametrize("tenant_id", [GLOBEX, TenantID("absent")])
async def test_a_foreign_tenant_is_an_absent_one(tenant_id: TenantID) -> None:
    with pytest.raises(NotFound) as refused:
        await search(house_of(), tenant_id, "ben")
    assert refused.value.sentence == "there is no such tenant"


@pytest.mark.parametrize("status", [status for status in TenantStatus if status is not TenantStatus.ACTIVE])
async def test_a_tenant_that_is_not_active_shows_nobody(status: TenantStatus) -> None:
    with pytest.raises(Forbidden):
        await search(house_of(status), ACME, "ben")


async def test_the_route_answers_a_page_and_refuses_what_makes_no_sense() -> None:
    api = Api(house_of())
    token = await api.sign_in("ben")
    page = json_of(await api.ask("GET", "/v1/tenants/acme/people?limit=1", token=token))
    anna = {"user_id": "anna", "matrix_id": "@u_anna:s", "display_name": "Anna", "avatar_url": "", "role": "owner"}
    assert page["items"] == [anna]
    rest = json_of(await api.ask("GET", f"/v1/tenants/acme/people?after={page['next']}", token=token))
    assert ([item["user_id"] for item in rest["items"]], rest["next"]) == (["cleo"], None)
    for query, path in ((f"q={'a' * 101}", "q"), ("after=%25", "after"), ("limit=0", "limit")):
        refused = await api.ask("GET", f"/v1/tenants/acme/people?{query}", token=token)
        assert (refused.status, json_of(refused)["path"]) == (400, path)
