"""The commands ``bitnexus-chat plan``, ``apply`` and ``verify``, as the command line has them."""

import argparse
from pathlib import Path

from bridge.model.ids import parse_tenant_id


def plan_parser(command: argparse.ArgumentParser) -> None:
    """Make a parser that of ``plan``."""
    command.add_argument("file", type=Path, metavar="tenants.yaml", help="the tenants as they shall be")
    command.add_argument("--json", action="store_true", help="print one JSON object, for machines")
    command.add_argument(
        "--detailed-exitcode", action="store_true", help="exit with 0 when nothing is to do, with 2 when something is"
    )
    command.set_defaults(command=_plan)


def apply_parser(command: argparse.ArgumentParser) -> None:
    """Make a parser that of ``apply``."""
    command.add_argument("file", type=Path, metavar="tenants.yaml", help="the tenants as they shall be")
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.add_argument("--plan", metavar="HASH", help="do not ask, and do exactly the plan with this hash or nothing")
    command.set_defaults(command=_apply)


def verify_parser(command: argparse.ArgumentParser) -> None:
    """Make a parser that of ``verify``."""
    command.add_argument("tenants", nargs="*", metavar="TENANT", help="ids of tenants; none for all")
    command.set_defaults(command=_verify)


def _plan(options: argparse.Namespace) -> int:
    # here, so that no other command waits for what only this one imports
    from bridge.planning.run import run_plan

    return run_plan(options.config, options.file, json=options.json, detailed=options.detailed_exitcode)


def _apply(options: argparse.Namespace) -> int:
    # here, as above
    from bridge.planning.run import run_apply

    return run_apply(options.config, options.file, is_confirmed=options.yes, wanted_hash=options.plan)


def _verify(options: argparse.Namespace) -> int:
    # here, as above
    from bridge.planning.run import run_verify

    return run_verify(options.config, [parse_tenant_id(found, path="TENANT") for found in options.tenants])
