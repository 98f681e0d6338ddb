"""People find the others of their tenant, and nobody else, on the real database."""

import uuid
from urllib.parse import quote

from tests.support.backend import Backend, member_id


async def test_people_are_found_by_name_and_id_while_they_are_active(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(ann="owner", bob="member", zed="guest")
    ann, bob, zed = (member_id(tenant_id, name) for name in ("ann", "bob", "zed"))
    await backend.ok("PUT", f"/v1/users/{bob}", {"display_name": "Zoë Ångström"})
    token = (await backend.sign_in(ann)).session["session_token"]
    path = f"/v1/tenants/{tenant_id}/people"

    async def found(query: str) -> list[str]:
        return [item["user_id"] for item in (await backend.ok("GET", f"{path}?q={quote(query)}", token=token))["items"]]

    assert await found("") == [zed, bob]
    assert await found("ANGS zo") == [bob]
    assert await found("zed") == [zed]
    assert await found("ann") == [], "one does not find oneself"
    first = await backend.ok("GET", f"{path}?limit=1", token=token)
    rest = await backend.ok("GET", f"{path}?limit=1&after={quote(first['next'])}", token=token)
    assert [page["items"][0]["role"] for page in (first, rest)] == ["guest", "member"]
    assert rest["next"] is None
    await backend.ok("PUT", f"/v1/users/{bob}", {"status": "suspended"})
    assert await found("zoe") == []


async def test_row_15_a_foreign_tenants_people_are_absent(backend: Backend) -> None:
    own, other = await backend.new_tenant(bob="member"), await backend.new_tenant(eve="owner")
    token = (await backend.sign_in(member_id(own, "bob"))).session["session_token"]
    foreign = await backend.call("GET", f"/v1/tenants/{other}/people?q=eve", token=token)
    absent = await backend.call("GET", f"/v1/tenants/t{uuid.uuid4().hex[:12]}/people?q=eve", token=token)
    assert (foreign.status, foreign.raw) == (404, absent.raw)
    mine = await backend.ok("GET", f"/v1/tenants/{own}/people?q=eve", token=token)
    assert mine == {"items": [], "next": None}
