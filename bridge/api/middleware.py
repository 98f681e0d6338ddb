"""What every request passes through: errors as Matrix standard errors, no caching, cross-origin rules, metrics."""

import time
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from bridge.errors import BitnexusError, DependencyDown, LimitExceeded
from bridge.model.credential import SessionCredential
from bridge.model.ids import MemberID
from bridge.ports import Database
from bridge.telemetry import HTTP_REQUESTS

Next = Callable[[web.Request], Awaitable[web.StreamResponse]]

CREDENTIAL = web.RequestKey("credential", object)
"""The request's Credential, or None, once it is known."""
PUBLIC_FILES = "/chat/"

_log = structlog.stdlib.get_logger("bridge.api")
_ERRCODES = {400: "M_INVALID_PARAM", 404: "M_UNRECOGNIZED", 405: "M_UNRECOGNIZED", 413: "M_TOO_LARGE"}
_SERVER_ERROR = 500


@web.middleware
async def render_errors(request: web.Request, handler: Next) -> web.StreamResponse:
    """Answer every failure with a Matrix standard error; never with a stack trace."""
    try:
        return await handler(request)
    except BitnexusError as error:
        response = web.json_response(error.body, status=error.status)
        if isinstance(error, LimitExceeded | DependencyDown):
            response.headers[hdrs.RETRY_AFTER] = str(max(1, error.retry_after_ms // 1000))
        return response
    except web.HTTPException as error:
        if error.status < web.HTTPBadRequest.status_code:
            raise
        body = {"errcode": _ERRCODES.get(error.status, "M_UNKNOWN"), "error": error.reason}
        kept = {hdrs.ALLOW: error.headers[hdrs.ALLOW]} if hdrs.ALLOW in error.headers else None
        return web.json_response(body, status=error.status, headers=kept)
    except Exception:  # noqa: BLE001 - the last line of defence: it is logged, and the caller learns nothing inside
        _log.exception("request failed", method=request.method, route=_route_name(request))
        body = {"errcode": "M_UNKNOWN", "error": "something went wrong on our side; it has been logged"}
        return web.json_response(body, status=_SERVER_ERROR)


@web.middleware
async def never_store(request: web.Request, handler: Next) -> web.StreamResponse:
    """Keep every answer but the client's public files out of caches."""
    response = await handler(request)
    if not request.path.startswith(PUBLIC_FILES):
        response.headers[hdrs.CACHE_CONTROL] = "no-store"
    response.headers[hdrs.X_CONTENT_TYPE_OPTIONS] = "nosniff"
    return response


@web.middleware
async def measure(request: web.Request, handler: Next) -> web.StreamResponse:
    """Count and time each request by its route, never by its path: paths carry ids."""
    began = time.perf_counter()
    response = await handler(request)
    HTTP_REQUESTS.labels(request.method, _route_name(request), str(response.status)).observe(
        time.perf_counter() - began
    )
    return response


def cross_origin(database: Database) -> Middleware:
    """Allow calls from other origins: those that the caller's tenants allow, without cookies, and no wildcard."""

    @web.middleware
    async def middleware(request: web.Request, handler: Next) -> web.StreamResponse:
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None or not request.path.startswith("/v1/"):
            return await handler(request)
        is_preflight = request.method == hdrs.METH_OPTIONS and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
        response = web.Response(status=204) if is_preflight else await handler(request)
        credential = None if is_preflight else request.get(CREDENTIAL)
        member_id = credential.member_id if isinstance(credential, SessionCredential) else None
        response.headers[hdrs.VARY] = hdrs.ORIGIN
        if origin in await _allowed(database, member_id):
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = "GET, PUT, POST, PATCH, DELETE"
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = "Authorization, Content-Type"
            response.headers[hdrs.ACCESS_CONTROL_MAX_AGE] = "600"
        return response

    return middleware


async def _allowed(database: Database, member_id: MemberID | None) -> frozenset[str]:
    try:
        return await database.allowed_origins(member_id)
    except DependencyDown:
        return frozenset()


def _route_name(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "none"
