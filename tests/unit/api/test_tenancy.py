"""Tenants, members and rooms over HTTP: what is asked, what is answered, and what nobody may learn."""

from typing import Any

import pytest
from aiohttp import web

from bridge.model.tenant import RoomType
from tests.unit.api.asking import PLATFORM_KEY, Api, json_of
from tests.unit.people import GLOBEX, member, room, tenant_of


async def api_with_tenants(signed_in: str = "anna") -> tuple[Api, str]:
    """Return the API with Acme (Anna owns it) and Globex (Eve owns it), and a session token."""
    api = Api()
    own = room("ai_ben", type=RoomType.AI, personal=True)
    crowd = [member(f"p{n}") for n in range(8)]
    api.house.database.put_tenant(
        tenant_of(member("anna", "owner"), member("ben"), *crowd, rooms=(room("general"), own))
    )
    api.house.database.put_tenant(tenant_of(member("eve", "owner"), rooms=(room("general"),), tenant_id=GLOBEX))
    return api, await api.sign_in(signed_in)


async def ask(
    api: Api, method: str, path: str, body: Any = None, *, token: str = PLATFORM_KEY
) -> tuple[int, dict[str, Any]]:
    answer = await api.ask(method, path, token=token, body=body)
    return answer.status, json_of(answer)


async def test_a_rooms_type_says_what_the_body_does_not() -> None:
    api, _ = await api_with_tenants()
    rooms = [
        {"key": "news", "type": "announcement", "name": "News"},
        {"key": "board", "type": "custom", "name": "B", "access": "invite", "optional": True, "members": ["ben"]},
        {"key": "leads", "type": "custom", "name": "L", "group": "Sales & more", "avatar_url": "mxc://s/abc"},
    ]
    await ask(api, "PUT", "/v1/tenants/acme", {"name": "Acme", "rooms": rooms, "avatar_url": "mxc://s/acme"})
    status, tenant = await ask(api, "GET", "/v1/tenants/acme")
    assert (status, tenant["avatar_url"], tenant["removes_at"]) == (200, "mxc://s/acme", None)
    nothing = {"topic": "", "access": "tenant", "optional": False, "members": [], "group": "", "avatar_url": ""}
    assert tenant["rooms"] == [nothing | wanted for wanted in rooms]
    # what was shown may be sent again
    assert (await ask(api, "PUT", "/v1/tenants/acme", {"name": "Acme", "rooms": tenant["rooms"]}))[1]["revision"] == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("group", " Sales"),
        ("group", "Sales "),
        ("group", "a\nb"),
        ("group", "\x7f"),
        ("group", "x" * 65),
        ("avatar_url", "https://example.org/a.png"),
        ("avatar_url", "mxc://s/"),
        ("avatar_url", "mxc://s/a\n"),
        ("avatar_url", "mxc:///a"),
        ("access", "public"),
        ("members", ["A"]),
        ("unknown", 1),
    ],
)
async def test_a_bad_field_of_a_room_is_named(field: str, value: object) -> None:
    api, token = await api_with_tenants()
    body = {"key": "x", "type": "custom", "name": "X", field: value}
    for method, path, sent in (
        ("POST", "/v1/tenants/acme/rooms", body),
        ("PATCH", "/v1/tenants/acme/rooms/general", {field: value}),
    ):
        status, error = await ask(api, method, path, sent, token=token)
        assert (status, error["errcode"], error["path"].split("[")[0]) == (400, "M_INVALID_PARAM", f"$.{field}")


@pytest.mark.parametrize("group", ["Vertrieb & Außendienst", "営業", "x" * 64, "-", "@group:x", ""])
async def test_a_group_may_have_any_name_that_people_read(group: str) -> None:
    api, token = await api_with_tenants()
    body = {"key": "x", "type": "custom", "name": "X", "group": group}
    assert (await ask(api, "POST", "/v1/tenants/acme/rooms", body, token=token))[0] == 201


async def test_rooms_are_added_changed_and_archived_by_the_tenants_owner() -> None:
    api, token = await api_with_tenants()
    body = {"key": "leads", "type": "custom", "name": "Leads"}
    added = await ask(api, "POST", "/v1/tenants/acme/rooms", body, token=token)
    changed = await ask(api, "PATCH", "/v1/tenants/acme/rooms/leads", {"topic": "Who might buy"}, token=token)
    archived = await ask(api, "DELETE", "/v1/tenants/acme/rooms/leads", token=token)
    assert [added[0], changed[0], archived[0]] == [201, 200, 200]
    assert [answer["revision"] for _, answer in (added, changed, archived)] == [2, 3, 4]
    again = await ask(api, "DELETE", "/v1/tenants/acme/rooms/leads", token=token)
    assert (again[0], again[1]["errcode"]) == (404, "M_NOT_FOUND")


ADMINS_CALLS: list[tuple[str, str, Any]] = [
    ("POST", "/v1/tenants/{tenant}/rooms", {"key": "x", "type": "custom", "name": "X"}),
    ("PATCH", "/v1/tenants/{tenant}/rooms/general", {"name": "Taken over"}),
    ("DELETE", "/v1/tenants/{tenant}/rooms/general", None),
    ("PATCH", "/v1/tenants/{tenant}/members/eve", {"role": "guest"}),
    ("GET", "/v1/tenants/{tenant}/explain?user_id=eve&room=general", None),
]


@pytest.mark.parametrize(("method", "path", "body"), ADMINS_CALLS)
async def test_row_18_a_foreign_tenant_is_answered_like_an_absent_one_byte_for_byte(
    method: str, path: str, body: Any
) -> None:
    api, token = await api_with_tenants("anna")
    foreign, absent = [
        await api.ask(method, path.replace("{tenant}", tenant), token=token, body=body)
        for tenant in ("globex", "absent")
    ]
    assert (foreign.status, foreign.body) == (absent.status, absent.body) == (
        404, b'{"errcode": "M_NOT_FOUND", "error": "there is no such tenant"}',
    )  # fmt: skip
    assert sorted(foreign.headers) == sorted(absent.headers)
    assert api.house.database.memory.audit == []


@pytest.mark.parametrize(("method", "path", "body"), ADMINS_CALLS)
async def test_row_18_who_is_in_the_tenant_and_no_admin_is_refused(method: str, path: str, body: Any) -> None:
    api, token = await api_with_tenants("ben")
    answer = await api.ask(method, path.replace("{tenant}", "acme"), token=token, body=body)
    assert (answer.status, json_of(answer)["errcode"]) == (403, "M_FORBIDDEN")
    assert api.house.database.memory.audit == []


async def test_row_36_a_list_that_takes_out_many_is_refused_with_its_plan_and_then_confirmed() -> None:
    api, _ = await api_with_tenants()
    body = {"members": [{"user_id": "anna", "role": "owner"}, {"user_id": "new", "role": "guest", "display_name": "N"}]}
    status, refusal = await ask(api, "PUT", "/v1/tenants/acme/members", body)
    assert (status, refusal["errcode"]) == (409, "M_CONFLICT")
    assert refusal["plan"].keys() == {"hash", "effects", "summary"}
    assert refusal["plan"]["summary"].keys() == {"create", "change", "remove"}
    assert all(effect.keys() >= {"effect_id", "kind", "user_id"} for effect in refusal["plan"]["effects"])
    wrong = await ask(api, "PUT", f"/v1/tenants/acme/members?confirm_plan={'0' * 64}", body)
    assert (wrong[0], wrong[1]["plan"]["hash"]) == (409, refusal["plan"]["hash"])
    good = await ask(api, "PUT", f"/v1/tenants/acme/members?confirm_plan={refusal['plan']['hash']}", body)
    assert (good[0], good[1]["revision"]) == (200, 2)
    _, page = await ask(api, "GET", "/v1/tenants/acme/members")
    assert [(item["user_id"], item["role"]) for item in page["items"]] == [("anna", "owner"), ("new", "guest")]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "$.members"),
        ({"members": []}, "$.members"),
        ({"members": [{"user_id": "anna", "role": "owner"}] * 2}, "$.members[1].user_id"),
        ({"members": [{"user_id": "Anna", "role": "owner"}]}, "$.members[0].user_id"),
        ({"members": [{"user_id": "anna", "role": "king"}]}, "$.members[0].role"),
        ({"members": [{"user_id": "anna", "role": "owner", "tenant_id": "globex"}]}, "$.members[0].tenant_id"),
    ],
)
async def test_row_36_a_bad_list_is_refused_with_the_path(body: Any, path: str) -> None:
    api, _ = await api_with_tenants()
    status, error = await ask(api, "PUT", "/v1/tenants/acme/members", body)
    assert (status, error["path"]) == (400, path)
    assert len(api.house.database.memory.memberships["acme"]) == 10


async def test_the_last_owner_stays() -> None:
    api, token = await api_with_tenants()
    for method, path, body, sent in (
        ("DELETE", "/v1/tenants/acme/members/anna", None, PLATFORM_KEY),
        ("PUT", "/v1/tenants/acme/members/anna", {"role": "member"}, PLATFORM_KEY),
        ("PATCH", "/v1/tenants/acme/members/anna", {"role": "member"}, token),
    ):
        status, error = await ask(api, method, path, body, token=sent)
        assert (status, error["errcode"]) == (409, "M_CONFLICT")
        assert "last owner" in error["error"]


async def test_a_person_is_shown_with_a_picture_and_an_absent_one_is_not_there() -> None:
    api, _ = await api_with_tenants()
    put = await ask(api, "PUT", "/v1/users/ben", {"avatar_url": "mxc://s/ben"})
    assert put == await ask(api, "GET", "/v1/users/ben")
    assert put[1]["avatar_url"] == "mxc://s/ben"
    assert (await ask(api, "GET", "/v1/users/absent"))[0] == 404
    assert (await ask(api, "PUT", "/v1/users/ben", {"avatar_url": ""}))[1]["avatar_url"] == ""


async def test_off_boarding_over_http() -> None:
    api, _ = await api_with_tenants()
    status, answer = await ask(api, "DELETE", "/v1/tenants/acme?grace_days=2")
    assert (status, answer["status"], answer["removes_at"]) == (200, "suspended", "2026-11-25T12:00:00Z")
    assert (await ask(api, "GET", "/v1/tenants/acme"))[1]["removes_at"] == "2026-11-25T12:00:00Z"
    back = await ask(api, "PUT", "/v1/tenants/acme", {"name": "Acme", "status": "active"})
    assert back[0] == 200
    assert (await ask(api, "GET", "/v1/tenants/acme"))[1]["removes_at"] is None
    status, answer = await ask(api, "DELETE", "/v1/tenants/acme?now=true&confirm=acme")
    assert (status, answer["status"]) == (200, "removing")
    late = await ask(api, "PUT", "/v1/tenants/acme", {"name": "Acme", "status": "active"})
    assert (late[0], late[1]["errcode"]) == (409, "M_CONFLICT")


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("now=true", "confirm"),
        ("now=true&confirm=globex", "confirm"),
        ("now=true&confirm=", "confirm"),
        ("now=yes&confirm=acme", "now"),
        ("grace_days=-1", "grace_days"),
        ("grace_days=366", "grace_days"),
        ("grace_days=soon", "grace_days"),
        ("grace_days=", "grace_days"),
    ],
)
async def test_an_off_boarding_that_is_not_meant_is_refused(query: str, path: str) -> None:
    api, _ = await api_with_tenants()
    status, error = await ask(api, "DELETE", f"/v1/tenants/acme?{query}")
    assert (status, error["path"]) == (400, path)
    assert (await ask(api, "GET", "/v1/tenants/acme"))[1]["status"] == "active"


async def test_keys_are_listed_page_by_page() -> None:
    api, _ = await api_with_tenants()
    for name in ("a", "b", "c"):
        await ask(api, "POST", "/v1/tenants/acme/integration-keys", {"name": name, "scopes": ["events:write"]})
    _, first = await ask(api, "GET", "/v1/tenants/acme/integration-keys?limit=2")
    _, rest = await ask(api, "GET", f"/v1/tenants/acme/integration-keys?limit=2&after={first['next']}")
    assert [item["name"] for item in (*first["items"], *rest["items"])] == ["a", "b", "c"]
    assert rest["next"] is None


async def test_an_explanation_over_http() -> None:
    api, token = await api_with_tenants()
    status, found = await ask(api, "GET", "/v1/tenants/acme/explain?user_id=ben&room=general", token=token)
    assert (status, found["belongs"], found["membership"]) == (200, True, None)
    assert found["power_level"] == {"desired": 0, "observed": None}
    assert [reason["code"] for reason in found["reasons"]][:3] == [
        "tenant_active", "member_of_tenant", "room_for_everybody",
    ]  # fmt: skip
    assert {effect["kind"] for effect in found["effects"]} == {"create_room", "join_user"}
    assert (await ask(api, "GET", "/v1/tenants/acme/explain?user_id=ben&room=@space"))[0] == 200


async def test_an_explanation_tells_nothing_of_people_out_of_the_tenant() -> None:
    api, token = await api_with_tenants()
    answers: list[web.Response] = [
        await api.ask("GET", f"/v1/tenants/acme/explain?user_id={who}&room=general", token=sent)
        for who in ("eve", "absent")
        for sent in (token, PLATFORM_KEY)
    ]
    bodies = {str(json_of(answer) | {"user_id": "WHO"}) for answer in answers}
    assert len(bodies) == 1
    assert "matrix_id': None" in bodies.pop()


@pytest.mark.parametrize(
    ("query", "status", "path"),
    [
        ("room=general", 400, "user_id"),
        ("user_id=ben", 400, "room"),
        ("user_id=Ben&room=general", 400, "user_id"),
        ("user_id=ben&room=absent", 404, None),
        ("user_id=ben&room=!foreign", 404, None),
        ("user_id=ben&room=ai_ben", 404, None),  # a person's own room is none of their admin's business
    ],
)
async def test_what_cannot_be_explained(query: str, status: int, path: str | None) -> None:
    api, token = await api_with_tenants()
    answered, error = await ask(api, "GET", f"/v1/tenants/acme/explain?{query}", token=token)
    assert (answered, error.get("path")) == (status, path)
