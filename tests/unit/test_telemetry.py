"""Logs: one JSON object a line, from us and from libraries, and no secret in any of them (row 9)."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from prometheus_client.metrics import MetricWrapperBase

from bridge import telemetry
from bridge.telemetry import set_up_logging


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Put logging back: it belongs to the process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_says_when_who_and_what(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", "json")
    structlog.stdlib.get_logger("bridge.test").info("lane waits", queue="inbox", lane_key="!r")
    (line,) = lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "lane waits",
        "queue": "inbox",
        "lane_key": "!r",
        "level": "info",
        "logger": "bridge.test",
    }


def test_what_libraries_log_takes_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", "json")
    logging.getLogger("some.library").warning("slow %s", "answer")
    logging.getLogger("aiohttp.access").info("GET /v1/tenants/acme")
    logging.getLogger("some.library").debug("chatter")
    (line,) = lines(capsys)
    assert (line["event"], line["level"], line["logger"]) == ("slow answer", "warning", "some.library")


SECRET = "s3cr3t-value"
NAMES = [
    "token", "Token", "as_token", "hs_token", "access_token", "session_token", "secret", "module_secret", "password",
    "Authorization", "authorization", "api_key", "platform_key", "client_secret_value",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["json", "console"])
def test_what_is_named_like_a_secret_is_hidden(name: str, form: Any, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", form)
    log = structlog.stdlib.get_logger("bridge.test")
    log.info("asked", **{name: SECRET})
    log.info("asked", headers={name: SECRET, "Accept": "json"})
    log.info("asked", attempts=[{"settings": {name: SECRET}}])
    logging.getLogger("some.library").warning("asked", extra={name: SECRET})
    written = capsys.readouterr().err
    assert SECRET not in written
    assert "Accept" in written, "the rest is shown"


@pytest.mark.parametrize(
    "secret", ["bxi_0123456789abcdef", "bxs_0123456789abcdef", "syt_dV9h_abcdefgh_123456", "whsec_abcdefghijkl"]
)
def test_a_token_inside_a_sentence_is_hidden(secret: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", "json")
    log = structlog.stdlib.get_logger("bridge.test")
    log.warning("refused Bearer %s", secret)
    log.warning("refused", error=f"GET /x?access_token={secret} failed")
    logging.getLogger("some.library").warning("refused %s", secret)
    log.error("request failed", exc_info=ValueError(secret))
    assert secret not in capsys.readouterr().err


def test_ids_and_keys_of_rooms_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", "json")
    structlog.stdlib.get_logger("bridge.test").info("x", lane_key="!r", room_key="general", key_id="k1", attempts=3)
    (line,) = lines(capsys)
    assert (line["lane_key"], line["room_key"], line["key_id"], line["attempts"]) == ("!r", "general", "k1", 3)


def test_an_exception_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", "json")
    structlog.stdlib.get_logger("bridge.test").error("lane failed", exc_info=RuntimeError("a mistake"))
    (line,) = lines(capsys)
    assert "RuntimeError: a mistake" in line["exception"]


def test_metrics_are_labelled_by_kinds_and_never_by_ids() -> None:
    metrics = [metric for metric in vars(telemetry).values() if isinstance(metric, MetricWrapperBase)]
    assert len(metrics) > 15
    labels = {name for metric in metrics for name in metric._labelnames}
    assert labels == {
        "act", "by", "direction", "kind", "method", "outcome", "queue", "reason", "route", "status", "stream",
    }  # fmt: skip
