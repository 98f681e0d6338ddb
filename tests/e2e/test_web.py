"""The embedded client in real browsers, on the demo's host page, against the real bridge, Synapse and model."""

import asyncio
import os
import re
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import jwt
import pytest
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from tests.support.backend import Backend, Client

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)
SECONDS = 1000.0
DEADLINE = 30 * SECONDS
MODEL_DEADLINE = 120 * SECONDS
PICTURES = os.environ.get("BITNEXUS_SCREENSHOTS")

Open = Callable[..., Awaitable["Screen"]]


@dataclass(slots=True, kw_only=True)
class Screen:
    """A person in front of a browser of their own, and what went wrong in it."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)

    @property
    def composer(self) -> Locator:
        return self.page.get_by_role("textbox")

    @property
    def banner(self) -> Locator:
        return self.page.get_by_text("Connection lost")

    def message(self, text: str) -> Locator:
        return self.page.locator(".message", has_text=text)

    def room(self, name: str) -> Locator:
        return self.page.get_by_role("navigation", name="Rooms and people").get_by_role(
            "button", name=re.compile(rf"^{re.escape(name)}\b")
        )

    async def go_to(self, name: str) -> None:
        await self.room(name).click()
        title = self.page.get_by_role("main").get_by_role("heading", name=name, level=2)
        await expect(title).to_be_visible()

    async def say(self, text: str) -> None:
        await self.composer.fill(text)
        await self.composer.press("Enter")

    async def picture(self, name: str) -> None:
        """Keep a screenshot, where BITNEXUS_SCREENSHOTS names a folder for them."""
        if PICTURES:
            await self.page.screenshot(path=Path(PICTURES) / f"{name}.png")


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    if shutil.which(CHROMIUM) is None:
        pytest.fail("Chromium is missing: apt-get update && apt-get install -y --no-install-recommends chromium")
    expect.set_options(timeout=DEADLINE)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
async def open_as(browser: Browser, demo: dict[str, Any]) -> AsyncIterator[Open]:
    """Open a browser as a person, and wait until they see their rooms."""
    contexts = []

    async def open_as(tenant_id: str, user_id: str, **options: Any) -> Screen:
        size = {"width": 1200, "height": 760}
        context = await browser.new_context(**{"viewport": size, "color_scheme": "light", "locale": "en-GB"} | options)
        context.set_default_timeout(DEADLINE)
        contexts.append(context)
        screen = Screen(page=await context.new_page())
        watch(screen)
        await screen.page.goto(f"{demo['chat_url']}/#{tenant_id}/{user_id}")
        await expect(screen.room("General")).to_be_visible()
        return screen

    yield open_as
    for context in contexts:
        await context.close()


def watch(screen: Screen) -> None:
    def on_console(message: Any) -> None:
        if message.type in {"error", "warning"}:
            screen.complaints.append(message.text)

    screen.page.on("console", on_console)
    screen.page.on("pageerror", lambda error: screen.complaints.append(str(error)))
    screen.page.on("request", lambda request: screen.requested.append(request.url))


def people(demo: dict[str, Any], tenant_id: str, role: str) -> list[str]:
    tenant = next(tenant for tenant in demo["tenants"] if tenant["tenant_id"] == tenant_id)
    return [person["user_id"] for person in tenant["users"] if person["role"] == role]


def words() -> str:
    """Return a text that has never been said before."""
    return f"hello {uuid.uuid4().hex[:12]}"


async def test_what_one_person_writes_another_sees_live(open_as: Open, demo: dict[str, Any]) -> None:
    owner, member = people(demo, "acme", "owner")[0], people(demo, "acme", "member")[0]
    one, other = await open_as("acme", owner), await open_as("acme", member, color_scheme="dark")
    await one.composer.press_sequentially("writing")
    await expect(other.page.get_by_text("is typing…")).to_be_visible()
    text = words()
    await one.say(text)
    await expect(one.message(text)).to_have_attribute("data-state", "sent")
    await expect(other.message(text)).to_be_visible()
    await expect(other.page.get_by_text("is typing…")).to_be_hidden()
    answer = words()
    await other.say(answer)
    await expect(one.message(answer)).to_be_visible()
    await one.picture("chat-light")
    await other.picture("chat-dark")
    assert one.complaints == []
    assert other.complaints == []


async def test_unread_messages_are_counted_until_they_are_seen(open_as: Open, demo: dict[str, Any]) -> None:
    owner, member = people(demo, "globex", "owner")[0], people(demo, "globex", "member")[0]
    one, other = await open_as("globex", owner), await open_as("globex", member)
    await other.go_to("General")
    text = words()
    await one.say(text)
    await expect(other.message(text)).to_be_visible()
    await other.go_to("Announcements")
    for number in (1, 2):
        await one.say(f"{text} {number}")
    await expect(other.page.get_by_role("button", name="General 2 unread messages")).to_be_visible()
    await other.go_to("General")
    await expect(other.message(f"{text} 2")).to_be_in_viewport()
    await other.go_to("Announcements")
    await expect(other.page.get_by_role("button", name="General", exact=True)).to_be_visible()


async def test_an_answer_of_the_assistant_grows_in_place(open_as: Open, demo: dict[str, Any]) -> None:
    screen = await open_as("acme", people(demo, "acme", "member")[0])
    await screen.go_to("NexusHub")
    await screen.say(f"Write five sentences about the sea, please. ({uuid.uuid4().hex[:6]})")
    answer = screen.page.locator(".message[data-from=ai]").last
    await expect(answer).to_have_attribute("data-live", "true", timeout=MODEL_DEADLINE)
    shown = await answer.inner_text()
    await expect(answer).not_to_have_text(shown, timeout=MODEL_DEADLINE)
    await screen.picture("assistant-streaming")
    await expect(answer).not_to_have_attribute("data-live", "true", timeout=MODEL_DEADLINE)
    assert len(await answer.inner_text()) > len(shown)
    assert await screen.page.locator(".message[data-live]").count() == 0
    assert screen.complaints == []
    await screen.picture("assistant")


HOSTILE = (
    "<script>pwned()</script>",
    "<img src=x onerror=pwned()>",
    "<img src='https://evil.invalid/pixel.png'>",
    "<svg onload=pwned()><animate onbegin=pwned() attributeName=x dur=1s>",
    "<iframe srcdoc='<script>parent.pwned()</script>'></iframe>",
    "<a href='javascript:pwned()'>click</a>",
    "<math><mtext><table><mglyph><style><img src=x onerror=pwned()></style></mglyph></table></mtext></math>",
    "<details open ontoggle=pwned()>x</details>",
    "<style>@import 'https://evil.invalid/x.css';</style>",
    "<form action='https://evil.invalid'><button formaction='javascript:pwned()'>x</button></form>",
)


async def test_hostile_text_and_html_do_nothing(open_as: Open, demo: dict[str, Any], backend: Backend) -> None:
    member, admin = people(demo, "globex", "member")[0], people(demo, "globex", "admin")[0]
    # without the host's content security policy: the client must be safe by itself
    screen = await open_as("globex", member, bypass_csp=True)
    await screen.go_to("Support")
    await screen.page.evaluate("() => { window.hits = 0; window.pwned = () => { window.hits += 1; }; }")
    attacker = await backend.sign_in(admin)
    room_id = (await attacker.rooms())["support"]
    for html in HOSTILE:
        await send_html(attacker, room_id, body=html, html=html)
    end = words()
    await attacker.say(room_id, end)
    await expect(screen.message(end)).to_be_visible()
    for link in await screen.page.locator(".message a", has_text="click").all():
        await link.click()
    await expect(screen.message("<script>pwned()</script>")).to_have_count(0)  # shown sanitised, not as text
    timeline = screen.page.get_by_role("log")
    assert await timeline.locator("script, img, svg:not(.icon), iframe, style, form, math").count() == 0
    assert await screen.page.evaluate("window.hits") == 0
    assert not [url for url in screen.requested if "127.0.0.1" not in url]
    assert screen.complaints == []
    await screen.say("<img src=x onerror=pwned()><b>bold</b>")
    await expect(screen.message("<img src=x onerror=pwned()><b>bold</b>").last).to_be_visible()
    assert await screen.page.evaluate("window.hits") == 0


async def send_html(sender: Client, room_id: str, *, body: str, html: str) -> None:
    content = {"msgtype": "m.text", "body": body, "format": "org.matrix.custom.html", "formatted_body": html}
    await sender.ok("PUT", f"v3/rooms/{quote(room_id)}/send/m.room.message/{uuid.uuid4().hex}", content)


async def test_a_person_of_two_tenants_sees_the_current_ones_rooms_only(
    open_as: Open, demo: dict[str, Any], backend: Backend
) -> None:
    both = set(people(demo, "acme", "member")) & set(people(demo, "globex", "member"))
    user_id = both.pop()
    said = {tenant_id: await say_in_general(backend, demo, tenant_id) for tenant_id in ("acme", "globex")}
    for tenant_id, foreign in (("acme", "globex"), ("globex", "acme")):
        screen = await open_as(tenant_id, user_id)
        await expect(screen.message(said[tenant_id])).to_be_visible()
        assert await screen.room("General").count() == 1
        assert await screen.message(said[foreign]).count() == 0
        assert await screen.room("Leadership").count() == 0


async def say_in_general(backend: Backend, demo: dict[str, Any], tenant_id: str) -> str:
    speaker = await backend.sign_in(people(demo, tenant_id, "owner")[0])
    text = words()
    await speaker.say((await speaker.rooms())["general"], text)
    return text


async def test_a_guest_reads_and_members_read_announcements(open_as: Open, demo: dict[str, Any]) -> None:
    guest = await open_as("acme", people(demo, "acme", "guest")[0], viewport={"width": 390, "height": 780})
    await guest.picture("phone-rooms")
    await guest.go_to("General")
    await expect(guest.page.get_by_text("You are a guest here")).to_be_visible()
    await expect(guest.composer).to_have_count(0)
    await guest.picture("phone-room")
    await guest.page.get_by_role("button", name="Back to the list of rooms").click()
    await expect(guest.room("General")).to_be_visible()
    member = await open_as("acme", people(demo, "acme", "member")[0])
    await member.go_to("Announcements")
    await expect(member.page.get_by_text("Only staff can write in this room.")).to_be_visible()
    await expect(member.composer).to_have_count(0)


async def test_a_refused_message_says_why_and_can_be_sent_again(open_as: Open, demo: dict[str, Any]) -> None:
    screen = await open_as("acme", people(demo, "acme", "owner")[0])
    refusal = {"errcode": "M_FORBIDDEN", "error": "This room is locked."}
    headers = {"Access-Control-Allow-Origin": "*"}
    sends = "**/send/m.room.message/**"
    await screen.page.route(sends, lambda route: route.fulfill(status=403, json=refusal, headers=headers))
    text = words()
    await screen.say(text)
    await expect(screen.message(text).get_by_text("Not sent: This room is locked.")).to_be_visible()
    await screen.page.unroute(sends)
    await screen.message(text).get_by_role("button", name="Send again").click()
    await expect(screen.message(text)).to_have_attribute("data-state", "sent")
    await expect(screen.message(text).get_by_role("button")).to_have_count(0)


async def test_a_lost_connection_is_shown_and_caught_up(open_as: Open, demo: dict[str, Any], backend: Backend) -> None:
    screen = await open_as("globex", people(demo, "globex", "member")[0])
    await expect(screen.composer).to_be_visible()
    await screen.page.context.set_offline(True)
    missed = await say_in_general(backend, demo, "globex")
    await expect(screen.banner).to_be_visible(timeout=60 * SECONDS)
    await screen.page.context.set_offline(False)
    await expect(screen.message(missed)).to_be_visible(timeout=60 * SECONDS)
    await expect(screen.banner).to_be_hidden()


async def test_a_session_that_ends_is_opened_anew_unnoticed(
    open_as: Open, demo: dict[str, Any], backend: Backend
) -> None:
    screen = await open_as("globex", people(demo, "globex", "owner")[0])
    async with screen.page.expect_request("**/typing/**") as typing:
        await screen.composer.press("x")
    credential = {"Authorization": (await (await typing.value).all_headers())["authorization"]}
    async with screen.page.expect_request("**/v1/sessions") as anew:
        logout = f"{demo['synapse_url']}/_matrix/client/v3/logout"
        async with backend.http.post(logout, headers=credential) as response:
            assert response.status == 200
    asked = (await anew.value).post_data_json
    assert asked is not None
    assert asked["device_id"]
    text = words()
    await screen.say(text)
    await expect(screen.message(text)).to_have_attribute("data-state", "sent")
    heard = await say_in_general(backend, demo, "globex")
    await expect(screen.message(heard)).to_be_visible()
    await expect(screen.banner).to_have_count(0)


async def test_everything_goes_by_keyboard(open_as: Open, demo: dict[str, Any]) -> None:
    screen = await open_as("acme", people(demo, "acme", "owner")[0])
    await screen.room("General").focus()
    await screen.page.keyboard.press("ArrowDown")
    await expect(screen.room("Announcements")).to_be_focused()
    await screen.page.keyboard.press("ArrowUp")
    await screen.page.keyboard.press("ArrowDown")
    await screen.page.keyboard.press("Enter")
    await expect(screen.composer).to_be_focused()
    text = words()
    await screen.page.keyboard.type(f"{text} one")
    await screen.page.keyboard.press("Shift+Enter")
    await screen.page.keyboard.type("two")
    await screen.page.keyboard.press("Enter")
    assert await screen.message(text).locator(".text").inner_text() == f"{text} one\ntwo"


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


async def read(http: aiohttp.ClientSession, url: str) -> str:
    async with http.get(url) as response:
        assert response.status == 200
        return await response.text()


async def test_the_host_page_offers_everybody(browser: Browser, demo: dict[str, Any]) -> None:
    context = await browser.new_context(viewport={"width": 1200, "height": 860}, color_scheme="light")
    screen = Screen(page=await context.new_page())
    await screen.page.goto(demo["chat_url"])
    for tenant in demo["tenants"]:
        for person in tenant["users"]:
            link = screen.page.locator(f"a[href='#{tenant['tenant_id']}/{person['user_id']}']")
            await expect(link).to_be_visible()
    await screen.picture("host-page")
    await context.close()
