"""Judges a history: every acknowledged input once, in order per room, in the right room, and nothing else.

Pure: no IO, no clock. The homeserver's timeline is held against what was put in, the bridge's read model against the
timeline. An input that nobody acknowledged may appear once or not at all.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from tests.faults.history import Findings, History, Input, Message, Row, Verdict


def check(history: History) -> Verdict:
    """Return everything that is wrong with the history."""
    findings = Findings(unsettled=list(history.leftovers))
    known = {given.mark: given for given in history.inputs}
    _check_each(history, known, findings)
    _check_presence(history, findings)
    _check_order(history, known, findings)
    _check_read_model(history, findings)
    return findings.verdict()


def _check_each(history: History, known: Mapping[str, Input], findings: Findings) -> None:
    """Look for messages that nobody put in, that say something else, or that were meant for another room."""
    for message in history.timeline:
        given = known.get(message.mark or "")
        if given is None:
            findings.aliens.append(f"{_show(message)} was put in by nobody")
        elif message.room_id not in given.room_ids:
            findings.misplaced.append(f"{_show(message)} was meant for {', '.join(given.room_ids)}")
        elif message.sender != given.sender or given.text not in message.text:
            findings.aliens.append(f"{_show(message)} is not what {given.source} put in")


def _check_presence(history: History, findings: Findings) -> None:
    """Count how often each input stands in each of its rooms."""
    found = Counter((message.mark, message.room_id) for message in history.timeline)
    for given in history.inputs:
        for room_id in given.room_ids:
            times = found[given.mark, room_id]
            if times == 0 and given.is_acknowledged:
                findings.lost.append(f"{given.mark} of {given.source} is not in {room_id}")
            if times > 1:
                findings.doubled.append(f"{given.mark} of {given.source} stands {times} times in {room_id}")


def _check_order(history: History, known: Mapping[str, Input], findings: Findings) -> None:
    """Hold each room's timeline against the order in which its inputs were given.

    One input was given before another of its kind when it was acknowledged before the other was first sent. A message
    to a room and one of a person take different ways, so that there is no order between the kinds.
    """
    lanes: dict[tuple[str, str], dict[str, Input]] = defaultdict(dict)
    for message in sorted(history.timeline, key=lambda message: message.position):
        given = known.get(message.mark or "")
        if given is not None and given.is_acknowledged:
            lanes[message.room_id, given.kind].setdefault(given.mark, given)  # a second one is doubled, not late
    for (room_id, _), givens in lanes.items():
        findings.misordered += (
            f"{late} stands before {early} in {room_id}" for late, early in _inversions([*givens.values()])
        )


def _inversions(givens: Sequence[Input]) -> Iterable[tuple[str, str]]:
    """Yield each input that stands before one which was acknowledged before it was sent, with the earliest such one."""
    earliest: Input | None = None
    for given in reversed(givens):
        if earliest is not None and _acknowledged_at(earliest) < given.sent_at:
            yield given.mark, earliest.mark
        if earliest is None or _acknowledged_at(given) < _acknowledged_at(earliest):
            earliest = given


def _acknowledged_at(given: Input) -> float:
    assert given.acknowledged_at is not None
    return given.acknowledged_at


def _check_read_model(history: History, findings: Findings) -> None:
    """Hold the read model against the timeline: the same messages, once, with the same order, in the right tenant."""
    messages = {message.event_id: message for message in history.timeline}
    marks = {(message.mark, message.room_id) for message in history.timeline if message.mark}
    for row in history.rows:
        message = messages.get(row.event_id)
        if message is None:
            is_again = (row.mark, row.room_id) in marks
            (findings.doubled if is_again else findings.aliens).append(f"read model: {_show(row)} is not in Matrix")
        else:
            _check_row(row, message, history.tenants, findings)
    there = {row.event_id for row in history.rows}
    findings.lost += (
        f"read model: {_show(message)} is not in it" for key, message in messages.items() if key not in there
    )
    _check_row_order(history.rows, messages, findings)


def _check_row(row: Row, message: Message, tenants: Mapping[str, str], findings: Findings) -> None:
    if row.room_id != message.room_id or tenants.get(row.room_id) != row.tenant_id:
        findings.misplaced.append(f"read model: {_show(row)} stands in {row.room_id} of {row.tenant_id}")
    if (row.sender, row.text) != (message.sender, message.text):
        findings.aliens.append(f"read model: {_show(row)} is not what stands in Matrix")


def _check_row_order(rows: Sequence[Row], messages: Mapping[str, Message], findings: Findings) -> None:
    by_room: dict[str, list[Message]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.position):
        if row.event_id in messages:
            by_room[row.room_id].append(messages[row.event_id])
    for in_room in by_room.values():
        findings.misordered += (
            f"read model: {_show(later)} stands behind {_show(earlier)}"
            for earlier, later in pairwise(in_room)
            if earlier.position > later.position
        )


def _show(message: Message | Row) -> str:
    return f"{message.mark or message.text[:40]!r} ({message.event_id}, {message.room_id}, by {message.sender})"
