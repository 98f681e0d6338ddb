"""People's pictures in the client: only those who are signed in may load them, and the page's policy lets them in."""

import struct
import zlib
from typing import Any

from playwright.async_api import expect

from tests.e2e.screen import Open, people
from tests.support.backend import Backend


def png(side: int) -> bytes:
    """Return a square picture in one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    rows = (b"\0" + b"\x23\x55\xc4" * side) * side
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


async def test_a_person_who_has_a_picture_is_shown_by_it(open_as: Open, demo: dict[str, Any], backend: Backend) -> None:
    shown, looking = people(demo, "globex", "moderator")[0], people(demo, "globex", "admin")[0]
    owner = await backend.sign_in(shown)
    url = f"{demo['synapse_url']}/_matrix/media/v3/upload"
    headers = {"Authorization": f"Bearer {owner.session['access_token']}", "Content-Type": "image/png"}
    async with backend.http.post(url, data=png(64), headers=headers) as response:
        avatar_url = (await response.json())["content_uri"]
    await backend.ok("PUT", f"/v1/users/{shown}", {"avatar_url": avatar_url})
    screen = await open_as("globex", looking)
    await screen.page.get_by_role("button", name="New message").click()
    await screen.page.get_by_role("combobox").fill(shown)
    picture = screen.page.get_by_role("option").locator("img")
    await expect(picture).to_be_visible()
    await expect(picture).to_have_js_property("complete", True)  # noqa: FBT003 - the property's value
    assert await picture.evaluate("image => image.naturalWidth") > 0
    assert screen.complaints == []
