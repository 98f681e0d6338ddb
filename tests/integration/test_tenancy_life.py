"""The life of a tenant on a real Synapse: suspended, back again, archived, off-boarded, removed."""

import uuid
from typing import Any

from tests.support.backend import Backend, member_id
from tests.support.waiting import until

ROOMS = [{"key": "general", "type": "general", "name": "General"}]


async def put_status(backend: Backend, tenant_id: str, status: str) -> None:
    body = {"name": f"Tenant {tenant_id}", "status": status}
    await backend.finish(await backend.ok("PUT", f"/v1/tenants/{tenant_id}", body))
    await backend.settle(tenant_id)


async def session_status(backend: Backend, person: str) -> int:
    reply = await backend.call("POST", "/v1/sessions", {"token": backend.token_for(person)}, token=None)
    return reply.status


async def test_of_a_suspended_tenant_those_go_who_have_another_and_come_back_with_it(backend: Backend) -> None:
    ours, theirs = await backend.new_tenant(ann="owner", bob="member"), await backend.new_tenant(eve="owner")
    both, alone = member_id(ours, "bob"), member_id(ours, "ann")
    await backend.finish(await backend.ok("PUT", f"/v1/tenants/{theirs}/members/{both}", {"role": "member"}))
    bob, ann = await backend.look_as(both), await backend.look_as(alone)
    before = {"ann": await ann.rooms(), "bob": await bob.ok("GET", "v3/joined_rooms")}
    await put_status(backend, ours, "suspended")
    assert await session_status(backend, alone) == 403
    assert await session_status(backend, both) == 200
    left = set((await bob.ok("GET", "v3/joined_rooms"))["joined_rooms"])
    assert left == set(before["bob"]["joined_rooms"]) - set(before["ann"].values())
    found = await backend.ok("GET", f"/v1/tenants/{ours}/explain?user_id={alone}&room=general")
    assert (found["belongs"], found["membership"]) == (True, "join"), "nothing of theirs is taken apart"
    await put_status(backend, ours, "active")
    assert await ann.rooms() == before["ann"]
    assert sorted((await bob.ok("GET", "v3/joined_rooms"))["joined_rooms"]) == sorted(before["bob"]["joined_rooms"])


async def test_who_comes_to_another_tenant_leaves_the_suspended_one(backend: Backend) -> None:
    ours, theirs = await backend.new_tenant(ann="owner", bob="member"), await backend.new_tenant(eve="owner")
    person = member_id(ours, "bob")
    bob = await backend.look_as(person)
    before = set((await bob.rooms()).values())
    await put_status(backend, ours, "suspended")
    await backend.ok("PUT", f"/v1/tenants/{theirs}/members/{person}", {"role": "member"})

    async def joined() -> set[str]:
        return set((await bob.ok("GET", "v3/joined_rooms"))["joined_rooms"])

    now = await until(joined, lambda rooms: not rooms & before and len(rooms) == 2)
    await backend.ok("DELETE", f"/v1/tenants/{theirs}/members/{person}")
    assert await until(joined, lambda rooms: rooms == before) & now == set()


async def test_an_archived_tenant_has_nobody_and_comes_back_whole(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(ann="owner", bob="member")
    bob = await backend.look_as(member_id(tenant_id, "bob"))
    before = await bob.rooms()
    await put_status(backend, tenant_id, "archived")
    assert await bob.rooms() == {}
    await put_status(backend, tenant_id, "active")
    assert await bob.rooms() == before


async def test_an_off_boarded_tenant_can_come_back_within_its_grace(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(ann="owner")
    ann = await backend.look_as(member_id(tenant_id, "ann"))
    before = await ann.rooms()
    gone = await backend.ok("DELETE", f"/v1/tenants/{tenant_id}?grace_days=3")
    assert gone["status"] == "suspended"
    assert await session_status(backend, member_id(tenant_id, "ann")) == 403
    assert (await backend.ok("DELETE", f"/v1/tenants/{tenant_id}"))["removes_at"] == gone["removes_at"]
    await put_status(backend, tenant_id, "active")
    assert (await backend.ok("GET", f"/v1/tenants/{tenant_id}"))["removes_at"] is None
    assert await ann.rooms() == before


async def test_a_tenant_that_is_removed_has_nobody_no_keys_and_takes_no_change(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(rooms=[*ROOMS, {"key": "g", "type": "custom", "name": "G", "group": "Sub"}],
                                         ann="owner", bob="member")  # fmt: skip
    bob = await backend.look_as(member_id(tenant_id, "bob"))
    key = await backend.integration_key(tenant_id)
    event = {"type": "a.b", "to": [{"room": "general"}], "title": "x"}
    assert (await backend.call("POST", "/v1/events", event | {"id": "1"}, token=key)).status == 202
    unmeant = await backend.call("DELETE", f"/v1/tenants/{tenant_id}?now=true")
    assert (unmeant.status, unmeant.body["path"]) == (400, "confirm")
    gone = await backend.ok("DELETE", f"/v1/tenants/{tenant_id}?now=true&confirm={tenant_id}")
    assert gone["status"] == "removing"
    assert (await backend.call("POST", "/v1/events", event | {"id": "2"}, token=key)).status == 401

    async def status() -> Any:
        return (await backend.ok("GET", f"/v1/tenants/{tenant_id}"))["status"]

    await until(status, lambda seen: seen == "removed", seconds=60)
    assert await bob.rooms() == {}
    plan = await backend.ok("GET", f"/v1/tenants/{tenant_id}/plan")
    assert plan["effects"] == []
    assert (await backend.ok("GET", f"/v1/tenants/{tenant_id}/members"))["items"] == []
    for method, path, body in (
        ("PUT", f"/v1/tenants/{tenant_id}", {"name": "Again", "status": "active"}),
        ("PUT", f"/v1/tenants/{tenant_id}/members/x", {"role": "owner"}),
        ("POST", f"/v1/tenants/{tenant_id}/rooms", {"key": "x", "type": "custom", "name": "X"}),
    ):
        late = await backend.call(method, path, body)
        assert (late.status, late.body["errcode"]) == (409, "M_CONFLICT")
    assert (await backend.ok("DELETE", f"/v1/tenants/{tenant_id}"))["status"] == "removed"


async def test_an_absent_tenant_cannot_be_off_boarded(backend: Backend) -> None:
    absent = await backend.call("DELETE", f"/v1/tenants/t{uuid.uuid4().hex[:12]}")
    assert (absent.status, absent.body["errcode"]) == (404, "M_NOT_FOUND")
