"""A person in front of a browser, as the tests of the client see them."""

import asyncio
import os
import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import ConsoleMessage, Locator, Page, expect

from tests.support.backend import Backend

SECONDS = 1000.0
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
        await expect(self.page.get_by_role("heading", name=name, level=2, exact=True)).to_be_visible()

    async def say(self, text: str) -> None:
        await self.composer.fill(text)
        await self.composer.press("Enter")

    async def picture(self, name: str) -> None:
        """Keep a screenshot, where BITNEXUS_SCREENSHOTS names a folder for them."""
        if PICTURES:
            await self.page.screenshot(path=Path(PICTURES) / f"{name}.png")


def watch(screen: Screen) -> None:
    def on_console(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            screen.complaints.append(message.text)

    screen.page.on("console", on_console)
    screen.page.on("pageerror", lambda error: screen.complaints.append(str(error)))
    screen.page.on("request", lambda request: screen.requested.append(request.url))


def people(demo: dict[str, Any], tenant_id: str, role: str) -> list[str]:
    tenant = next(tenant for tenant in demo["tenants"] if tenant["tenant_id"] == tenant_id)
    return [person["user_id"] for person in tenant["users"] if person["role"] == role]


def words(about: str = "The parts for order {} have arrived.") -> str:
    """Return a text that has never been said before, fit for the pictures."""
    return about.format(uuid.uuid4().int % 10**6)


async def say_in_general(backend: Backend, demo: dict[str, Any], tenant_id: str) -> str:
    speaker = await backend.sign_in(people(demo, tenant_id, "owner")[0])
    text = words()
    await speaker.say((await speaker.rooms())["general"], text)
    return text


async def say_many(backend: Backend, user_ids: list[str], room_key: str, *, each: int) -> list[str]:
    """Let people take turns; ``each`` stays below the 50 that a person may say at once."""
    speakers = [await backend.sign_in(user_id) for user_id in user_ids]
    room_id = (await speakers[0].rooms())[room_key]
    said: list[str] = []
    for number in range(each * len(speakers)):
        said.append(words(f"Note {number + 1} on order {{}}."))
        await speakers[number % len(speakers)].say(room_id, said[-1])
    return said


async def scroll_up_to(screen: Screen, text: str) -> None:
    """Scroll to the top again and again, as a reader of history does, until the text is there."""
    timeline = screen.page.get_by_role("log")
    async with asyncio.timeout(60):
        while not await screen.message(text).count():
            seen = await timeline.locator(".message").count()
            await timeline.evaluate("box => { box.scrollTop = 0; }")
            await expect(timeline.locator(".message")).not_to_have_count(seen)
