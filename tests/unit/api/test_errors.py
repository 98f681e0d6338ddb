"""Errors: the tree is as its drawing says, and each is answered in one shape."""

import re
from itertools import pairwise

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from bridge import errors
from bridge.api.middleware import render_errors
from bridge.errors import (
    BitnexusError,
    ConfigError,
    DependencyDown,
    HomeserverRefused,
    InvalidInput,
    LimitExceeded,
    NeedsConfirmation,
)
from bridge.matrix.appservice import render_errors as render_appservice_errors
from tests.unit.api.asking import PLATFORM_KEY, Api, json_of

CLASSES = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, BitnexusError)
}
LINE = re.compile(r"^(?P<lead>[│├└─ ]*)(?P<name>[A-Z]\w+) +(?P<rest>.+)$", re.MULTILINE)
DRAWN = {found["name"]: found for found in LINE.finditer(errors.__doc__ or "") if found["name"] in CLASSES}


def test_the_drawing_shows_every_class_and_no_other() -> None:
    assert set(DRAWN) == set(CLASSES)
    drawn = re.findall(r"^[│├└─ ]*([A-Z][a-z]+[A-Za-z]*) {2,}", errors.__doc__ or "", re.MULTILINE)
    assert set(drawn) == set(CLASSES)


def test_a_class_stands_below_its_parent() -> None:
    depths = [(len(found["lead"]) // 4, name) for name, found in DRAWN.items()]
    trail: list[str] = []
    for depth, name in depths:
        trail = [*trail[:depth], name]
        if depth:
            assert CLASSES[name].__bases__ == (CLASSES[trail[-2]],)
    assert depths[0] == (0, "BitnexusError")
    assert all(after <= before + 1 for (before, _), (after, _) in pairwise(depths))


@pytest.mark.parametrize("name", sorted(set(CLASSES) - {"ConfigError", "HomeserverRefused"}))
def test_status_and_errcode_are_as_drawn(name: str) -> None:
    status, errcode = DRAWN[name]["rest"].split()[:2]
    assert (CLASSES[name].status, CLASSES[name].errcode) == (int(status), errcode)


def test_the_two_that_are_drawn_in_words() -> None:
    assert DRAWN["HomeserverRefused"]["rest"].startswith(f"{HomeserverRefused.status} the homeserver's own errcode")
    assert DRAWN["ConfigError"]["rest"] == "the process does not start"
    assert ConfigError.status == 500


def instance_of(name: str) -> BitnexusError:
    kind = CLASSES[name]
    if issubclass(kind, HomeserverRefused):
        return kind("sentence", errcode="M_FORBIDDEN", http_status=403)
    if issubclass(kind, LimitExceeded | DependencyDown):
        return kind("sentence", retry_after_ms=2500)
    if issubclass(kind, NeedsConfirmation):
        return kind("sentence", plan={"hash": "h"})
    return kind("sentence", path="$.x") if issubclass(kind, InvalidInput) else kind("sentence")


@pytest.mark.parametrize("name", sorted(CLASSES))
async def test_each_is_a_matrix_standard_error(name: str) -> None:
    error = instance_of(name)

    async def fail(_request: web.Request) -> web.StreamResponse:
        raise error

    request = make_mocked_request("GET", "/v1/x")
    for render in (render_errors, render_appservice_errors):
        answer = await render(request, fail)
        assert isinstance(answer, web.Response)
        assert answer.status == error.status
        assert answer.content_type == "application/json"
        plan = {"plan": {"hash": "h"}} if isinstance(error, NeedsConfirmation) else {}
        assert json_of(answer) == {"errcode": error.errcode, "error": "sentence", **error.details, **plan}
    if isinstance(error, LimitExceeded | DependencyDown):
        answer = await render_errors(request, fail)
        assert answer.headers["Retry-After"] == "2"
        assert error.details["retry_after_ms"] == 2500


async def test_a_mistake_of_ours_tells_nothing_of_the_inside() -> None:
    async def fail(_request: web.Request) -> web.StreamResponse:
        raise RuntimeError("secret detail of the inside")

    answer = await render_errors(make_mocked_request("GET", "/v1/x"), fail)
    assert isinstance(answer, web.Response)
    assert (answer.status, json_of(answer)["errcode"]) == (500, "M_UNKNOWN")
    assert b"secret detail" not in answer.body


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("PATCH", "/v1/tenants", 405),
        ("GET", "//v1/tenants", 404),
        ("GET", "/v1/tenants/", 404),
        ("GET", "/V1/tenants", 404),
        ("GET", "/v1/tenants/a%2Fb/x", 404),
    ],
)
async def test_what_is_not_on_the_table_is_unrecognized(method: str, path: str, status: int) -> None:
    answer = await Api().ask(method, path, token=PLATFORM_KEY)
    assert (answer.status, json_of(answer)["errcode"]) == (status, "M_UNRECOGNIZED")


@pytest.mark.parametrize("bad", ["A", "a%2Fb", "a%00", "%C3%A4", "..%2fx", "a" * 65, "@space", "*", "%F0%9F%8E%93"])
@pytest.mark.parametrize("path", ["/v1/tenants/{}", "/v1/tenants/{}/plan", "/v1/tenants/acme/members/{}"])
async def test_ids_outside_the_grammar_in_paths(path: str, bad: str) -> None:
    method = "PUT" if path.endswith("members/{}") else "GET"
    answer = await Api().ask(method, path.format(bad), token=PLATFORM_KEY, body={"role": "member"})
    assert (answer.status, json_of(answer)["errcode"]) == (400, "M_INVALID_PARAM")


async def test_a_dependency_that_is_away_is_503() -> None:
    api = Api()
    api.house.database.is_down = True
    answer = await api.ask("GET", "/v1/tenants/acme", token=PLATFORM_KEY)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
