"""Build the main listener's application from the route table."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from bridge.api.auth import Authenticator
from bridge.api.body import read_body
from bridge.api.call import Actions, Call, Route
from bridge.api.middleware import CREDENTIAL, PUBLIC_FILES, cross_origin, measure, never_store, render_errors
from bridge.api.openapi import openapi_document
from bridge.api.operation import DOCUMENT
from bridge.api.routes import ROUTES
from bridge.api.shapes import AllianceChangeAnswer, PreviewAnswer
from bridge.ports import Database


def build_api(
    *,
    actions: Actions,
    authenticator: Authenticator,
    database: Database,
    web_directory: Path | None,
    max_body_bytes: int,
) -> web.Application:
    """Return the application of ``/v1``, the documentation, the health checks and the embedded client."""
    app = web.Application(
        middlewares=[measure, never_store, cross_origin(database), render_errors], client_max_size=max_body_bytes
    )
    app[DOCUMENT] = openapi_document(ROUTES)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, _handler(route, actions, authenticator))
    if web_directory is not None:
        app.router.add_static(PUBLIC_FILES, web_directory)
        app.on_response_prepare.append(_open_public_files)
    return app


def _handler(
    route: Route, actions: Actions, authenticator: Authenticator
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        credential = await authenticator.credential_for(route, request.headers.get("Authorization"))
        request[CREDENTIAL] = credential
        raw_body = await request.read()
        body = read_body(raw_body, route.body)
        call = Call(request=request, actions=actions, credential=credential, body=body, raw_body=raw_body)
        answer = await route.handler(call)
        if isinstance(answer, web.StreamResponse):
            return answer
        if answer is None:
            return web.Response(status=route.status)
        status = _status(answer) or route.status
        return web.Response(body=msgspec.json.encode(answer), status=status, content_type="application/json")

    return handle


def _status(answer: Any) -> int | None:
    """Return the status of an answer that says more of it than its route."""
    match answer:
        case PreviewAnswer():  # nothing was sent, so it is not "accepted"
            return 200
        case AllianceChangeAnswer(in_force=False):
            return 202
        case _:
            return None


async def _open_public_files(request: web.Request, response: web.StreamResponse) -> None:
    """Let any host page load the client's public script; it carries no data."""
    if request.path.startswith(PUBLIC_FILES):
        response.headers["Access-Control-Allow-Origin"] = "*"
        # a chunk's name has the hash of what is in it
        is_hashed = request.path.startswith(f"{PUBLIC_FILES}chunks/")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if is_hashed else "no-cache"
