"""The dashboard asks for metrics that there are, by labels that they have, and leaves none of ours out."""

import json
import re
from itertools import pairwise
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from bridge import telemetry

DASHBOARD = json.loads((Path(__file__).parents[2] / "deploy/grafana/bitnexus-chat.json").read_text(encoding="utf-8"))
PANELS = DASHBOARD["panels"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]
METRICS = [metric for metric in vars(telemetry).values() if isinstance(metric, MetricWrapperBase)]
LABELS = {metric._name: set(metric._labelnames) for metric in METRICS}


def metrics_in(expression: str) -> set[str]:
    found = re.findall(r"\bbitnexus_\w+", expression)
    return {re.sub(r"_(?:total|bucket|count|sum)$", "", name) for name in found}


def test_every_metric_is_shown_and_no_other_is_asked_for() -> None:
    assert {name for expression in EXPRESSIONS for name in metrics_in(expression)} == set(LABELS)


def test_every_label_that_is_grouped_by_or_shown_is_the_metrics_own() -> None:
    for target in (target for panel in PANELS for target in panel["targets"]):
        grouped = {word for group in re.findall(r"by \(([^)]*)\)", target["expr"]) for word in group.split(", ")}
        known = {label for name in metrics_in(target["expr"]) for label in LABELS[name]} | {"le"}
        assert grouped <= known, target
        assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= grouped, target


def test_what_every_process_shows_alike_is_not_summed_up() -> None:
    alike = {
        "bitnexus_lanes_waiting", "bitnexus_items_pending", "bitnexus_oldest_waiting_seconds", "bitnexus_dead_letters",
        "bitnexus_quarantined_events", "bitnexus_stray_events", "bitnexus_gap_lag_positions",
    }  # fmt: skip
    asked = [expression for expression in EXPRESSIONS if metrics_in(expression) & alike]
    assert len(asked) >= len(alike)
    assert [expression for expression in asked if not expression.startswith("max")] == []


def test_no_panel_lies_on_another() -> None:
    places = sorted((panel["gridPos"]["y"], panel["gridPos"]["x"], panel["gridPos"]["w"]) for panel in PANELS)
    for (row, column, width), (next_row, next_column, _) in pairwise(places):
        assert column + width <= 24
        assert next_row > row or next_column >= column + width
