"""What a chaos run came to, as an object that is printed and kept."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tests.faults.history import Verdict
from tests.faults.recovery import Spread

_SHOWN = 5


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a run. ``seed`` repeats its draws; where they fall, the machine's timing decides."""

    seed: int
    seconds: float
    settle_seconds: float
    kills: int
    kills_by_kind: Mapping[str, int]
    faults: Mapping[str, int]
    transactions: Mapping[str, int]
    connections_cut: int
    starts: int
    acknowledged: Mapping[str, int]
    in_doubt: int
    attempts: Mapping[str, int]
    verdict: Mapping[str, int]
    cases: Mapping[str, tuple[str, ...]]
    gap_repaired: int
    recovery: Spread
    recovery_of_each_room: Spread
    errors_logged: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    def show(self) -> str:
        """Return the report as text."""
        return json.dumps(self.to_json(), indent=2, ensure_ascii=False)


def first_cases(verdict: Verdict) -> dict[str, tuple[str, ...]]:
    """Return a few cases of each kind of wrong."""
    return {name: cases[:_SHOWN] for name, cases in verdict.faults.items()}


def log_lines(paths: Iterable[Path]) -> Iterable[Mapping[str, Any]]:
    """Yield the lines of bridges' logs; a line that a kill cut short is left out."""
    for path in paths:
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue


def gap_repaired(paths: Iterable[Path]) -> int:
    """Return how many events were found missing and taken in, as the bridges logged it before they died."""
    return sum(line["events"] for line in log_lines(paths) if line.get("event", "").startswith("gap repaired"))


def errors_logged(paths: Iterable[Path]) -> dict[str, int]:
    """Count the errors in bridges' logs: those that no outage explains by itself, with the exception's last line."""
    counts: Counter[str] = Counter()
    for line in log_lines(paths):
        if line.get("level") in {"error", "critical"}:
            last = str(line.get("exception", "")).strip().rpartition("\n")[2]
            counts[f"{line.get('event')}: {last[:120]}"] += 1
    return dict(counts.most_common(20))
