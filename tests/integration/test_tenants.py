"""Tenants on a real Synapse: rooms, people, power levels, drift, and nothing to do the second time."""

from typing import Any

from tests.support.backend import Backend, Client, member_id
from tests.support.matrix_calls import matrix_calls
from tests.support.waiting import until

ROOMS = [
    {"key": "general", "type": "general", "name": "General"},
    {"key": "news", "type": "announcement", "name": "News", "topic": "Read only"},
    {"key": "board", "type": "custom", "name": "Board", "access": "invite", "members": []},
]


async def power_levels(client: Client, room_id: str) -> dict[str, Any]:
    levels: dict[str, Any] = await client.ok("GET", f"v3/rooms/{room_id}/state/m.room.power_levels/")
    return levels


async def test_a_new_tenant_has_a_space_and_rooms_with_its_people_in_them(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(rooms=ROOMS, ann="owner", adam="admin", mod="moderator", bob="member")
    bob = await backend.sign_in(member_id(tenant_id, "bob"))
    assert (await bob.rooms()).keys() == {"@space", "general", "news"}
    space = (await bob.rooms())["@space"]
    children = {e["state_key"] for e in await bob.ok("GET", f"v3/rooms/{space}/state") if e["type"] == "m.space.child"}
    assert {(await bob.rooms())["general"], (await bob.rooms())["news"]} < children


async def test_power_levels_are_the_roles(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(
        rooms=ROOMS, ann="owner", adam="admin", mod="moderator", bob="member", gil="guest"
    )
    people = {m["user_id"].split("-")[0]: m["matrix_id"] for m in (await members(backend, tenant_id))}
    bob = await backend.sign_in(member_id(tenant_id, "bob"))
    rooms = await bob.rooms()
    levels = await power_levels(bob, rooms["general"])
    assert {name: levels["users"].get(people[name]) for name in people} == {
        "ann": 100, "adam": 75, "mod": 50, "bob": None, "gil": None,
    }  # fmt: skip
    assert levels["users"][f"@bitnexus_relay:{backend.stack['server_name']}"] == 149
    assert f"@bitnexus:{backend.stack['server_name']}" not in levels["users"]
    assert (levels["users_default"], levels["state_default"], levels["invite"]) == (0, 150, 150)
    assert (await power_levels(bob, rooms["news"]))["events_default"] == 50
    refused = await bob.call(
        "PUT", f"v3/rooms/{rooms['news']}/send/m.room.message/1", {"msgtype": "m.text", "body": "x"}
    )
    assert (refused.status, refused.body["errcode"]) == (403, "M_FORBIDDEN")


async def test_rooms_are_of_version_12_and_have_two_creators(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(bob="member")
    bob = await backend.sign_in(member_id(tenant_id, "bob"))
    for room_id in (await bob.rooms()).values():
        birth = await bob.ok("GET", f"v3/rooms/{room_id}/state/m.room.create/")
        assert birth["room_version"] == "12"
        assert birth["additional_creators"] == [f"@bitnexus_keeper:{backend.stack['server_name']}"]
        joined = (await bob.ok("GET", f"v3/rooms/{room_id}/joined_members"))["joined"]
        assert {f"@bitnexus:{backend.stack['server_name']}", f"@bitnexus_keeper:{backend.stack['server_name']}"} <= set(
            joined
        )


async def test_the_same_put_again_makes_no_matrix_call(backend: Backend) -> None:
    rooms = [{"key": f"room{n}", "type": "general", "name": f"Room {n}"} for n in range(4)]
    tenant_id = await backend.new_tenant(rooms=rooms, **{f"p{n}": "member" for n in range(6)})
    before = await matrix_calls(backend)
    first = await backend.ok("PUT", f"/v1/tenants/{tenant_id}", {"name": f"Tenant {tenant_id}", "rooms": rooms})
    again = await backend.put_member(tenant_id, "p0", "member")
    assert (first["job_id"], again["job_id"]) == (None, None)
    assert first["revision"] == again["revision"]
    assert await matrix_calls(backend) == before


async def test_a_person_who_is_removed_is_out_of_everything_and_reads_no_more(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(rooms=ROOMS, ann="owner", bob="member")
    ann, bob = [await backend.look_as(member_id(tenant_id, name)) for name in ("ann", "bob")]
    rooms = await bob.rooms()
    await backend.finish(await backend.ok("DELETE", f"/v1/tenants/{tenant_id}/members/{member_id(tenant_id, 'bob')}"))
    assert await bob.rooms() == {}
    await ann.say(rooms["general"], "without Bob")
    for path in ("messages?dir=b", "state", "members"):
        assert (await bob.call("GET", f"v3/rooms/{rooms['general']}/{path}")).status == 403
    assert (await bob.call("POST", f"v3/rooms/{rooms['general']}/join", {})).status == 403


async def test_a_person_who_comes_back_is_in_everything_again(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(rooms=ROOMS, ann="owner", bob="member")
    bob = await backend.look_as(member_id(tenant_id, "bob"))
    before = await bob.rooms()
    await backend.finish(await backend.ok("DELETE", f"/v1/tenants/{tenant_id}/members/{member_id(tenant_id, 'bob')}"))
    await backend.finish(await backend.put_member(tenant_id, "bob", "member"))
    await backend.settle(tenant_id)
    assert await bob.rooms() == before


async def test_who_leaves_a_room_of_the_tenant_is_brought_back(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(ann="owner", bob="member")
    bob = await backend.sign_in(member_id(tenant_id, "bob"))
    rooms = await bob.rooms()
    await bob.ok("POST", f"v3/rooms/{rooms['general']}/leave", {})
    await until(bob.rooms, lambda seen: seen == rooms)


async def test_who_was_kicked_by_a_moderator_stays_out(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(mod="moderator", bob="member")
    mod, bob = [await backend.sign_in(member_id(tenant_id, name)) for name in ("mod", "bob")]
    rooms = await bob.rooms()
    await mod.ok("POST", f"v3/rooms/{rooms['general']}/kick", {"user_id": bob.matrix_id})
    change = await backend.put_member(tenant_id, "cyd", "member")
    await backend.finish(change)
    await backend.settle(tenant_id)
    assert "general" not in await bob.rooms()


async def test_a_room_that_is_left_out_is_emptied_and_comes_back_whole(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(rooms=ROOMS, bob="member")
    bob = await backend.sign_in(member_id(tenant_id, "bob"))
    news = (await bob.rooms())["news"]
    name = f"Tenant {tenant_id}"
    await backend.finish(await backend.ok("PUT", f"/v1/tenants/{tenant_id}", {"name": name, "rooms": ROOMS[:1]}))
    assert (await bob.rooms()).keys() == {"@space", "general"}
    await backend.finish(await backend.ok("PUT", f"/v1/tenants/{tenant_id}", {"name": name, "rooms": ROOMS}))
    assert (await bob.rooms())["news"] == news


async def test_nobody_signs_in_by_a_suspended_tenant_and_all_is_as_before_when_it_is_active_again(
    backend: Backend,
) -> None:
    tenant_id = await backend.new_tenant(bob="member")
    bob = await backend.sign_in(member_id(tenant_id, "bob"))
    before = await bob.rooms()
    name = f"Tenant {tenant_id}"
    await backend.finish(await backend.ok("PUT", f"/v1/tenants/{tenant_id}", {"name": name, "status": "suspended"}))
    refused = await backend.call(
        "POST", "/v1/sessions", {"token": backend.token_for(member_id(tenant_id, "bob"))}, token=None
    )
    assert (refused.status, refused.body["errcode"]) == (403, "M_FORBIDDEN")
    await backend.finish(await backend.ok("PUT", f"/v1/tenants/{tenant_id}", {"name": name, "status": "active"}))
    bob = await backend.sign_in(member_id(tenant_id, "bob"))
    assert await bob.rooms() == before


async def test_lists_are_paged_and_complete(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(**{f"p{n}": "member" for n in range(5)})
    seen, after = [], ""
    while True:
        page = await backend.ok("GET", f"/v1/tenants/{tenant_id}/members?limit=2&after={after}")
        seen += [item["user_id"] for item in page["items"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert seen == sorted(member_id(tenant_id, f"p{n}") for n in range(5))
    tenants, after = [], ""
    while after is not None:
        page = await backend.ok("GET", f"/v1/tenants?limit=1&after={after}")
        tenants += [item["tenant_id"] for item in page["items"]]
        after = page["next"]
    assert {"acme", "globex", tenant_id} <= set(tenants)
    assert tenants == sorted(tenants)


async def test_a_plan_that_changed_is_not_carried_out(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(bob="member")
    plan = await backend.ok("GET", f"/v1/tenants/{tenant_id}/plan")
    assert plan["effects"] == []
    assert plan["summary"] == {"create": 0, "change": 0, "remove": 0}
    good = await backend.ok("POST", f"/v1/tenants/{tenant_id}/reconcile", {"plan": plan["hash"]})
    assert good["job_id"] is None
    refused = await backend.call("POST", f"/v1/tenants/{tenant_id}/reconcile", {"plan": "0" * 64})
    assert (refused.status, refused.body["errcode"]) == (409, "M_CONFLICT")


async def members(backend: Backend, tenant_id: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await backend.ok("GET", f"/v1/tenants/{tenant_id}/members"))["items"]
    return items
