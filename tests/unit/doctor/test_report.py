"""The report: readable without colours, the same for machines, an exit status to go by, and no secret in it (row 9)."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from bridge.config import Config
from bridge.demo.credentials import Credentials
from bridge.demo.ports import Ports
from bridge.demo.settings import write_config
from bridge.doctor.repair import Repair
from bridge.doctor.report import Report, as_json, hider, show
from bridge.model.health import Finding, Status


def finding(status: Status, *, name: str = "lanes", sentence: str = "Nothing waits.") -> Finding:
    remedy = None if status == "ok" else "Do this."
    return Finding(name=name, status=status, sentence=sentence, remedy=remedy, details=("one [bold]thing[/]",))


def printed(report: Report, *, is_terminal: bool = False, config: Config | None = None) -> str:
    out = StringIO()
    colours = "truecolor" if is_terminal else "auto"
    show(report, Console(file=out, force_terminal=is_terminal, color_system=colours, width=80), hider(config))
    return out.getvalue()


@pytest.mark.parametrize(
    ("statuses", "worst", "exit_status"),
    [
        (["ok", "ok"], "ok", 0),
        (["ok", "warning"], "warning", 0),
        (["warning", "failing", "ok"], "failing", 1),
        ([], "ok", 0),
    ],
)
def test_only_what_is_failing_fails_the_command(statuses: list[Status], worst: str, exit_status: int) -> None:
    report = Report(findings=[finding(status) for status in statuses], repairs=None)
    assert (report.status, report.exit_status) == (worst, exit_status)


def test_a_repair_that_could_not_be_made_fails_the_command() -> None:
    repairs = [Repair(name="gaps", sentence="Not compared.", error="Synapse does not answer")]
    assert Report(findings=[finding("ok")], repairs=repairs).exit_status == 1


def test_words_say_what_colours_do() -> None:
    report = Report(findings=[finding("failing"), finding("warning", name="stray")], repairs=[])
    plain = printed(report)
    assert "\x1b" not in plain
    assert "\x1b[" in printed(report, is_terminal=True)
    for words in ("lanes", "failing", "stray", "warning", "To mend: Do this.", "failing: 1 failing, 1 warning"):
        assert words in plain
    assert "- one [bold]thing[/]" in plain, "what is found is no markup"


def test_machines_get_the_same() -> None:
    repairs = [Repair(name="counters", sentence="Mended.", mended=2)]
    found = json.loads(as_json(Report(findings=[finding("warning")], repairs=repairs, seconds=1.234), hider(None)))
    assert (found["status"], found["seconds"]) == ("warning", 1.23)
    assert found["checks"] == [
        {
            "name": "lanes", "status": "warning", "sentence": "Nothing waits.", "remedy": "Do this.",
            "details": ["one [bold]thing[/]"], "figures": {},
        }
    ]  # fmt: skip
    assert found["repairs"] == [{"name": "counters", "sentence": "Mended.", "mended": 2, "error": None}]


def test_no_secret_of_the_configuration_is_shown_wherever_it_turns_up(tmp_path: Path) -> None:
    ports, credentials = Ports.of(list(range(30000, 30007))), Credentials()
    config = write_config(tmp_path / "config.yaml", ports=ports, credentials=credentials, with_model=False)
    service = config.appservice
    secrets = [
        service.as_token, service.hs_token, service.module_secret, config.platform.key, credentials.bitnexus_app,
        credentials.bitnexus_system, credentials.bitnexus_owner, credentials.issuer_secret, "bxi_0123456789abcdef",
        config.database.url,
    ]  # fmt: skip
    report = Report(findings=[finding("failing", sentence=f"It said {' '.join(secrets)}.")], repairs=None)
    for text in (printed(report, config=config), as_json(report, hider(config))):
        unwrapped = text.replace("\n", "").replace(" ", "")
        assert [secret for secret in secrets if secret in unwrapped] == []
        assert "[hidden]" in text
