"""Every HTTP example of the n8n author's guide, against the real stack: status and fields as the text shows them."""

from typing import Any

import pytest

from tests.docs_examples.play import play

# whichever test of this folder comes first waits for the demo to start
pytestmark = pytest.mark.timeout(600)


async def test_the_guide_says_what_happens(demo: dict[str, Any]) -> None:
    assert await play("docs/n8n.md", demo) == 6
