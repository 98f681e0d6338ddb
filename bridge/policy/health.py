"""What the figures of lanes, letters and gaps mean: well, worth a look, or failing; and how to mend it."""

from collections.abc import Sequence

from bridge.model.health import (
    DeadLetters,
    DriftedLane,
    FailedReconcile,
    Finding,
    GapFigures,
    Quarantined,
    QueueFigures,
    Status,
    StrayEvents,
    TroubledLane,
    WeakRoom,
)
from bridge.model.ids import UserID

LATE_SECONDS = 60.0
"""Work that waits longer than this is worth a look; a room is served within a second when all is well."""
STUCK_SECONDS = 600.0
"""Work that waits longer than this is not being done."""
MANY_FAULTS = 3
"""A head is buried after five unforeseen failures; at the third somebody should know."""
MANY_ATTEMPTS = 10
"""With the waits between them about eight minutes."""
MANY_DEAD_LETTERS_AN_HOUR = 20
"""One refused message is the message's fault; so many in an hour are something else's."""
STRAY_SECONDS = 3600.0
"""A room that is being made is known within seconds; one that is unknown for an hour is not being made."""
GAP_LATE_INTERVALS = 4.0
"""A comparison covers what is an interval old, and the next one may be an interval away; twice that is late."""
SHOWN = 5
"""How many things a finding names; the figures have their number."""
NEWEST = 3
"""How many of each tenant's letters, or of the rows, it names."""


def judge_lanes(queues: Sequence[QueueFigures]) -> Finding:
    """Say how much work waits, and for how long."""
    oldest = max((queue.oldest_seconds for queue in queues), default=0.0)
    pending = sum(queue.pending for queue in queues)
    waiting, held = sum(queue.lanes_waiting for queue in queues), sum(queue.lanes_held for queue in queues)
    sentence = (
        f"{_count(pending, 'item')} {_wait(pending)} in {_count(waiting, 'lane')}, the oldest for {duration(oldest)}; "
        f"{_count(held, 'lane')} {'is' if held == 1 else 'are'} being worked on."
        if pending
        else "Nothing waits."
    )
    status: Status = "failing" if oldest >= STUCK_SECONDS else "warning" if oldest >= LATE_SECONDS else "ok"
    return Finding(
        name="lanes",
        status=status,
        sentence=sentence,
        remedy=None
        if status == "ok"
        else "Look at 'bridge', 'synapse' and 'faults' first: whatever is away or fails there holds this up. When all "
        "three are well, there is more work than workers: raise worker.concurrency, or start a second bridge.",
        details=tuple(
            f"{queue.queue}: {_count(queue.pending, 'item')} in {_count(queue.lanes_waiting, 'lane')}, the oldest for "
            f"{duration(queue.oldest_seconds)}; {queue.lanes_held} held"
            for queue in queues
            if queue.pending
        ),
        figures={
            queue.queue: {
                "lanes_waiting": queue.lanes_waiting,
                "lanes_held": queue.lanes_held,
                "items_pending": queue.pending,
                "oldest_seconds": round(queue.oldest_seconds, 1),
            }
            for queue in queues
        },
    )


def judge_faults(lanes: Sequence[TroubledLane]) -> Finding:
    """Say which lanes have a head that fails again and again; the worst first."""
    if not lanes:
        return Finding(name="faults", status="ok", sentence="No lane is held up by an error.")
    worst = sorted(lanes, key=lambda lane: (-lane.faults, -lane.attempts, lane.lane_key))
    faulty = sum(lane.faults > 0 for lane in lanes)
    is_bad = any(lane.faults >= MANY_FAULTS or lane.attempts >= MANY_ATTEMPTS for lane in lanes)
    return Finding(
        name="faults",
        status="failing" if is_bad else "warning",
        sentence=f"{_count(len(lanes), 'lane')} {_wait(len(lanes))} because of an error, {faulty} of them for one that "
        "nobody foresaw.",
        remedy="Unforeseen errors are our mistakes: the bridge's log has the stack ('lane failed'), please report it; "
        "after five the head is set aside and the lane goes on. Other errors say what to mend; the lane is tried again "
        "by itself.",
        details=tuple(
            f"{lane.queue} {lane.lane_key}{_of(lane.tenant_id)}: {lane.error} "
            f"({_count(lane.attempts, 'attempt')}, {_count(lane.faults, 'fault')})"
            for lane in worst[:SHOWN]
        ),
        figures={"lanes": len(lanes), "lanes_with_faults": faulty},
    )


def judge_counters(lanes: Sequence[DriftedLane]) -> Finding:
    """Say whether each lane's counter is the number of its items: a counter at nought hides what waits."""
    if not lanes:
        return Finding(name="counters", status="ok", sentence="Every lane's counter is right.")
    hidden = [lane for lane in lanes if lane.counted < lane.actual]
    return Finding(
        name="counters",
        status="failing" if hidden else "warning",
        sentence=f"{_count(len(lanes), 'lane')} {'has' if len(lanes) == 1 else 'have'} a counter that is wrong"
        + (f"; in {len(hidden)} something may wait for ever." if hidden else "; nothing is held up by it."),
        remedy="The bridge counts anew each minute while it runs; 'bitnexus-chat doctor --repair' does it now. Please "
        "report it: a counter changes only together with its items.",
        details=tuple(
            f"{lane.queue} {lane.lane_key}{_of(lane.tenant_id)}: says {lane.counted}, {lane.actual} wait"
            for lane in lanes[:SHOWN]
        ),
        figures={"lanes": len(lanes), "lanes_with_hidden_items": len(hidden)},
    )


def judge_dead_letters(tenants: Sequence[DeadLetters]) -> Finding:
    """Say which tenants have messages that were given up lately."""
    total, recent = sum(each.total for each in tenants), sum(each.recent for each in tenants)
    last_hour = sum(each.last_hour for each in tenants)
    figures = {"total": total, "last_7_days": recent, "last_hour": last_hour, "tenants": len(tenants)}
    if not recent:
        old = f" {_count(total, 'older one')} {_be(total)} kept." if total else ""
        return Finding(
            name="dead_letters", status="ok", sentence=f"No dead letters in the last 7 days.{old}", figures=figures
        )
    lately = sorted((each for each in tenants if each.recent), key=lambda each: (-each.recent, each.tenant_id))
    return Finding(
        name="dead_letters",
        status="failing" if last_hour >= MANY_DEAD_LETTERS_AN_HOUR else "warning",
        sentence=f"{_count(recent, 'message')} of {_count(len(lately), 'tenant')} {_be(recent)} given up in the last 7 "
        f"days, {last_hour} in the last hour.",
        remedy="Each error says what was refused: mend its cause, then have the sender send it again with a new id. "
        "The rows are kept (table outbox, state 'dead').",
        details=tuple(
            f"{each.tenant_id}: {each.recent} lately; outbox {letter.outbox_id} in {letter.room_id}, "
            f"{duration(letter.age_seconds)} ago: {letter.error}"
            for each in lately[:SHOWN]
            for letter in each.newest
        ),
        figures=figures,
    )


def judge_reconciles(failed: Sequence[FailedReconcile]) -> Finding:
    """Say which tenants do not stand as they are desired, because their last job failed."""
    if not failed:
        return Finding(name="reconciles", status="ok", sentence="No tenant's last reconcile failed.")
    return Finding(
        name="reconciles",
        status="warning",
        sentence=f"The last reconcile of {_count(len(failed), 'tenant')} failed.",
        remedy="GET /v1/jobs/{job_id} says why, effect by effect; POST /v1/tenants/{tenant_id}/reconcile tries again.",
        details=tuple(
            f"{each.tenant_id}: job {each.job_id}, {duration(each.age_seconds)} ago: {each.error}"
            for each in failed[:SHOWN]
        ),
        figures={"tenants": len(failed)},
    )


def judge_power(rooms: Sequence[WeakRoom], creator: UserID) -> Finding:
    """Say in which rooms our creator has too little power to keep them as they are desired."""
    if not rooms:
        return Finding(name="power", status="ok", sentence="Our creator can do everything in every room of ours.")
    return Finding(
        name="power",
        status="failing",
        sentence=f"In {_count(len(rooms), 'room')} our creator cannot do everything: wishes fail there, and removals.",
        remedy=f"Have a server admin give it back: POST /_synapse/admin/v1/rooms/{{room_id}}/make_room_admin with "
        f'{{"user_id": "{creator}"}}. Whoever has as much power must give it up themselves: that call lets you act as '
        "them, too.",
        details=tuple(
            f"{each.tenant_id}, '{each.room_key}' ({each.room_id}): "
            + (
                f"{creator} is not in it"
                if each.power is None
                else f"{creator} has power {each.power}; it takes {each.needed}, and somebody else has {each.rivals}"
            )
            for each in rooms[:SHOWN]
        ),
        figures={"rooms": len(rooms), "tenants": len({each.tenant_id for each in rooms})},
    )


def judge_quarantine(found: Quarantined) -> Finding:
    """Say whether something of the homeserver's could not be read lately."""
    figures = {"total": found.total, "last_7_days": found.recent}
    if not found.recent:
        old = f" {_count(found.total, 'older row')} {_be(found.total)} kept." if found.total else ""
        return Finding(
            name="quarantine",
            status="ok",
            sentence=f"Nothing was quarantined in the last 7 days.{old}",
            figures=figures,
        )
    return Finding(
        name="quarantine",
        status="warning",
        sentence=f"{_count(found.recent, 'event')} of Synapse could not be taken in during the last 7 days.",
        remedy="Look at the rows (table quarantine): a client that sends nonsense needs nothing, an event of ours or a "
        "well-formed one is our mistake, please report it. Rooms go on; the read model lacks what is quarantined.",
        details=tuple(f"quarantine {row}: {error}" for row, error in found.newest),
        figures=figures,
    )


def judge_stray(found: StrayEvents) -> Finding:
    """Say whether events wait for a room that nobody knows."""
    figures = {"total": found.total, "oldest_seconds": round(found.oldest_seconds, 1)}
    if found.total == 0:
        return Finding(name="stray", status="ok", sentence="No events of unknown rooms.", figures=figures)
    is_old = found.oldest_seconds >= STRAY_SECONDS
    return Finding(
        name="stray",
        status="warning" if is_old else "ok",
        sentence=f"{_count(found.total, 'event')} of unknown rooms {_be(found.total)} kept, the oldest for "
        f"{duration(found.oldest_seconds)}.",
        remedy="Our people are in rooms that the bridge did not make: older than it, or made while the module was not "
        "loaded. They are left alone. Events of a room that becomes known are taken in by themselves."
        if is_old
        else None,
        details=found.rooms if is_old else (),
        figures=figures,
    )


def judge_gaps(found: GapFigures, *, is_running: bool, interval_seconds: float) -> Finding:
    """Say whether events of our rooms never came, and how far the comparison with Synapse's streams is.

    Being behind for an interval or two is usual: what is younger may still be under way.
    """
    is_old = found.missing > 0 and found.oldest_missing_seconds >= GAP_LATE_INTERVALS * interval_seconds
    status: Status = "ok"
    if found.missing and not is_running:
        status = "warning"
    elif is_old:
        status = "failing"
    behind = " and ".join(f"{each.end - each.position:,} of {each.stream}" for each in found.streams)
    missing = (
        f"{'' if found.is_whole else 'At least '}{_count(found.missing, 'event')} of our rooms {_have(found.missing)}"
    )
    return Finding(
        name="gaps",
        status=status,
        sentence=f"{missing} not come, the oldest {duration(found.oldest_missing_seconds)} ago."
        if found.missing
        else f"No event of our rooms is missing; {behind} are not compared yet.",
        remedy=None if status == "ok" else _gap_remedy(is_running=is_running),
        figures={
            "missing": found.missing,
            "oldest_missing_seconds": round(found.oldest_missing_seconds, 1),
            **{
                each.stream: {
                    "position": each.position,
                    "end": each.end,
                    "behind": each.end - each.position,
                    "moved_seconds_ago": None if each.age_seconds is None else round(each.age_seconds, 1),
                }
                for each in found.streams
            },
        },
    )


def _gap_remedy(*, is_running: bool) -> str:
    now = "'bitnexus-chat doctor --repair' takes them in now."
    if is_running:
        return f"The bridge should have taken them in: look at its log ('cannot watch Synapse'). {now}"
    return f"The bridge takes them in when it starts; {now}"


def duration(seconds: float) -> str:
    """Return a length of time as a person says it."""
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}s"
    return f"{seconds:.0f} s"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _be(number: int) -> str:
    return "was" if number == 1 else "were"


def _have(number: int) -> str:
    return "has" if number == 1 else "have"


def _wait(number: int) -> str:
    return "waits" if number == 1 else "wait"


def _of(tenant_id: str | None) -> str:
    return f" of {tenant_id}" if tenant_id else ""
