"""Play a guide's examples, in their order, against a running stack."""

import asyncio
import json
import time
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

import aiohttp

from tests.docs_examples.blocks import Example, blocks_of, examples_of
from tests.docs_examples.matching import Mismatch, fill, match, match_text

DEADLINE_SECONDS = 60.0
_PAUSE_SECONDS = 0.1
_TOKEN_OF = "token_of_"


class Names(MutableMapping[str, str]):
    """What stands for ``$names``; ``$token_of_nora`` is a new signed token each time, made as the guide makes them."""

    def __init__(self, stack: Mapping[str, Any], guide: str) -> None:
        acme = stack["tenants"][0]["users"]
        self._issuer, self._sign = stack["demo_issuer"], signing_function(guide)
        self._values: dict[str, str] = {
            "platform_key": stack["platform_key"],
            "server_name": stack["server_name"],
            "synapse_url": stack["synapse_url"],
            "matrix_id_of_anna": next(person["matrix_id"] for person in acme if person["user_id"] == "anna"),
            "password_of_anna": next(person["password"] for person in acme if person["user_id"] == "anna"),
        }

    def __getitem__(self, name: str) -> str:
        """Return a value; a token is signed anew."""
        if name.startswith(_TOKEN_OF) and self._sign is not None:
            issuer = self._issuer
            signed = self._sign(
                name.removeprefix(_TOKEN_OF),
                iss=issuer["iss"],
                aud=issuer["aud"],
                alg=issuer["alg"],
                key=issuer["secret"],
            )
            return str(signed)
        return self._values[name]

    def __contains__(self, name: object) -> bool:
        """Say whether there is a value."""
        return name in self._values or (self._sign is not None and str(name).startswith(_TOKEN_OF))

    def __setitem__(self, name: str, value: str) -> None:
        """Keep what an answer has shown."""
        self._values[name] = value

    def __delitem__(self, name: str) -> None:
        """Forget a value."""
        del self._values[name]

    def __iter__(self) -> Iterator[str]:
        """Go through the kept names."""
        return iter(self._values)

    def __len__(self) -> int:
        """Count the kept names."""
        return len(self._values)


def signing_function(guide: str) -> Any:
    """Return the ``sign`` of the guide's Python block, None where it has none."""
    scope: dict[str, Any] = {}
    for block in blocks_of(guide):
        if block.kind == "python":
            exec(compile(block.text, block.where, "exec"), scope)  # noqa: S102 - our own guide, as a reader would run it
    return scope.get("sign")


async def play(guide: str, stack: Mapping[str, Any]) -> int:
    """Play every example of a guide and return how many there are; raises Mismatch at the first that is not so."""
    names = Names(stack, guide)
    examples = examples_of(guide)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http:
        for example in examples:
            try:
                await _play_one(http, stack["bridge_url"], example, names)
            except Mismatch as mismatch:
                raise Mismatch(f"{example.where}: {example.method} {example.address}: {mismatch}") from None
    return len(examples)


async def _play_one(http: aiohttp.ClientSession, base: str, example: Example, names: Names) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            return await _ask(http, base, example, names)
        except Mismatch:
            if not example.repeat or time.monotonic() > deadline:
                raise
        await asyncio.sleep(_PAUSE_SECONDS)


async def _ask(http: aiohttp.ClientSession, base: str, example: Example, names: Names) -> None:
    address = fill(example.address, names)
    url = address if address.startswith("http") else base + address
    headers = {name: fill(value, names) for name, value in example.headers.items()}
    body = fill(example.body, names).encode()
    async with http.request(example.method, url, headers=headers, data=body or None) as response:
        raw = await response.text()
        if response.status != example.status:
            raise Mismatch(f"answered {response.status}, and {example.status} is shown: {raw[:500]}")
        for name, value in example.answer_headers.items():
            match_text(value, response.headers.get(name), names, name)
    if example.answer:
        match(json.loads(example.answer), json.loads(raw), names)
    elif raw:
        raise Mismatch(f"has a body, and none is shown: {raw[:500]}")
