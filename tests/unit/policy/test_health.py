"""What figures mean: the thresholds, one case each side of them, and that whatever is not well has a remedy."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model.health import (
    DeadLetter,
    DeadLetters,
    DriftedLane,
    FailedReconcile,
    Finding,
    GapFigures,
    Quarantined,
    QueueFigures,
    StrayEvents,
    StreamFigures,
    TroubledLane,
    WeakRoom,
)
from bridge.model.ids import JobID, OutboxID, RoomID, RoomKey, TenantID, UserID
from bridge.policy import health

ACME = TenantID("acme")


def queue(**figures: Any) -> QueueFigures:
    standing: dict[str, Any] = {"lanes_waiting": 1, "lanes_held": 0, "pending": 1, "oldest_seconds": 0.0}
    return QueueFigures(queue="outbox", **(standing | figures))


def lane(**changes: Any) -> TroubledLane:
    standing: dict[str, Any] = {"attempts": 1, "faults": 0, "error": "Synapse does not answer (send)"}
    return TroubledLane(queue="outbox", lane_key="!r:x", tenant_id=ACME, **(standing | changes))


def letters(*, total: int = 1, recent: int = 1, last_hour: int = 1) -> DeadLetters:
    newest = DeadLetter(outbox_id=OutboxID(7), room_id=RoomID("!r:x"), error="Synapse refused", age_seconds=90.0)
    return DeadLetters(tenant_id=ACME, total=total, recent=recent, last_hour=last_hour, newest=(newest,))


def gap(*, missing: int = 0, age: float = 0.0, is_whole: bool = True) -> GapFigures:
    events = StreamFigures(stream="events", position=40, end=42, age_seconds=3.0)
    receipts = StreamFigures(stream="receipts", position=0, end=1, age_seconds=None)
    return GapFigures(streams=(events, receipts), missing=missing, oldest_missing_seconds=age, is_whole=is_whole)


CREATOR = UserID("@bitnexus:x")


def weak(*, power: int | None) -> WeakRoom:
    return WeakRoom(
        tenant_id=ACME, room_key=RoomKey("general"), room_id=RoomID("!r:x"), power=power, needed=150, rivals=100
    )


JOB = FailedReconcile(tenant_id=ACME, job_id=JobID("j1"), error="1 effects failed; each says why", age_seconds=5.0)


def judged_gap(found: GapFigures, *, is_running: bool = True) -> Finding:
    return health.judge_gaps(found, is_running=is_running, interval_seconds=30.0)


CASES: list[tuple[str, Finding, str]] = [
    ("nothing waits", health.judge_lanes([]), "ok"),
    ("young work waits", health.judge_lanes([queue(oldest_seconds=59.0)]), "ok"),
    ("a minute is late", health.judge_lanes([queue(), queue(oldest_seconds=60.0)]), "warning"),
    ("ten minutes are stuck", health.judge_lanes([queue(oldest_seconds=600.0)]), "failing"),
    ("no errors", health.judge_faults([]), "ok"),
    ("a lane that waits", health.judge_faults([lane(attempts=9)]), "warning"),
    ("a lane that has waited for minutes", health.judge_faults([lane(attempts=10)]), "failing"),
    ("two faults", health.judge_faults([lane(faults=2)]), "warning"),
    ("three faults", health.judge_faults([lane(faults=3)]), "failing"),
    ("counters are right", health.judge_counters([]), "ok"),
    ("a counter too high", health.judge_counters([drifted := DriftedLane(
        queue="inbox", lane_key="!r:x", tenant_id=None, counted=2, actual=1)]), "warning"),
    ("a counter too low", health.judge_counters([drifted, DriftedLane(
        queue="inbox", lane_key="!s:x", tenant_id=None, counted=0, actual=1)]), "failing"),
    ("no letters", health.judge_dead_letters([]), "ok"),
    ("old letters", health.judge_dead_letters([letters(recent=0, last_hour=0)]), "ok"),
    ("a letter", health.judge_dead_letters([letters()]), "warning"),
    ("many letters in a week", health.judge_dead_letters([letters(total=99, recent=99, last_hour=19)]), "warning"),
    ("many letters in an hour", health.judge_dead_letters([letters(total=99, recent=99, last_hour=20)]), "failing"),
    ("no failed job", health.judge_reconciles([]), "ok"),
    ("a failed job", health.judge_reconciles([JOB]), "warning"),
    ("power everywhere", health.judge_power([], CREATOR), "ok"),
    ("a room without power", health.judge_power([weak(power=100)], CREATOR), "failing"),
    ("a room that lost us", health.judge_power([weak(power=None)], CREATOR), "failing"),
    ("nothing quarantined", health.judge_quarantine(Quarantined(total=0, recent=0, newest=())), "ok"),
    ("old quarantine", health.judge_quarantine(Quarantined(total=2, recent=0, newest=((1, "x"),))), "ok"),
    ("quarantine", health.judge_quarantine(Quarantined(total=2, recent=1, newest=((2, "x"),))), "warning"),
    ("no strays", health.judge_stray(StrayEvents(total=0, oldest_seconds=0.0, rooms=())), "ok"),
    ("a room being made", health.judge_stray(StrayEvents(total=3, oldest_seconds=9.0, rooms=(RoomID("!n:x"),))), "ok"),
    ("an unknown room", health.judge_stray(
        StrayEvents(total=3, oldest_seconds=3600.0, rooms=(RoomID("!n:x"),))), "warning"),
    ("nothing missing", judged_gap(gap()), "ok"),
    ("on its way", judged_gap(gap(missing=1, age=119.0)), "ok"),
    ("never came", judged_gap(gap(missing=1, age=120.0)), "failing"),
    ("came while the bridge was away", judged_gap(gap(missing=1, age=9999.0), is_running=False), "warning"),
]  # fmt: skip


@pytest.mark.parametrize(("found", "status"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_status_follows_from_the_figures_and_a_remedy_from_the_status(found: Finding, status: str) -> None:
    assert found.status == status
    assert found.sentence.endswith(".")
    assert bool(found.remedy) == (status != "ok")


def test_the_worst_lanes_are_named_first_with_tenant_and_error() -> None:
    found = health.judge_faults([lane(attempts=4), lane(faults=2, error="KeyError: 'x'"), *[lane()] * 9])
    assert found.details[0] == "outbox !r:x of acme: KeyError: 'x' (1 attempt, 2 faults)"
    assert found.details[1] == "outbox !r:x of acme: Synapse does not answer (send) (4 attempts, 0 faults)"
    assert len(found.details) == health.SHOWN
    assert found.figures == {"lanes": 11, "lanes_with_faults": 1}


def test_a_dead_letter_is_named_by_tenant_row_and_room() -> None:
    found = health.judge_dead_letters([letters(total=3)])
    assert found.details == ("acme: 1 lately; outbox 7 in !r:x, 90 s ago: Synapse refused",)
    assert found.figures == {"total": 3, "last_7_days": 1, "last_hour": 1, "tenants": 1}


def test_figures_of_lanes_are_by_queue() -> None:
    found = health.judge_lanes([queue(pending=5, lanes_held=2, oldest_seconds=61.24)])
    assert found.figures == {
        "outbox": {"lanes_waiting": 1, "lanes_held": 2, "items_pending": 5, "oldest_seconds": 61.2}
    }
    assert found.sentence == "5 items wait in 1 lane, the oldest for 61 s; 2 lanes are being worked on."


def test_a_gap_that_was_not_looked_at_to_its_end_says_at_least() -> None:
    assert judged_gap(gap(missing=2, age=7200.0, is_whole=False)).sentence == (
        "At least 2 events of our rooms have not come, the oldest 2 hours ago."
    )
    figures = judged_gap(gap()).figures
    assert figures["events"] == {"position": 40, "end": 42, "behind": 2, "moved_seconds_ago": 3.0}


@given(st.lists(st.floats(min_value=0, max_value=1e7), min_size=1, max_size=3), st.floats(min_value=0, max_value=1e7))
def test_work_that_waits_longer_is_never_better(ages: list[float], more: float) -> None:
    worse = {"ok": 0, "warning": 1, "failing": 2}
    before = health.judge_lanes([queue(oldest_seconds=age) for age in ages])
    after = health.judge_lanes([queue(oldest_seconds=age) for age in [*ages, more]])
    assert worse[after.status] >= worse[before.status]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "0 s"), (119.0, "119 s"), (120.0, "2 minutes"), (7200.0, "2 hours"), (172800.0, "2 days")],
)
def test_a_duration_is_said_as_a_person_says_it(seconds: float, said: str) -> None:
    assert health.duration(seconds) == said
