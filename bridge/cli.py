"""The command line: what an operator types."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from ruamel.yaml import YAML

from bridge import __version__
from bridge.api.openapi import openapi_document
from bridge.api.routes import ROUTES
from bridge.config import load_config
from bridge.demo.command import run_demo
from bridge.errors import BitnexusError
from bridge.planning.command import apply_parser, plan_parser, verify_parser
from bridge.registration import write_registration
from bridge.telemetry import set_up_logging

DEFAULT_PORT_BASE = 29300


def run_command(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status: 0 only on success, 1 when it failed, 2 for a wrong call."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.command(options)
    except BitnexusError as error:
        print(f"bitnexus-chat: {error.sentence}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bitnexus-chat", description="Multi-tenant chat on Matrix.")
    parser.add_argument("--version", action="version", version=f"bitnexus-chat {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    config = argparse.ArgumentParser(add_help=False)
    config.add_argument("--config", type=Path, default=Path("config.yaml"), help="default: config.yaml")

    command = commands.add_parser("run", parents=[config], help="run the application service")
    command.set_defaults(command=_run)

    command = commands.add_parser("migrate", parents=[config], help="bring the database up to this version")
    command.set_defaults(command=_migrate)

    command = commands.add_parser(
        "registration", parents=[config], help="write the registration and Synapse's settings"
    )
    command.add_argument("--output", type=Path, default=Path("registration.yaml"), help="the registration's file")
    command.add_argument("--synapse-settings", type=Path, required=True, help="the file of settings for Synapse")
    command.set_defaults(command=_registration)

    command = commands.add_parser(
        "doctor", parents=[config], help="look at everything, say what is wrong and how to mend it"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object, for machines")
    command.add_argument(
        "--repair", action="store_true", help="compare with Synapse now and take in what never came; count lanes anew"
    )
    command.set_defaults(command=_doctor)

    plan_parser(commands.add_parser("plan", parents=[config], help="show what a file of tenants would change"))
    apply_parser(
        commands.add_parser("apply", parents=[config], help="make tenants what a file says, and watch it done")
    )

    verify_parser(
        commands.add_parser("verify", parents=[config], help="have every room read, and mended where it differs")
    )

    command = commands.add_parser("openapi", help="print the OpenAPI document as YAML")
    command.set_defaults(command=_openapi)

    command = commands.add_parser("demo", help="run everything on an embedded default, on 127.0.0.1")
    command.add_argument("--dir", type=Path, default=None, help="where the demo keeps its data (default: .demo)")
    command.add_argument("--port-base", type=int, default=DEFAULT_PORT_BASE, help=f"default: {DEFAULT_PORT_BASE}")
    command.add_argument("--detach", action="store_true", help="return when ready")
    command.add_argument("--stop", action="store_true", help="stop a demo that runs")
    command.set_defaults(command=_demo)
    return parser


def _run(options: argparse.Namespace) -> int:
    # here, so that no other command waits for what only the service imports
    from bridge.app import run

    config = load_config(options.config)
    set_up_logging(config.logging.level, config.logging.format)
    asyncio.run(run(config))
    return 0


def _migrate(options: argparse.Namespace) -> int:
    # here, as above
    from bridge.app import migrate_database

    names = asyncio.run(migrate_database(load_config(options.config)))
    print("\n".join(names) if names else "The database is up to date.")
    return 0


def _registration(options: argparse.Namespace) -> int:
    write_registration(load_config(options.config), options.output, options.synapse_settings)
    print(f"Wrote {options.output} and {options.synapse_settings}; both hold secrets.")
    return 0


def _doctor(options: argparse.Namespace) -> int:
    # here, as above
    from bridge.doctor.command import run_doctor

    return run_doctor(options.config, json=options.json, mend=options.repair)


def _openapi(_options: argparse.Namespace) -> int:
    text = StringIO()
    yaml = YAML()
    yaml.width = 110
    yaml.representer.ignore_aliases = _never_alias
    yaml.dump(openapi_document(ROUTES), text)  # pyright: ignore[reportUnknownMemberType] - ruamel.yaml is untyped here
    print(text.getvalue(), end="")
    return 0


def _never_alias(_data: object) -> bool:
    """Have every schema reference spelt out."""
    return True


def _demo(options: argparse.Namespace) -> int:
    return run_demo(options.dir, options.port_base, detach=options.detach, stop=options.stop)
