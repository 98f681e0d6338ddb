"""What is said of the parts: each way in which one is wrong has its own sentence and remedy."""

from collections.abc import Mapping
from typing import Any

import pytest

from bridge.model.health import BotFacts, BridgeFacts, Finding, HomeserverAnswer, RoleFacts
from bridge.model.ids import UserID
from bridge.policy import health_parts

KNOWN = {1: "0001_a.sql", 2: "0002_b.sql"}
CREATOR, KEEPER = UserID("@bitnexus:x"), UserID("@bitnexus_keeper:x")
FIELDS = frozenset({"instance", "events", "receipts"})
WELL = {"instance": "i", "events": 1, "receipts": 1}


def answer(status: int, **body: Any) -> HomeserverAnswer:
    return HomeserverAnswer(status=status, body=body)


def role(name: str = "bitnexus_app", **changes: Any) -> RoleFacts:
    standing: dict[str, Any] = {"is_superuser": False, "bypasses_row_security": False, "owns_tables": False}
    return RoleFacts(name=name, **(standing | {"exposed": ()} | changes))


def roles(*found: RoleFacts) -> Finding:
    return health_parts.judge_roles(found)


def registration(*, status: int, **body: Any) -> Finding:
    return health_parts.judge_registration(answer(status, **body), CREATOR)


def module(*, status: int, **body: Any) -> Finding:
    return health_parts.judge_module(answer(status, **body), FIELDS)


def bridge(readiness: str | None, dependencies: Mapping[str, bool] | None = None) -> Finding:
    facts = BridgeFacts(address="http://127.0.0.1:1", readiness=readiness, dependencies=dependencies or {})
    return health_parts.judge_bridge(facts)


def ping(*, status: int, is_running: bool = True, **body: Any) -> Finding:
    return health_parts.judge_ping(answer(status, **body), address="http://b:1", is_running=is_running)


def bots(*found: tuple[UserID, tuple[str, ...] | None]) -> Finding:
    return health_parts.judge_bots([BotFacts(user_id=user, devices=devices) for user, devices in found], "BITNEXUS")


APP, SYSTEM = role(), role("bitnexus_system")
CASES: list[tuple[Finding, str, str]] = [
    (health_parts.judge_migrations(KNOWN, KNOWN), "ok", "All 2 migrations"),
    (health_parts.judge_migrations({1: "0001_a.sql"}, KNOWN), "failing", "older than this version: 0002_b.sql"),
    (health_parts.judge_migrations({}, KNOWN), "failing", "0001_a.sql, 0002_b.sql"),
    (health_parts.judge_migrations(KNOWN | {3: "0003_c.sql"}, KNOWN), "failing", "newer than this version"),
    (roles(APP, SYSTEM), "ok", "cannot bypass"),
    (roles(role(is_superuser=True), SYSTEM), "failing", "one tenant to another"),
    (roles(APP, role("bitnexus_system", bypasses_row_security=True)), "failing", "one tenant to another"),
    (roles(role(owns_tables=True), SYSTEM), "failing", "one tenant to another"),
    (roles(role(exposed=("outbox",)), SYSTEM), "failing", "one tenant to another"),
    (roles(APP, APP), "failing", "one tenant to another"),
    (registration(status=200, user_id=CREATOR), "ok", CREATOR),
    (registration(status=200, user_id="@bitnexus:y"), "failing", "another server name"),
    (registration(status=401, errcode="M_UNKNOWN_TOKEN"), "failing", "does not know our token"),
    (registration(status=403, error="not registered"), "failing", "not registered"),
    (registration(status=500, errcode="M_UNKNOWN"), "failing", "500 (M_UNKNOWN)"),
    (bots((CREATOR, ("A", "BITNEXUS")), (KEEPER, ("BITNEXUS",))), "ok", "2 bots"),
    (bots((CREATOR, ("BITNEXUS",)), (KEEPER, ("A",))), "failing", "1 of our 2 bots"),
    (bots((CREATOR, None)), "failing", "1 of our 1 bots"),
    (module(status=200, **WELL), "ok", "loaded"),
    (module(status=200, instance="i"), "failing", "another version"),
    (module(status=401, errcode="M_UNKNOWN_TOKEN"), "failing", "another secret"),
    (module(status=403, errcode="M_FORBIDDEN"), "failing", "another secret"),
    (module(status=404, errcode="M_UNRECOGNIZED"), "failing", "no module of ours"),
    (module(status=502), "failing", "502"),
    (bridge("ok"), "ok", "runs and is ready"),
    (bridge(None), "warning", "does not run here"),
    (bridge("draining"), "warning", "being stopped"),
    (bridge("unavailable", {"postgresql": True, "synapse": False}), "failing", "not ready: synapse is missing"),
    (bridge("unavailable"), "failing", "does not say what"),
    (ping(status=200, duration_ms=3), "ok", "reaches the bridge at http://b:1"),
    (ping(status=502, errcode="M_CONNECTION_FAILED"), "failing", "502 (M_CONNECTION_FAILED)"),
    (ping(status=502, is_running=False), "warning", "does not run here"),
]


@pytest.mark.parametrize(("found", "status", "words"), CASES)
def test_each_way_to_be_wrong_has_its_sentence_and_remedy(found: Finding, status: str, words: str) -> None:
    assert found.status == status
    assert words in found.sentence
    assert bool(found.remedy) == (status != "ok")


def test_each_thing_that_is_wrong_with_roles_is_listed() -> None:
    found = roles(role(is_superuser=True, owns_tables=True, exposed=("outbox",)), role(bypasses_row_security=True))
    assert found.details == (
        "bitnexus_app is a superuser",
        "bitnexus_app owns tables",
        "bitnexus_app bypasses row-level security",
        "table outbox does not force row-level security",
        "database.url and database.system_url name the same role",
    )


def test_bots_without_their_device_are_named() -> None:
    assert bots((CREATOR, ("BITNEXUS",)), (KEEPER, ())).details == (KEEPER,)
