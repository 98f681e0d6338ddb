"""Browsers for the tests that need them."""

import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, async_playwright, expect

from tests.e2e.screen import PICTURES, SECONDS, Open, Screen, watch

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)
DEADLINE = 30 * SECONDS
VIEW: dict[str, Any] = {
    "viewport": {"width": 1200, "height": 760},
    "device_scale_factor": 2 if PICTURES else 1,
    "color_scheme": "light",
    "locale": "en-GB",
}


@pytest.fixture(scope="session")
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
        context = await browser.new_context(**VIEW | options)
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
