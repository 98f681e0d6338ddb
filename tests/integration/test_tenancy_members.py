"""Members on a real Synapse: whole lists and their guard, last owners, roles given by people, explanations."""

from typing import Any
from urllib.parse import quote

from tests.support.backend import Backend, Client, member_id
from tests.support.waiting import until

ROOMS = [
    {"key": "general", "type": "general", "name": "General"},
    {"key": "board", "type": "custom", "name": "Board", "access": "invite"},
]


def listed(tenant_id: str, **roles: str) -> dict[str, Any]:
    members = [
        {"user_id": member_id(tenant_id, name), "role": role, "display_name": name.title()}
        for name, role in roles.items()
    ]
    return {"members": members}


async def roles_of(backend: Backend, tenant_id: str) -> dict[str, str]:
    items = (await backend.ok("GET", f"/v1/tenants/{tenant_id}/members"))["items"]
    return {item["user_id"].split("-")[0]: item["role"] for item in items}


async def level_of(client: Client, who: Client, room_id: str) -> int:
    levels = await client.ok("GET", f"v3/rooms/{quote(room_id)}/state/m.room.power_levels/")
    return int(levels["users"].get(who.matrix_id, levels["users_default"]))


async def explain(backend: Backend, tenant_id: str, name: str, room: str, **how: Any) -> dict[str, Any]:
    path = f"/v1/tenants/{tenant_id}/explain?user_id={member_id(tenant_id, name)}&room={quote(room)}"
    found: dict[str, Any] = await backend.ok("GET", path, **how)
    return found


def codes(found: dict[str, Any]) -> list[str]:
    return [reason["code"] for reason in found["reasons"]]


async def test_a_whole_list_joins_changes_and_removes_in_one_go(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(ann="owner", bob="member", cyd="moderator", eve="member", fay="member")
    ann, bob = [await backend.look_as(member_id(tenant_id, name)) for name in ("ann", "bob")]
    general = (await ann.rooms())["general"]
    staying = {"eve": "member", "fay": "member"}
    body = listed(tenant_id, ann="owner", cyd="admin", dan="guest", **staying)
    change = await backend.ok("PUT", f"/v1/tenants/{tenant_id}/members", body)
    await backend.finish(change)
    await backend.settle(tenant_id)
    assert await roles_of(backend, tenant_id) == {"ann": "owner", "cyd": "admin", "dan": "guest", **staying}
    dan, cyd = [await backend.sign_in(member_id(tenant_id, name)) for name in ("dan", "cyd")]
    assert (await dan.rooms())["general"] == general
    assert await bob.rooms() == {}
    assert await level_of(ann, cyd, general) == 75
    again = await backend.ok("PUT", f"/v1/tenants/{tenant_id}/members", body)
    assert again == {"revision": change["revision"], "job_id": None}


async def test_row_36_a_truncated_list_removes_nobody_until_its_plan_is_confirmed(backend: Backend) -> None:
    people = {f"p{n}": "member" for n in range(6)}
    tenant_id = await backend.new_tenant(ann="owner", **people)
    path = f"/v1/tenants/{tenant_id}/members"
    left = await backend.look_as(member_id(tenant_id, "p5"))
    rooms = await left.rooms()
    for body, status in (({"members": []}, 400), (listed(tenant_id, ann="owner"), 409)):
        refused = await backend.call("PUT", path, body)
        assert refused.status == status
    plan = refused.body["plan"]
    removed = {effect["user_id"] for effect in plan["effects"] if effect["kind"] == "remove_user"}
    assert removed == {member_id(tenant_id, name) for name in people}
    assert plan["summary"]["remove"] == 2 * len(people), "from the space and from the room"
    other = await backend.call(
        "PUT", f"{path}?confirm_plan={plan['hash']}", listed(tenant_id, ann="owner", p0="member")
    )
    assert other.status == 409, "the confirmation is for the list that was looked at"
    assert await left.rooms() == rooms
    assert len(await roles_of(backend, tenant_id)) == 7
    await backend.finish(await backend.ok("PUT", f"{path}?confirm_plan={plan['hash']}", listed(tenant_id, ann="owner")))
    assert await left.rooms() == {}


async def test_the_last_owner_can_go_only_when_there_is_another(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(ann="owner", bob="member")
    ann = await backend.sign_in(member_id(tenant_id, "ann"))
    path = f"/v1/tenants/{tenant_id}/members"
    for method, where, body in (
        ("DELETE", f"{path}/{member_id(tenant_id, 'ann')}", None),
        ("PUT", f"{path}/{member_id(tenant_id, 'ann')}", {"role": "admin"}),
        ("PUT", path, listed(tenant_id, ann="admin", bob="member")),
        ("PATCH", f"{path}/{member_id(tenant_id, 'ann')}", {"role": "admin"}),
    ):
        refused = await backend.call(method, where, body)
        assert (refused.status, refused.body["errcode"]) == (409, "M_CONFLICT")
    token = ann.session["session_token"]
    await backend.ok("PATCH", f"{path}/{member_id(tenant_id, 'bob')}", {"role": "owner"}, token=token)
    await backend.ok("DELETE", f"{path}/{member_id(tenant_id, 'ann')}")
    assert await roles_of(backend, tenant_id) == {"bob": "owner"}


async def test_a_demoted_admin_has_no_power_any_more_anywhere(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(ann="owner", ada="admin", bob="member")
    ann, ada, bob = [await backend.sign_in(member_id(tenant_id, name)) for name in ("ann", "ada", "bob")]
    general = (await ann.rooms())["general"]
    path = f"/v1/tenants/{tenant_id}/members"
    token = ada.session["session_token"]
    refused = await backend.call("PATCH", f"{path}/{member_id(tenant_id, 'bob')}", {"role": "admin"}, token=token)
    assert refused.status == 403, "only below one's own role"
    change = await backend.ok(
        "PATCH", f"{path}/{member_id(tenant_id, 'ada')}", {"role": "member"}, token=ann.session["session_token"]
    )
    refused = await backend.call("PATCH", f"{path}/{member_id(tenant_id, 'bob')}", {"role": "guest"}, token=token)
    assert refused.status == 403, "at once, whatever Matrix knows yet"
    await backend.finish(change)
    assert await level_of(ann, ada, general) == 0
    kick = await ada.call("POST", f"v3/rooms/{quote(general)}/kick", {"user_id": bob.matrix_id})
    assert kick.status == 403


async def test_an_explanation_says_why_somebody_is_in_a_room_and_why_not(backend: Backend) -> None:
    tenant_id = await backend.new_tenant(rooms=ROOMS, ann="owner", mod="moderator", bob="member")
    ann, mod, bob = [await backend.sign_in(member_id(tenant_id, name)) for name in ("ann", "mod", "bob")]
    general = (await bob.rooms())["general"]
    token = ann.session["session_token"]
    found = await explain(backend, tenant_id, "mod", "general", token=token)
    assert (found["belongs"], found["membership"], found["effects"]) == (True, "join", [])
    assert found["power_level"] == {"desired": 50, "observed": 50}
    assert found == await explain(backend, tenant_id, "mod", general), "by its Matrix id, and by the backend"
    assert "not_listed_in_room" in codes(await explain(backend, tenant_id, "bob", "board"))
    await mod.ok("POST", f"v3/rooms/{quote(general)}/kick", {"user_id": bob.matrix_id})

    async def explained() -> dict[str, Any]:
        return await explain(backend, tenant_id, "bob", "general")

    found = await until(explained, lambda seen: seen["membership"] == "leave")
    (reason,) = [reason for reason in found["reasons"] if reason["code"] == "kicked"]
    assert (reason["user_id"], reason["matrix_id"]) == (member_id(tenant_id, "mod"), mod.matrix_id)
    assert (found["belongs"], found["effects"]) == (True, [])


async def test_an_explanation_of_a_foreign_person_is_that_of_an_absent_one(backend: Backend) -> None:
    ours, theirs = await backend.new_tenant(ann="owner"), await backend.new_tenant(eve="owner")
    ann = await backend.sign_in(member_id(ours, "ann"))
    answers = []
    for who in (member_id(theirs, "eve"), "absent"):
        reply = await backend.call(
            "GET", f"/v1/tenants/{ours}/explain?user_id={who}&room=general", token=ann.session["session_token"]
        )
        answers.append((reply.status, reply.raw.decode().replace(who, "WHO")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 200
