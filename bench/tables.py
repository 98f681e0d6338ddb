"""The figures as tables of docs/figures.md, made from bench/results/ after each run, so that the two never differ."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "figures.md"
_BEGIN, _END = "<!-- Written by python -m bench: begin -->\n", "<!-- end -->"
_SHORT = 10
_QUIET = 0.5

Result = Mapping[str, Any]


def write_tables() -> None:
    """Put the tables of the present results into the page."""
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def with_tables(page: str) -> str:
    """Return the page with the tables of the present results in it."""
    before, _, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not end:
        raise ValueError("the page has no place for the tables")
    return before + _BEGIN + "\n" + "\n\n".join(_sections()) + "\n\n" + _END + after


def _sections() -> Iterable[str]:
    for name, rows in _ROWS.items():
        path = RESULTS / f"{name}.json"
        if path.exists():
            result = json.loads(path.read_text(encoding="utf-8"))
            load = result["machine"].get("load_of_others")
            busy = (
                "" if load is None or load < _QUIET else f", on a machine that was busy with other things (load {load})"
            )
            origin = f"`{result['command']}` at commit `{result['commit'][:_SHORT]}`{busy}"
            table = ["| " + " | ".join(map(str, row)) + " |" for row in rows(result)]
            rule = "|" + "---|" * table[0].count(" | ") + "---|"
            yield "\n".join([f"### {name.title()}", "", f"{origin}.", "", table[0], rule, *table[1:]])


def _relay(result: Result) -> Iterable[tuple[object, ...]]:
    yield "Measure", "Ours", "Raw", "Compared"
    for rooms, level in result["throughput_by_rooms"].items():
        yield (
            f"Messages a second, {rooms} in flight",
            level["ours_messages_per_second"],
            level["raw_messages_per_second"],
            f"{level['ratio']} of raw",
        )
    for words, name in (("one at a time", "latency_one_at_a_time"), ("under load", "latency_under_load")):
        for percentile in ("p50", "p99"):
            found = result[name][percentile]
            yield (
                f"Seen after, {words}, {percentile}",
                _ms(found["ours_ms"]),
                _ms(found["raw_ms"]),
                _ms(found["added_ms"]),
            )
    found = result["acknowledgement"]
    yield "100 events acknowledged", _ms(found["ours_ms"]), _ms(found["bare_insert_ms"]), f"{found['ratio']} times"


def _neighbours(result: Result) -> Iterable[tuple[object, ...]]:
    yield "Who, in all rounds", "Acknowledged", "Lost", "Doubled", "Out of order"
    for name, counts in result["totals"].items():
        yield name, counts["acknowledged"], counts["lost"], counts["doubled"], counts["out_of_order"]


def _reconcile(result: Result) -> Iterable[tuple[object, ...]]:
    many, real, growth = result["counting_homeserver"], result["synapse"], result["growth"]
    yield "Measure", f"{many['tenants']:,} tenants, counting homeserver", f"{real['tenants']} tenants, Synapse"
    yield "Rooms and members of each", *(f"{side['rooms']}, {side['members']}" for side in (many, real))
    yield "Requests to the fewest possible", many["made"]["calls_to_fewest"], real["calls_to_fewest"]
    yield "Until all stand", f"{many['made']['seconds']} s", f"{real['seconds']} s"
    yield "Requests when nothing has changed", many["steady"]["calls"], real["all_again"]["calls"]
    yield "A look at all of them then", _ms(round(many["steady"]["look_at_all_seconds"] * 1000, 1)), ""
    yield "Every plan made anew then", f"{many['steady']['plan_of_all_seconds']} s", ""
    yield "The same asked for again, answered", "", f"{real['all_again']['median_seconds']} s"
    read = many["verification"]
    yield "Every room read once", f"{read['seconds']} s, {sum(read['calls'].values()):,} requests", ""
    most = growth["at"][-1]
    yield f"Memory of an idle tenant, of {most['tenants']:,}", f"{growth['idle_kb_per_tenant']} KB", ""
    for at in growth["at"]:
        yield f"One person more, with {at['tenants']:,} tenants", _ms(at["one_change_ms"]), ""


def _ms(value: float) -> str:
    return f"{value} ms"


_ROWS: Mapping[str, Callable[[Result], Iterable[tuple[object, ...]]]] = {
    "relay": _relay,
    "neighbours": _neighbours,
    "reconcile": _reconcile,
}
