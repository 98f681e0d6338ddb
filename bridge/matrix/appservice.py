"""What Synapse calls: our own transaction endpoint (store, then 200), and the module's questions.

Not mautrix's: it answers before its handlers have run, and forgets known transactions at a restart.
"""

import hmac
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from bridge.actions.decide_login import DecideLogin
from bridge.actions.start_chat import StartChat
from bridge.errors import BitnexusError, MalformedJson, MissingCredential, NotFound, TooLarge, UnknownCredential
from bridge.matrix.events import parse_transaction
from bridge.model.credential import secret_sha256
from bridge.model.event import InboxItems
from bridge.model.ids import UserID
from bridge.telemetry import INBOX_EVENTS

Store = Callable[[InboxItems, Sequence[tuple[str, str]]], Awaitable[int]]
"""Store a transaction's items and what could not be read; return how many items were new."""


class AppserviceEndpoints:
    """The application service API (Matrix specification), by token in the header alone."""

    def __init__(
        self, *, hs_token: str, module_secret: str, store: Store, decide_login: DecideLogin, start_chat: StartChat
    ) -> None:
        self._hs_token, self._module_secret = hs_token, module_secret
        self._store, self._decide_login, self._start_chat = store, decide_login, start_chat

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_put("/_matrix/app/v1/transactions/{txn_id}", self.put_transaction)
        app.router.add_get("/_matrix/app/v1/users/{user_id}", self.get_absent)
        app.router.add_get("/_matrix/app/v1/rooms/{room_alias}", self.get_absent)
        app.router.add_post("/_matrix/app/v1/ping", self.post_ping)
        app.router.add_post("/_bitnexus/policy/login", self.post_login)
        app.router.add_post("/_bitnexus/policy/direct_chat", self.post_direct_chat)

    async def put_transaction(self, request: web.Request) -> web.Response:
        """Answer 200 once everything is committed; a transaction that comes again stores nothing twice."""
        _check_token(request, self._hs_token)
        try:
            transaction = parse_transaction(await request.read())
        except (ValueError, RecursionError) as error:
            raise MalformedJson(f"the body is not a JSON object: {error}") from None
        new = await self._store(transaction.items, transaction.unparsable)
        INBOX_EVENTS.labels("new").inc(new)
        INBOX_EVENTS.labels("repeated").inc(len(transaction.items) - new)
        INBOX_EVENTS.labels("quarantined").inc(len(transaction.unparsable))
        return web.json_response({})

    async def get_absent(self, request: web.Request) -> web.Response:
        """Create nothing on demand: people come from BitNexus, and there are no aliases."""
        _check_token(request, self._hs_token)
        raise NotFound("not made on demand")

    async def post_ping(self, request: web.Request) -> web.Response:
        """Answer Synapse's ping."""
        _check_token(request, self._hs_token)
        return web.json_response({})

    async def post_login(self, request: web.Request) -> web.Response:
        """Tell the module whether a user may log in."""
        _check_token(request, self._module_secret)
        try:
            body = await request.json()
            user_id = body["user_id"]
        except (ValueError, KeyError, TypeError):
            raise MalformedJson('the body must be {"user_id": "@..."}') from None
        sentence = await self._decide_login(UserID(str(user_id)))
        return web.json_response({"allow": sentence is None, "sentence": sentence or ""})

    async def post_direct_chat(self, request: web.Request) -> web.Response:
        """Make the chat that somebody starts in their client; the client's own room is refused in any case."""
        _check_token(request, self._module_secret)
        try:
            body = await request.json()
            user_id, invitees = UserID(str(body["user_id"])), [UserID(str(found)) for found in list(body["invitees"])]
        except (ValueError, KeyError, TypeError):
            raise MalformedJson('the body must be {"user_id": "@...", "invitees": ["@..."]}') from None
        return web.json_response({"allow": False, "sentence": await self._start_chat(user_id, invitees)})


@web.middleware
async def render_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn our errors into Matrix standard errors, so that Synapse tries again when we could not store."""
    try:
        return await handler(request)
    except BitnexusError as error:
        return web.json_response(error.body, status=error.status)
    except web.HTTPRequestEntityTooLarge:
        return web.json_response(TooLarge("the body is too large").body, status=TooLarge.status)


def _check_token(request: web.Request, expected: str) -> None:
    """Compare the bearer token in constant time; a token in the query is not looked at."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise MissingCredential("a bearer token is needed")
    if not hmac.compare_digest(secret_sha256(token), secret_sha256(expected)):
        raise UnknownCredential("this token is not ours")
