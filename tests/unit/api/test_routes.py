"""The route table: what is open, what is asked for, and that handlers keep to what their line says (row 3)."""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any, get_args, get_type_hints
from urllib.parse import quote

import msgspec
import pytest

from bridge.api import shapes
from bridge.api.call import MAX_LIMIT, Noun, Route
from bridge.api.routes import ROUTES
from bridge.model.ids import MemberID
from tests.unit.api.asking import PLATFORM_KEY, Api, json_of
from tests.unit.house import House
from tests.unit.people import member, tenant_of

OPEN = {
    ("POST", "/v1/sessions"),  # the signed token in the body is the credential
    ("GET", "/v1/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/live"),
    ("GET", "/ready"),
}
"""Every route that asks for no credential, on purpose."""

NAMES = [f"{route.method} {route.path}" for route in ROUTES]
every_route = pytest.mark.parametrize("route", ROUTES, ids=NAMES)
guarded_routes = pytest.mark.parametrize(
    "route", [r for r in ROUTES if r.credentials], ids=[n for n, r in zip(NAMES, ROUTES, strict=True) if r.credentials]
)


def path_of(route: Route) -> str:
    return re.sub(r"{(\w+)}", "x", route.path)


async def test_every_route_without_a_credential_is_on_the_list() -> None:
    api = Api()
    unguarded = set()
    for resource in api.app.router.resources():
        for route in resource:
            if route.method == "HEAD":
                continue
            answer = await api.ask(route.method, re.sub(r"{(\w+)}", "x", resource.canonical))
            if answer.status != 401:
                unguarded.add((route.method, resource.canonical))
    assert unguarded == OPEN
    assert {(route.method, route.path) for route in ROUTES if not route.credentials} == OPEN


@guarded_routes
async def test_without_or_with_an_unknown_token_nobody_learns_anything(route: Route) -> None:
    api = Api()
    without = await api.ask(route.method, path_of(route), body=b"not json")
    assert (without.status, json_of(without)["errcode"]) == (401, "M_MISSING_TOKEN")
    for token in ("unknown", "bxi_unknown", "bxs_unknown"):
        unknown = await api.ask(route.method, path_of(route), token=token, body=b"not json")
        assert (unknown.status, json_of(unknown)["errcode"]) == (401, "M_UNKNOWN_TOKEN")


@guarded_routes
async def test_a_credential_of_the_wrong_kind_is_403_before_the_body_is_looked_at(route: Route) -> None:
    api = Api(House())
    api.house.database.put_tenant(tenant_of(member("ben")))
    people = api.house.database.memory.people  # of the staff, which may ask everything that a session may
    people[MemberID("ben")] = replace(people[MemberID("ben")], super_admin=True)
    tokens = {"platform": PLATFORM_KEY, "session": await api.sign_in(), "integration": await integration_key(api)}
    for kind, token in tokens.items():
        answer = await api.ask(route.method, path_of(route), token=token, body=b"not json")
        assert (answer.status == 403) == (kind not in route.credentials)


async def integration_key(api: Api) -> str:
    body = {"name": "n8n", "scopes": ["events:write", "deliveries:read"]}
    made = await api.ask("POST", "/v1/tenants/acme/integration-keys", token=PLATFORM_KEY, body=body)
    assert made.status == 201
    return json_of(made)["key"]


@every_route
async def test_no_answer_is_kept_in_a_cache(route: Route) -> None:
    answer = await Api().ask(route.method, path_of(route))
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@every_route
def test_a_route_has_an_answer_or_none_at_all(route: Route) -> None:
    if route.noun is Noun.OPERATION:
        return  # a document, a page and a sign of life
    assert (route.answer is None) == (route.status == 204)


def test_no_two_routes_are_the_same() -> None:
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)
    assert len({getattr(route.handler, "__name__", "") for route in ROUTES}) == len(ROUTES)


@every_route
def test_a_route_says_what_it_does(route: Route) -> None:
    assert re.fullmatch(r"[A-Z].{5,90}[^.]", route.summary)
    assert route.path.startswith("/v1/") or route.noun is Noun.OPERATION
    assert inspect.getdoc(route.handler)


@every_route
def test_a_handler_reads_what_its_line_declares(route: Route) -> None:
    read = Reading(route.handler)
    assert read.bodies == ({route.body.__name__} if route.body else set())
    assert read.credentials <= route.credentials
    assert read.query == set(route.query)
    assert read.path_names == set(re.findall(r"{(\w+)}", route.path))


@every_route
def test_a_handler_answers_what_its_line_declares(route: Route) -> None:
    if route.noun is Noun.OPERATION:
        return
    answered = get_type_hints(route.handler)["return"]
    declared = type(None) if route.answer is None else route.answer
    assert answered == declared or declared in get_args(answered)


class Reading(ast.NodeVisitor):
    """What a handler reads of its call, by itself or in functions of its own file."""

    def __init__(self, handler: Callable[..., Any]) -> None:
        self.bodies: set[str] = set()
        self.credentials: set[str] = set()
        self.query: set[str] = set()
        self.path_names: set[str] = set()
        self._module = inspect.getmodule(handler)
        self._seen = {handler}
        self._read(handler)

    def _read(self, function: Callable[..., Any]) -> None:
        self.visit(ast.parse(textwrap.dedent(inspect.getsource(function))))

    def visit_Name(self, node: ast.Name) -> None:
        found = getattr(self._module, node.id, None)
        if inspect.isfunction(found) and found not in self._seen and in_module(found, self._module):
            self._seen.add(found)
            self._read(found)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name) and node.value.id == "call":
            if node.attr in {"platform", "integration", "session"}:
                self.credentials.add(node.attr)
            if node.attr == "administrator":
                self.credentials |= {"platform", "session"}
            if node.attr == "limit":
                self.query.add("limit")
            if node.attr == "tenant_id":
                self.path_names.add("tenant_id")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        called = ast.unparse(node.func)
        first = node.args[0] if node.args else None
        if called == "call.body_as" and isinstance(first, ast.Name):
            self.bodies.add(first.id)
        if called in {"call.flag", "call.number", "call.request.query.get"} and isinstance(first, ast.Constant):
            self.query.add(str(first.value))
        if called == "call.path" and isinstance(first, ast.Constant):
            self.path_names.add(str(first.value))
        self.generic_visit(node)


def in_module(function: Callable[..., Any], module: ModuleType | None) -> bool:
    return module is not None and function.__module__ == module.__name__


def test_the_reader_of_handlers_reads() -> None:
    """A reader that found nothing would agree with everything."""
    read = [Reading(route.handler) for route in ROUTES]
    assert any(found.bodies for found in read)
    assert any(found.query for found in read)
    assert {kind for found in read for kind in found.credentials} == {"platform", "integration", "session"}


SHOWN_ONCE = {"IntegrationKeySecret.key", "SessionAnswer.access_token", "SessionAnswer.session_token"}


def test_answers_have_no_secret_but_those_that_are_shown_once() -> None:
    """Row 20: lists show no secrets."""
    words = re.compile(r"secret|token|password|^key$|_key$|sha256|hash")
    kinds = [kind for kind in vars(shapes).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
    answers = [kind for kind in kinds if kind is shapes.Page or issubclass(kind, shapes.Answer)]
    assert len(answers) > 20
    found = {f"{kind.__name__}.{name}" for kind in answers for name in kind.__struct_fields__ if words.search(name)}
    harmless = {"AiRoomAnswer.key", "DirectChatAnswer.key", "EffectItem.room_key", "PlanAnswer.hash"}
    assert found == SHOWN_ONCE | harmless


@pytest.mark.parametrize("limit", ["0", "-1", "201", "ten", "", "1e1", "٣", "9" * 5000, " 5"])
async def test_a_limit_that_is_none_is_refused(limit: str) -> None:
    answer = await Api().ask("GET", f"/v1/tenants?limit={quote(limit)}", token=PLATFORM_KEY)
    assert (answer.status, json_of(answer)["path"]) == (400, "limit")


async def test_a_list_is_read_page_by_page() -> None:
    api = Api()
    for name in ("a", "b", "c"):
        await api.ask("PUT", f"/v1/tenants/{name}", token=PLATFORM_KEY, body={"name": name})
    first = json_of(await api.ask("GET", "/v1/tenants?limit=2", token=PLATFORM_KEY))
    assert ([item["tenant_id"] for item in first["items"]], first["next"]) == (["a", "b"], "b")
    rest = json_of(await api.ask("GET", f"/v1/tenants?limit={MAX_LIMIT}&after=b", token=PLATFORM_KEY))
    assert ([item["tenant_id"] for item in rest["items"]], rest["next"]) == (["c"], None)


async def test_ready_says_what_is_away() -> None:
    well, ill = await Api().ask("GET", "/ready"), await Api(House(is_ready=False)).ask("GET", "/ready")
    assert (well.status, json_of(well)) == (200, {"status": "ok", "dependencies": {"postgresql": True}})
    assert (ill.status, json_of(ill)) == (503, {"status": "unavailable", "dependencies": {"postgresql": False}})
