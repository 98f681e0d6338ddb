"""The client's screens by axe, in both themes, and in a window as narrow as they come."""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.e2e.accessible import overflow, violations
from tests.e2e.screen import Open, Screen, people

NARROW = {"width": 320, "height": 640}


async def test_axe_sees_what_is_wrong(open_as: Open, demo: dict[str, Any]) -> None:
    """A check that finds nothing anywhere would agree with everything."""
    screen = await open_as("acme", people(demo, "acme", "member")[0])
    await screen.page.evaluate(
        "document.querySelector('bitnexus-chat').shadowRoot.querySelector('.room').append(new Image(20, 20))"
    )
    assert any(found.startswith("image-alt") for found in await violations(screen.page))


async def begin(screen: Screen, name: str) -> None:
    await screen.page.get_by_role("button", name=name, exact=True).click()
    await expect(screen.page.get_by_role("dialog", name=name)).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_no_screen_has_a_violation(open_as: Open, demo: dict[str, Any], theme: str) -> None:
    screen = await open_as("acme", people(demo, "acme", "member")[0], color_scheme=theme)
    await expect(screen.page.get_by_role("log")).to_have_attribute("aria-busy", "false")
    assert await violations(screen.page) == []
    await screen.go_to("Announcements")
    assert await violations(screen.page) == []
    await begin(screen, "New message")
    await expect(screen.page.get_by_role("option").first).to_be_visible()
    assert await violations(screen.page) == []
    await screen.picture(f"new-message-{theme}")
    await screen.page.keyboard.press("Escape")
    await expect(screen.page.get_by_role("dialog")).to_have_count(0)
    await begin(screen, "New ticket")
    assert await violations(screen.page) == []
    await screen.picture(f"new-ticket-{theme}")


async def test_nothing_is_cut_off_in_a_narrow_window(open_as: Open, demo: dict[str, Any]) -> None:
    screen = await open_as("acme", people(demo, "acme", "member")[0], viewport=NARROW)
    assert await overflow(screen.page) == 0
    for name in ("New message", "New ticket"):
        await begin(screen, name)
        assert await overflow(screen.page) == 0
        box = await screen.page.get_by_role("dialog").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= NARROW["width"]
        assert await violations(screen.page) == []
        await screen.picture(f"{name.lower().replace(' ', '-')}-narrow")
        await screen.page.keyboard.press("Escape")
    await screen.go_to("General")
    assert await overflow(screen.page) == 0


async def test_people_are_found_by_keyboard_alone(open_as: Open, demo: dict[str, Any]) -> None:
    screen = await open_as("acme", people(demo, "acme", "member")[0])
    button = screen.page.get_by_role("button", name="New message")
    await button.focus()
    await screen.page.keyboard.press("Enter")
    field = screen.page.get_by_role("combobox", name="Whom do you want to write to?")
    await expect(field).to_be_focused()
    options = screen.page.get_by_role("option")
    first = await options.first.get_attribute("id")
    await expect(field).to_have_attribute("aria-activedescendant", str(first))
    await screen.page.keyboard.press("ArrowDown")
    second = await options.nth(1).get_attribute("id")
    await expect(field).to_have_attribute("aria-activedescendant", str(second))
    await expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    name = await options.nth(1).locator(".person-name").inner_text()
    await screen.page.keyboard.type(name.split()[-1].upper())
    await expect(options).to_have_count(1)
    await expect(options).to_contain_text(name)
    await screen.page.keyboard.type("zzzz")
    await expect(screen.page.get_by_text("Nobody is called")).to_be_visible()
    for _ in range(4):  # round and round: the page behind is never reached
        await screen.page.keyboard.press("Tab")
        assert not await button.evaluate("button => button.matches(':focus')")
    await screen.page.keyboard.press("Escape")
    await expect(screen.page.get_by_role("dialog")).to_have_count(0)
    await expect(button).to_be_focused()
    assert screen.complaints == []
