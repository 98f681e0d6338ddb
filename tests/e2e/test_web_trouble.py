"""The embedded client when something is wrong: refusals, a lost network, an ended session, hostile messages."""

import uuid
from typing import Any
from urllib.parse import quote

from playwright.async_api import expect

from tests.e2e.screen import SECONDS, Open, people, say_in_general, say_many, scroll_up_to, words
from tests.support.backend import Backend, Client

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
    before = words("Before the gap: {}.")
    await screen.say(before)
    await expect(screen.message(before)).to_have_attribute("data-state", "sent")
    await screen.page.context.set_offline(True)
    missed = await say_many(backend, people(demo, "globex", "owner"), "general", each=30)  # more than a sync brings
    await expect(screen.banner).to_be_visible(timeout=60 * SECONDS)
    await screen.page.context.set_offline(False)
    await expect(screen.message(missed[-1])).to_be_visible(timeout=60 * SECONDS)
    await expect(screen.banner).to_be_hidden()
    await scroll_up_to(screen, before)
    shown = await screen.page.locator(".message").all_inner_texts()
    begin = shown.index(before)
    assert shown[begin + 1 : begin + 1 + len(missed)] == missed


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
