"""Show what was found: a table for a person, with or without colours, and JSON for machines."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bridge import __version__
from bridge.config import Config
from bridge.doctor.repair import Repair
from bridge.model.health import Finding, Status
from bridge.telemetry import without_secrets

_STYLES: dict[Status, str] = {"ok": "green", "warning": "yellow", "failing": "bold red"}
_NARROWEST = 100
"""Columns where no terminal says how many it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that was found and done."""

    findings: Sequence[Finding]
    repairs: Sequence[Repair] | None
    """None: nothing was to be repaired."""
    seconds: float = 0.0
    """How long it took to look at everything."""

    @property
    def status(self) -> Status:
        """The worst that was found; a repair that could not be made is failing."""
        if any(repair.error for repair in self.repairs or ()):
            return "failing"
        found = {finding.status for finding in self.findings}
        return "failing" if "failing" in found else "warning" if "warning" in found else "ok"

    @property
    def exit_status(self) -> int:
        """0 unless something is failing."""
        return int(self.status == "failing")


def as_json(report: Report, hide: Callable[[str], str]) -> str:
    """Return the report as one JSON object."""
    whole = {
        "status": report.status,
        "version": __version__,
        "seconds": round(report.seconds, 2),
        "checks": [
            {
                "name": finding.name,
                "status": finding.status,
                "sentence": finding.sentence,
                "remedy": finding.remedy,
                "details": finding.details,
                "figures": finding.figures,
            }
            for finding in report.findings
        ],
        "repairs": None
        if report.repairs is None
        else [
            {"name": each.name, "sentence": each.sentence, "mended": each.mended, "error": each.error}
            for each in report.repairs
        ],
    }
    return hide(msgspec.json.format(msgspec.json.encode(whole), indent=2).decode())


def show(report: Report, console: Console, hide: Callable[[str], str]) -> None:
    """Print the report for a person; words say everything that colours do."""
    if not console.is_terminal:
        console.width = max(console.width, _NARROWEST)
    table = Table(box=SIMPLE_HEAD, show_edge=False)
    table.add_column("check", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("what was found, and how to mend it", overflow="fold")
    for finding in report.findings:
        style = _STYLES[finding.status]
        table.add_row(finding.name, f"[{style}]{finding.status}[/]", escape(hide("\n".join(_lines(finding)))))
    console.print(table)
    for repair in report.repairs or ():
        error = f" {repair.error}" if repair.error else ""
        console.print(f"repaired  {repair.name}: {escape(hide(repair.sentence + error))}", highlight=False)
    console.print(_verdict(report), highlight=False)


def _lines(finding: Finding) -> Iterator[str]:
    yield finding.sentence
    yield from (f"- {detail}" for detail in finding.details)
    if finding.remedy:
        yield f"To mend: {finding.remedy}"


def _verdict(report: Report) -> str:
    counts = {
        status: sum(finding.status == status for finding in report.findings) for status in ("failing", "warning", "ok")
    }
    words = ", ".join(f"{number} {status}" for status, number in counts.items() if number)
    return f"[{_STYLES[report.status]}]{report.status}[/]: {words}"


def hider(config: Config | None) -> Callable[[str], str]:
    """Return what takes secrets out of a text: what looks like one, and every one that the configuration has."""
    known = sorted(_secrets(config), key=len, reverse=True) if config else []

    def hide(text: str) -> str:
        for secret in known:
            text = text.replace(secret, "[hidden]")
        return without_secrets(text)

    return hide


def _secrets(config: Config) -> set[str]:
    database, service = config.database, config.appservice
    found = {service.as_token, service.hs_token, service.module_secret, config.platform.key, config.assistant.api_key}
    found |= {issuer.secret for issuer in config.sessions.issuers}
    for url in (database.url, database.system_url, database.migration_url):
        password = _password(url)
        found |= {password, unquote(password)}
    return {secret for secret in found if len(secret) >= _SHORTEST}


_SHORTEST = 6
"""A shorter secret is none, and hiding every mention of its letters would hide the report."""


def _password(url: str | None) -> str:
    try:
        return urlsplit(url or "").password or ""
    except ValueError:
        return ""
