"""The command ``bitnexus-chat doctor``."""

import asyncio
import logging
import sys
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from bridge.config import Config, load_config
from bridge.doctor.examine import examine
from bridge.doctor.repair import Repair, Tell, repair
from bridge.doctor.report import Report, as_json, hider, show
from bridge.errors import ConfigError
from bridge.model.health import Finding


def run_doctor(config_path: Path, *, json: bool, mend: bool) -> int:
    """Look at everything, mend what ``mend`` asks for, print what was found; 1 when something is failing."""
    logging.disable()  # a library's warning in the middle of the report says nothing that a check does not
    progress = Console(stderr=True)
    try:
        config = load_config(config_path)
    except ConfigError as error:
        return _print(Report(findings=[_unreadable(error)], repairs=None), None, json=json)
    with progress.status("Looking at everything") as status:
        report = asyncio.run(make_report(config, mend=mend, tell=status.update))
    standing = Finding(name="configuration", status="ok", sentence=f"{config_path} can be read.")
    return _print(replace(report, findings=[standing, *report.findings]), config, json=json)


async def make_report(config: Config, *, mend: bool, tell: Tell) -> Report:
    """Repair, if that is asked for, then look at everything; ``tell`` shows how far it is."""
    repairs: list[Repair] | None = None
    if mend:
        repairs = await repair(config, tell)
        tell("Looking at everything")
    began = time.monotonic()
    findings = await examine(config)
    return Report(findings=findings, repairs=repairs, seconds=time.monotonic() - began)


def _print(report: Report, config: Config | None, *, json: bool) -> int:
    hide = hider(config)
    if json:
        sys.stdout.write(as_json(report, hide) + "\n")
    else:
        show(report, Console(), hide)
    return report.exit_status


def _unreadable(error: ConfigError) -> Finding:
    return Finding(
        name="configuration",
        status="failing",
        sentence=f"The configuration cannot be used: {error.sentence}.",
        remedy="Mend this setting; config.example.yaml explains each one. Nothing else was looked at.",
    )
