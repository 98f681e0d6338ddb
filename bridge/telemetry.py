"""Structured logs without secrets, and the metrics that an operator watches."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal, cast

import structlog
from prometheus_client import Counter, Gauge, Histogram

MATRIX_REQUESTS = Counter("bitnexus_matrix_requests", "Requests to Synapse by act and outcome", ["act", "outcome"])
INBOX_EVENTS = Counter("bitnexus_inbox_events", "Events received from Synapse by outcome", ["outcome"])
LANE_RUNS = Counter("bitnexus_lane_runs", "Lanes worked on, by queue and outcome", ["queue", "outcome"])
LANES_HELD = Gauge("bitnexus_lanes_held", "Lanes being worked on now, by queue", ["queue"])
LANES_FREED = Counter("bitnexus_lanes_freed", "Lanes taken from processes that are gone, by queue", ["queue"])
GAP_CHECKS = Counter(
    "bitnexus_gap_checks", "Comparisons of the homeserver's streams with the inbox, by reason", ["reason", "outcome"]
)
GAP_REPAIRED = Counter(
    "bitnexus_gap_repaired",
    "Events and receipts that came by the comparison, not by a transaction",
    ["reason", "stream"],
)
BELL_RINGS = Counter("bitnexus_bell_rings", "Wake-up calls between processes", ["direction"])
OUTBOX_FINISHED = Counter(
    "bitnexus_outbox_finished", "Messages sent, by what said so (answer, echo, timeline), and dead letters", ["by"]
)
RECONCILE_EFFECTS = Counter(
    "bitnexus_reconcile_effects",
    "Effects of reconciles by kind: done, failed, or withheld because somebody undoes them again and again",
    ["kind", "outcome"],
)
HTTP_REQUESTS = Histogram(
    "bitnexus_http_request_seconds", "Requests answered, by route and status", ["method", "route", "status"]
)

DRAINING = Gauge("bitnexus_draining", "1 while this process is being stopped: it claims nothing more")
LANES_WAITING = Gauge("bitnexus_lanes_waiting", "Lanes that have work, by queue", ["queue"])
ITEMS_PENDING = Gauge("bitnexus_items_pending", "Items that wait, by queue", ["queue"])
OLDEST_WAITING = Gauge("bitnexus_oldest_waiting_seconds", "How long the oldest item has waited, by queue", ["queue"])
DEAD_LETTERS = Gauge("bitnexus_dead_letters", "Messages that were given up and are kept")
QUARANTINED = Gauge("bitnexus_quarantined_events", "Events that could not be taken in and are kept")
STRAY_EVENTS = Gauge("bitnexus_stray_events", "Events that wait for their room to become known")
GAP_LAG = Gauge("bitnexus_gap_lag_positions", "Positions not yet compared with the inbox, by stream", ["stream"])
FIGURES_AGE = Gauge(
    "bitnexus_figures_age_seconds", "How old the figures of the database are: they are read on a timer, not per scrape"
)

_SECRET_WORDS = ("token", "secret", "password", "authorization", "api_key", "platform_key")
_SECRET = re.compile(r"(?:bxi_|bxs_|syt_|whsec_)[\w+/=-]{8,}")


def set_up_logging(level: str, form: Literal["json", "console"]) -> None:
    """Log to standard error: one JSON object a line, or lines for a person; libraries' logs take the same way."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _hide_secrets,
    ]
    renderer = structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=False)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processors=[_drop_meta, renderer], foreign_pre_chain=shared)
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # these would log every request's address, which carries ids of people
    for name in ("mau.http", "httpx2", "openai", "aiohttp.access"):
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def without_secrets(text: str) -> str:
    """Hide what looks like a token of ours, wherever it stands."""
    return _SECRET.sub("[hidden]", text)


def _hide_secrets(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if not name.startswith("_"):  # structlog's own
            event[name] = _without_secrets(value, name)
    return event


def _without_secrets(value: Any, name: str = "") -> Any:
    """Hide what is named like a secret, however deep, and what looks like one of ours, wherever it stands."""
    if any(word in name.lower() for word in _SECRET_WORDS):
        return "[hidden]"
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, Mapping):
        tree = cast("Mapping[object, object]", value)
        return {key: _without_secrets(item, str(key)) for key, item in tree.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(item) for item in cast("list[Any]", value)]
    return value


def _drop_meta(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return structlog.stdlib.ProcessorFormatter.remove_processors_meta(logger, method, event)
