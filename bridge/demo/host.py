"""The demo's "BitNexus": a small host application that signs people in and embeds ``<bitnexus-chat>``."""

import argparse
import logging
import secrets
import time
from pathlib import Path
from typing import Final

import jwt
import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from bridge.demo.people import TENANTS
from bridge.errors import BitnexusError, DependencyDown, Forbidden, InvalidInput, MalformedJson, NotFound

STATIC: Final = Path(__file__).parent / "static"
FILES: Final = {"host.js": "text/javascript", "host.css": "text/css", "icon.svg": "image/svg+xml"}
TOKEN_SECONDS: Final = 120
MAX_BODY_BYTES: Final = 4096
TENANT_NAMES: Final = {tenant.tenant_id: tenant.name for tenant in TENANTS}
PEOPLE_NAMES: Final = {person.user_id: person.display_name for tenant in TENANTS for person, _role in tenant.people}


class Issuer(msgspec.Struct, frozen=True):
    """How the demo signs the tokens of its people."""

    iss: str
    aud: str
    alg: str
    secret: str


class Person(msgspec.Struct, frozen=True):
    """Somebody to sign in as; passwords stay in the file."""

    user_id: str
    role: str


class Tenant(msgspec.Struct, frozen=True):
    """A tenant of the demo with its people; its integration key stays in the file."""

    tenant_id: str
    users: tuple[Person, ...]


class Stack(msgspec.Struct, frozen=True):
    """The part of ``stack.json`` that this page needs."""

    bridge_url: str
    synapse_url: str
    demo_issuer: Issuer
    tenants: tuple[Tenant, ...]


class TokenRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom the page wants to be."""

    user_id: str
    tenant_id: str


def read_stack(path: Path) -> Stack:
    """Read ``stack.json`` as it is now; raises DependencyDown while the demo has not written it."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Stack)
    except (OSError, msgspec.DecodeError):
        raise DependencyDown("the demo is still starting; its stack.json cannot be read yet") from None


def mint_token(issuer: Issuer, user_id: str) -> str:
    """Return a token that lasts two minutes and can be used once, as a BitNexus backend would."""
    now = int(time.time())
    claims = {
        "iss": issuer.iss,
        "aud": issuer.aud,
        "sub": user_id,
        "iat": now,
        "exp": now + TOKEN_SECONDS,
        "jti": secrets.token_urlsafe(16),
    }
    return jwt.encode(claims, issuer.secret.encode(), algorithm=issuer.alg)


def content_security_policy(stack: Stack) -> str:
    """Allow this page, the bridge and Synapse, nothing else and nothing inline."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {stack.bridge_url}",
            "style-src 'self'",
            "img-src 'self' blob:",  # pictures of people, which only those who are signed in may load
            f"connect-src 'self' {stack.bridge_url} {stack.synapse_url}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types dompurify",
        )
    )


def describe_tenant(tenant: Tenant) -> dict[str, object]:
    """Return what the page shows of a tenant and its people, with the names that the demo gave them."""
    users = [
        {"user_id": person.user_id, "role": person.role, "name": PEOPLE_NAMES.get(person.user_id, person.user_id)}
        for person in tenant.users
    ]
    name = TENANT_NAMES.get(tenant.tenant_id, tenant.tenant_id)
    return {"tenant_id": tenant.tenant_id, "name": name, "users": users}


class HostPage:
    """The routes of the host application, for its own origin only."""

    def __init__(self, *, stack_path: Path, port: int) -> None:
        self._stack_path = stack_path
        self._authority = f"127.0.0.1:{port}"

    def application(self) -> web.Application:
        """Return the application with its routes."""
        application = web.Application(middlewares=[self._guard], client_max_size=MAX_BODY_BYTES)
        application.router.add_get("/", self._page)
        application.router.add_get("/people", self._people)
        application.router.add_post("/token", self._token)
        application.router.add_get("/static/{name}", self._static)
        return application

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        response: web.StreamResponse
        try:
            # a foreign name that resolves to this machine must not make us answer its pages
            if request.headers.get("Host") != self._authority:
                raise Forbidden("this page answers at its own address only")
            response = await handler(request)
        except BitnexusError as error:
            response = web.json_response({"errcode": error.errcode, "error": error.sentence}, status=error.status)
        response.headers.update(
            {
                "Cache-Control": "no-store",
                "Cross-Origin-Resource-Policy": "same-origin",
                "Referrer-Policy": "no-referrer",
                "X-Content-Type-Options": "nosniff",
            }
        )
        return response

    async def _page(self, _request: web.Request) -> web.StreamResponse:
        policy = content_security_policy(read_stack(self._stack_path))
        page = (STATIC / "index.html").read_text(encoding="utf-8")
        return web.Response(text=page, content_type="text/html", headers={"Content-Security-Policy": policy})

    async def _static(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in FILES:
            raise NotFound("there is no such file")
        return web.Response(text=(STATIC / name).read_text(encoding="utf-8"), content_type=FILES[name])

    async def _people(self, request: web.Request) -> web.StreamResponse:
        self._refuse_foreign(request)
        stack = read_stack(self._stack_path)
        body = {
            "bridge_url": stack.bridge_url,
            "script_url": f"{stack.bridge_url}/chat/bitnexus-chat.js",
            "tenants": [describe_tenant(tenant) for tenant in stack.tenants],
        }
        return web.json_response(body)

    async def _token(self, request: web.Request) -> web.StreamResponse:
        self._refuse_foreign(request)
        if request.headers.get("Origin") != f"http://{self._authority}":
            raise Forbidden("tokens are for this page only")
        wanted = await self._token_request(request)
        stack = read_stack(self._stack_path)
        people = {(tenant.tenant_id, person.user_id) for tenant in stack.tenants for person in tenant.users}
        if (wanted.tenant_id, wanted.user_id) not in people:
            raise NotFound("there is no such person in this tenant")
        return web.json_response({"token": mint_token(stack.demo_issuer, wanted.user_id)})

    def _refuse_foreign(self, request: web.Request) -> None:
        if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            raise Forbidden("this page answers itself only")

    async def _token_request(self, request: web.Request) -> TokenRequest:
        try:
            return msgspec.json.decode(await request.read(), type=TokenRequest)
        except msgspec.ValidationError as error:
            raise InvalidInput(str(error)) from None
        except msgspec.DecodeError:
            raise MalformedJson("the body is not JSON") from None


def main() -> None:
    """Serve the page on 127.0.0.1 until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m bridge.demo.host", description=__doc__)
    parser.add_argument("--stack", type=Path, required=True, help="the demo's stack.json")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    host_page = HostPage(stack_path=arguments.stack, port=arguments.port)
    web.run_app(
        host_page.application(),
        host="127.0.0.1",
        port=arguments.port,
        access_log=None,
        print=None,
        shutdown_timeout=2.0,
    )


if __name__ == "__main__":
    main()
