"""The embedded client in real browsers, on the demo's host page, against the real bridge, Synapse and model."""

import uuid
from typing import Any

import pytest
from playwright.async_api import expect

from tests.e2e.screen import SECONDS, Open, people, say_in_general, say_many, scroll_up_to, words
from tests.support.backend import Backend

MODEL_DEADLINE = 300 * SECONDS


async def test_an_event_of_a_workflow_appears_as_the_relays_card(
    open_as: Open, demo: dict[str, Any], backend: Backend
) -> None:
    screen = await open_as("acme", people(demo, "acme", "owner")[0])
    key = next(tenant["integration_key"] for tenant in demo["tenants"] if tenant["tenant_id"] == "acme")
    title = words("Course {} completed")
    event = {"type": "academy.course.completed", "id": uuid.uuid4().hex, "to": [{"room": "general"}]}
    body = "David Osei finished **Safe work with robots**."
    await backend.ok("POST", "/v1/events", event | {"title": title, "body": body}, token=key)
    card = screen.message(title)
    await expect(card).to_have_attribute("data-from", "app")
    await expect(card.locator("strong", has_text="Safe work with robots")).to_be_visible()


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
    answer = words("Thank you! Bench {} is booked for the fitting.")
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


@pytest.mark.timeout(400)  # the model is small, and so may be the machine
@pytest.mark.timeout(400)
async def test_an_answer_of_the_assistant_grows_in_place(open_as: Open, demo: dict[str, Any]) -> None:
    screen = await open_as("acme", people(demo, "acme", "member")[0])
    await screen.go_to("NexusHub")
    # long enough that nobody can miss it growing: the model makes short work of a short question
    await screen.say("Write a long story about a ship on the sea, in ten paragraphs, with all details.")
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
    await expect(member.page.get_by_text("Only moderators write here.")).to_be_visible()
    await expect(member.composer).to_have_count(0)


async def test_history_comes_by_scrolling_and_keeps_its_place(
    open_as: Open, demo: dict[str, Any], backend: Backend
) -> None:
    leaders = people(demo, "acme", "admin") + people(demo, "acme", "moderator")
    said = await say_many(backend, leaders, "leadership", each=40)
    screen = await open_as("acme", people(demo, "acme", "owner")[0])
    await screen.go_to("Leadership")
    await expect(screen.message(said[-1])).to_be_in_viewport()
    timeline = screen.page.get_by_role("log")
    await expect(timeline).to_have_attribute("aria-busy", "false")
    first = timeline.locator(".message").first
    text, seen = await first.inner_text(), await timeline.locator(".message").count()
    await timeline.evaluate("box => { box.scrollTop = 0; }")
    await expect(timeline.locator(".message")).not_to_have_count(seen)
    await expect(screen.message(text)).to_be_in_viewport()
    await scroll_up_to(screen, said[0])
    await timeline.evaluate("box => { box.scrollTop = 0; }")
    shown = await timeline.locator(".message").all_inner_texts()
    begin = shown.index(said[0])
    assert shown[begin : begin + len(said)] == said
    await screen.page.get_by_role("button", name="Jump to latest").click()
    await expect(screen.message(said[-1])).to_be_in_viewport()
    await expect(screen.page.get_by_role("button", name="Jump to latest")).to_have_count(0)


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
