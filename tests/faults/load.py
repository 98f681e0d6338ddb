"""Those who write while things break: n8n-like producers, and people; each repeats itself until it is heard."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import aiohttp

from tests.faults.history import Input
from tests.support.backend import Backend, Client, Reply

_ATTEMPT_SECONDS = aiohttp.ClientTimeout(total=8)
_AGAIN_SECONDS = 0.2
_AWAY = (aiohttp.ClientError, TimeoutError, OSError)
_LATER = frozenset({429, 500, 502, 503, 504})
_TAKEN = frozenset({200, 202})


class Refusal(AssertionError):
    """Somebody was refused who should not have been: the run is worth nothing."""


@dataclass(slots=True, kw_only=True)
class Log:
    """All inputs of a run, in the order of their first attempts, and counts of what came of the attempts."""

    inputs: list[Input] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def begin(self, **facts: Any) -> Input:
        given = Input(sent_at=time.time(), **facts)
        self.inputs.append(given)
        return given


@dataclass(slots=True, kw_only=True)
class Producer:
    """A workflow that posts events to one room, or to two, one after the other.

    It gives up now and then after a first attempt without an answer: that input is in doubt for ever. And it repeats
    itself now and then after an answer, as n8n does when a later node fails: the answer must be the same.
    """

    name: str
    urls: Sequence[str]
    key: str
    rooms: Sequence[tuple[str, str]]
    """Key and id of each room that its events go to."""
    sender: str
    log: Log
    http: aiohttp.ClientSession
    rng: random.Random
    pause_seconds: float
    gives_up: float = 0.02
    repeats: float = 0.05
    longest_text: int = 3000
    _number: int = 0

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.post()
            await _pause(stop, self.rng.uniform(0.5, 1.5) * self.pause_seconds)

    async def post(self) -> Input:
        """Post the next event and return it, acknowledged unless given up."""
        self._number += 1
        mark = f"[{self.name}#{self._number}]"
        more = self.rng.randbytes(int(self.rng.triangular(1, self.longest_text / 2, 1))).hex()  # not to be compressed
        given = self.log.begin(
            mark=mark,
            kind="relay",
            source=self.name,
            number=self._number,
            sender=self.sender,
            room_ids=tuple(room_id for _, room_id in self.rooms),
            text=f"{mark}\n{more}",
        )
        answer = await self._until_taken(given, self.rng.random() < self.gives_up)
        if answer is not None and self.rng.random() < self.repeats:
            again = await self._until_taken(given, gives_up=False)
            if again != answer:
                raise Refusal(f"{given.mark} was answered {answer} and then {again}")
            self.log.counts["posts repeated"] += 1
        return given

    async def _until_taken(self, given: Input, gives_up: bool) -> Any:  # noqa: FBT001 - its only caller names it
        body = {
            "id": given.mark,
            "type": "chaos",
            "to": [{"room": key} for key, _ in self.rooms],
            "title": given.mark,
            "body": given.text.removeprefix(given.mark).strip(),
        }
        while True:
            self.log.counts["posts"] += 1
            reply = await self._attempt(body)
            if reply is not None and reply.status in _TAKEN:
                given.acknowledged_at = given.acknowledged_at or time.time()
                return reply.body
            if gives_up:
                self.log.counts["posts given up"] += 1
                return None
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _attempt(self, body: object) -> Reply | None:
        """Make one attempt at any of the bridges; None when there was no answer, or one that says later."""
        url = self.rng.choice(self.urls) + "/v1/events"
        headers = {"Authorization": f"Bearer {self.key}"}
        try:
            async with self.http.post(url, json=body, headers=headers, timeout=_ATTEMPT_SECONDS) as response:
                raw = await response.read()
                if response.status in _LATER:
                    self.log.counts[f"posts answered {response.status}"] += 1
                    return None
                if response.status not in _TAKEN:
                    raise Refusal(f"POST /v1/events: {response.status} {raw!r}")
                parsed = await response.json()
        except _AWAY:
            self.log.counts["posts unanswered"] += 1
            return None
        return Reply(status=response.status, headers=response.headers, body=parsed, raw=raw)


@dataclass(slots=True, kw_only=True)
class Account:
    """A person with a device, who signs in again when their token is over, on the same device."""

    member_id: str
    backends: Sequence[Backend]
    http: aiohttp.ClientSession
    session: dict[str, Any] = field(default_factory=dict)

    @property
    def matrix_id(self) -> str:
        return str(self.session["matrix_id"])

    async def sign_in(self) -> None:
        """Open a session at any of the bridges, however long it takes."""
        device = {"device_id": self.session["device_id"]} if self.session else {}
        for attempt in range(10_000):
            backend = self.backends[attempt % len(self.backends)]
            body = {"token": backend.token_for(self.member_id), **device}
            try:
                reply = await backend.call("POST", "/v1/sessions", body, token=None)
            except _AWAY:
                reply = None
            if reply is not None and reply.status == 200:
                self.session = reply.body
                return
            await asyncio.sleep(_AGAIN_SECONDS)

    async def rooms(self) -> dict[str, str]:
        """Return the rooms that this person is in, by key."""
        return await Client(http=self.http, session=self.session).rooms()

    async def call(
        self, method: str, path: str, body: object = None, *, seconds: float = 8, **query: str
    ) -> Reply | None:
        """Make one request to Synapse; None when there was no answer, or one that says later."""
        url = f"{self.session['homeserver_url']}/_matrix/client/{path}"
        headers = {"Authorization": f"Bearer {self.session['access_token']}"}
        timeout = aiohttp.ClientTimeout(total=seconds)
        try:
            async with self.http.request(
                method, url, json=body, params=query, headers=headers, timeout=timeout
            ) as response:
                raw = await response.read()
                if response.status in _LATER:
                    return None
                reply = Reply(status=response.status, headers=response.headers, body=await response.json(), raw=raw)
        except _AWAY:
            return None
        if reply.status == 401:
            await self.sign_in()
            return None
        if reply.status != 200:
            raise Refusal(f"{method} {path}: {reply.status} {reply.raw!r}")
        return reply


@dataclass(slots=True, kw_only=True)
class Writer:
    """A person who writes into one room after another, with a transaction id of their own for each message."""

    name: str
    account: Account
    room_ids: Sequence[str]
    log: Log
    rng: random.Random
    pause_seconds: float
    gives_up: float = 0.02
    _number: int = 0

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.say()
            await _pause(stop, self.rng.uniform(0.5, 1.5) * self.pause_seconds)

    async def say(self) -> Input:
        """Say the next thing and return it, acknowledged unless given up."""
        self._number += 1
        mark, room_id = f"[{self.name}#{self._number}]", self.rng.choice(self.room_ids)
        given = self.log.begin(
            mark=mark,
            kind="person",
            source=self.name,
            number=self._number,
            sender=self.account.matrix_id,
            room_ids=(room_id,),
            text=mark,
        )
        gives_up = self.rng.random() < self.gives_up
        path = f"v3/rooms/{quote(room_id)}/send/m.room.message/{quote(mark, safe='')}"
        while True:
            self.log.counts["messages"] += 1
            if await self.account.call("PUT", path, {"msgtype": "m.text", "body": mark}) is not None:
                given.acknowledged_at = time.time()
                return given
            self.log.counts["messages not taken"] += 1
            if gives_up:
                self.log.counts["messages given up"] += 1
                return given
            await asyncio.sleep(_AGAIN_SECONDS)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
