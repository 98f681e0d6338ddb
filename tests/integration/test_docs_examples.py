"""Every HTTP example of the guides, against the real stack: status, headers and fields as the text shows them."""

from typing import Any

import pytest

from tests.docs_examples.blocks import GUIDES
from tests.docs_examples.play import play


@pytest.mark.parametrize("guide", GUIDES)
async def test_a_guide_says_what_happens(guide: str, demo: dict[str, Any]) -> None:
    assert await play(guide, demo) > 0
