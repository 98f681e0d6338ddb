"""Let the assistant answer in a room: typing at once, first words soon, then sparse edits of one message."""

from contextlib import aclosing, suppress
from dataclasses import dataclass, replace

from bridge.errors import DependencyDown, HomeserverRefused
from bridge.model.event import OutboxItem
from bridge.model.ids import EventID
from bridge.model.session import Turn
from bridge.policy.assistant import (
    CUT_SHORT,
    NOT_CONFIGURED,
    UNREACHABLE,
    Shown,
    answer_content,
    conversation,
    edit_content,
    is_time_to_show,
)
from bridge.policy.txn_ids import txn_id_of
from bridge.ports import Assistant, Clock, Database, Homeserver

_TURNS = 20


@dataclass(slots=True, kw_only=True)
class _Answer:
    """An answer while it is being written."""

    item: OutboxItem
    shown: Shown
    event_id: EventID | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerMessage:
    """Write one answer; a repeat after a crash goes on in the same message, for its first stage has the same txn id."""

    database: Database
    homeserver: Homeserver
    assistant: Assistant
    clock: Clock

    async def __call__(self, item: OutboxItem) -> EventID:
        """Answer and return the message's event id; raises DependencyDown when Matrix is away."""
        answer = _Answer(item=item, shown=Shown(began=self.clock.monotonic()))
        if not self.assistant.is_configured:
            answer.text = NOT_CONFIGURED
            return await self._show(answer, "failed")
        async with self.database.work(item.tenant_id) as work:
            turns = conversation(await work.messages.recent(item.room_id, limit=_TURNS), item.sender)
        await self._set_typing(item, typing=True)
        try:
            state = await self._write(answer, turns)
        finally:
            await self._set_typing(item, typing=False)
        return await self._show(answer, state)

    async def _write(self, answer: _Answer, turns: list[Turn]) -> str:
        """Stream the model's words into the room, and return the state that the answer ends in."""
        async with aclosing(self.assistant.answer(turns)) as pieces:
            while True:
                try:
                    answer.text += await anext(pieces)
                except StopAsyncIteration:
                    return "done" if answer.text.strip() else self._fail(answer)
                except DependencyDown:
                    return self._fail(answer)
                if is_time_to_show(answer.shown, answer.text, self.clock.monotonic()):
                    await self._show(answer, "streaming")

    @staticmethod
    def _fail(answer: _Answer) -> str:
        text = answer.text.strip()
        answer.text = f"{text}\n\n{CUT_SHORT}" if text else UNREACHABLE
        return "failed"

    async def _show(self, answer: _Answer, state: str) -> EventID:
        item, edits = answer.item, answer.shown.edits
        content = answer_content(answer.text, run_id=f"run_{item.outbox_id}", model=self.assistant.model, state=state)
        stage = "first"
        if answer.event_id is not None:
            content, edits = edit_content(content, answer.event_id), edits + 1
            # an edit of an interrupted attempt must not swallow this one's
            stage = f"edit/{item.attempts}/{edits}"
        event_id = await self.homeserver.send(
            item.room_id, item.sender, item.event_type, content, txn_id=txn_id_of(item, stage)
        )
        answer.shown = replace(answer.shown, text=answer.text.strip(), edits=edits, last_shown=self.clock.monotonic())
        if answer.event_id is None:
            answer.event_id = event_id
            if state != "streaming" and item.attempts > 0:
                return await self._show(answer, state)
        return answer.event_id

    async def _set_typing(self, item: OutboxItem, *, typing: bool) -> None:
        with suppress(DependencyDown, HomeserverRefused):  # a courtesy: the answer matters
            await self.homeserver.set_typing(item.room_id, item.sender, typing=typing)
