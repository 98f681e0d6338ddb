"""The demo's host page: signs tokens for itself alone, offers everybody, tells no secret."""

import asyncio
from typing import Any

import aiohttp
import jwt
from playwright.async_api import Browser, expect

from tests.e2e.conftest import VIEW
from tests.e2e.screen import Open, Screen, people, words
from tests.support.backend import Backend


async def test_the_host_page_signs_tokens_for_itself_alone(demo: dict[str, Any], backend: Backend) -> None:
    url, user_id = demo["chat_url"], people(demo, "acme", "member")[0]
    body = {"tenant_id": "acme", "user_id": user_id}

    async def ask(body: object, **headers: str) -> tuple[int, Any]:
        async with backend.http.post(f"{url}/token", json=body, headers=headers) as response:
            return response.status, await response.json()

    status, answer = await ask(body, Origin=url)
    issuer = demo["demo_issuer"]
    claims = jwt.decode(answer["token"], issuer["secret"], [issuer["alg"]], audience=issuer["aud"])
    assert (status, claims["sub"], claims["iss"]) == (200, user_id, issuer["iss"])
    assert 0 < claims["exp"] - claims["iat"] <= 300
    assert (await ask(body, Origin="https://evil.invalid"))[0] == 403
    assert (await ask(body))[0] == 403
    assert (await ask(body, Origin=url, **{"Sec-Fetch-Site": "cross-site"}))[0] == 403
    assert (await ask(body, Origin=url, Host="evil.invalid"))[0] == 403
    assert (await ask(body | {"tenant_id": "globex"}, Origin=url))[0] == 404
    assert (await ask(body | {"user_id": 7}, Origin=url))[0] == 400
    assert (await ask([], Origin=url))[0] == 400


async def test_the_host_page_tells_no_secret(demo: dict[str, Any], backend: Backend) -> None:
    pages = await asyncio.gather(*(read(backend.http, demo["chat_url"] + path) for path in ("/", "/people")))
    everybody = [person for tenant in demo["tenants"] for person in tenant["users"]] + demo["super_admins"]
    secrets = [person["password"] for person in everybody]
    secrets += [tenant["integration_key"] for tenant in demo["tenants"]]
    secrets += [demo["platform_key"], demo["demo_issuer"]["secret"]]
    assert all(len(secret) > 8 for secret in secrets)
    assert not [secret for secret in secrets for page in pages if secret in page]


async def test_the_host_page_allows_no_script_but_its_own_and_the_bridges(
    demo: dict[str, Any], backend: Backend
) -> None:
    async with backend.http.get(demo["chat_url"]) as response:
        policy = response.headers["Content-Security-Policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == f"'self' {demo['bridge_url']}"
    assert directives["img-src"] == "'self' blob:"
    assert directives["connect-src"] == f"'self' {demo['bridge_url']} {demo['synapse_url']}"
    assert directives["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in policy


async def test_somebody_else_signs_in_in_the_same_window(open_as: Open, demo: dict[str, Any]) -> None:
    first, second = people(demo, "acme", "owner")[0], people(demo, "globex", "admin")[0]
    screen = await open_as("acme", first)
    await expect(screen.page.get_by_text("Owner", exact=True)).to_be_visible()
    await screen.page.get_by_role("link", name="Switch person").click()
    await expect(screen.page.locator("bitnexus-chat")).to_have_count(0)
    await screen.page.locator(f"a[href='#globex/{second}']").click()
    await expect(screen.page.get_by_text("Admin", exact=True)).to_be_visible()
    await expect(screen.page.locator("bitnexus-chat")).to_have_count(1)
    text = words()
    await screen.say(text)
    await expect(screen.message(text)).to_have_attribute("data-state", "sent")
    assert screen.complaints == []


async def read(http: aiohttp.ClientSession, url: str) -> str:
    async with http.get(url) as response:
        assert response.status == 200
        return await response.text()


async def test_the_host_page_offers_everybody(browser: Browser, demo: dict[str, Any]) -> None:
    context = await browser.new_context(**VIEW)
    screen = Screen(page=await context.new_page())
    await screen.page.goto(demo["chat_url"])
    for tenant in demo["tenants"]:
        for person in tenant["users"]:
            link = screen.page.locator(f"a[href='#{tenant['tenant_id']}/{person['user_id']}']")
            await expect(link).to_be_visible()
    await screen.picture("host-page")
    await context.close()
