"""Plan a file of tenants, ask, apply it, and tell how it ended."""

import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.prompt import Confirm
from rich.text import Text

from bridge.actions.plan_wish import WholeWish, WishPlan
from bridge.config import Config, load_config
from bridge.errors import InvalidInput
from bridge.model.ids import TenantID
from bridge.planning.apply import Application, Outcome
from bridge.planning.desk import Desk, open_desk
from bridge.planning.file import read_tenants, with_place
from bridge.planning.show import as_json, hash_of, show_plans

CHANGES = 2
"""The exit status of ``plan --detailed-exitcode`` when there is something to do."""

_WIDEST = 10_000  # where no terminal says how wide it is, a line of a plan stays one line


def run_plan(config_path: Path, file: Path, *, json: bool, detailed: bool) -> int:
    """Print what the file would change; with ``detailed`` the status tells whether that is anything."""
    logging.disable()  # a library's warning in the middle of a plan is no part of it
    plans = asyncio.run(_make_plans(load_config(config_path), file))
    if json:
        sys.stdout.write(as_json(plans) + "\n")
    else:
        show_plans(plans, _console())
    has_changes = not all(plan.is_empty for plan in plans)
    return CHANGES if detailed and has_changes else 0


def run_apply(config_path: Path, file: Path, *, is_confirmed: bool, wanted_hash: str | None) -> int:
    """Show the plan, ask unless it was confirmed, store the wishes and watch them done; 0 when everything stands."""
    logging.disable()  # as above
    console = _console()
    try:
        return asyncio.run(
            _show_ask_and_apply(
                load_config(config_path), file, console, is_confirmed=is_confirmed, wanted_hash=wanted_hash
            )
        )
    except KeyboardInterrupt:
        console.print("Stopped watching. What is stored goes on; the same command again watches it.", style="yellow")
        return 130


def run_verify(config_path: Path, tenant_ids: Sequence[TenantID]) -> int:
    """Have every room of tenants read and mended, of all when none is named; 0 when everything stands."""
    logging.disable()  # as above
    console = _console()
    try:
        return asyncio.run(_verify(load_config(config_path), tenant_ids, console))
    except KeyboardInterrupt:
        console.print("Stopped watching. What was asked for goes on.", style="yellow")
        return 130


async def _verify(config: Config, tenant_ids: Sequence[TenantID], console: Console) -> int:
    async with open_desk(config) as desk:
        outcomes = await Application(desk=desk, console=console).verify(tenant_ids)
    for outcome in outcomes:
        if outcome.made:
            console.print(Text(f"{outcome.tenant_id}: {outcome.made} effects mended what differed", style="yellow"))
    return _tell(outcomes, console, done=f"Done: {len(outcomes)} tenants were read, and everything stands.")


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else _WIDEST)


async def _make_plans(config: Config, path: Path) -> list[WishPlan]:
    wishes = read_tenants(path)
    async with open_desk(config) as desk:
        return await _plans_of(desk, wishes, path)


async def _plans_of(desk: Desk, wishes: Sequence[WholeWish], path: Path) -> list[WishPlan]:
    plans: list[WishPlan] = []
    for index, wish in enumerate(wishes):
        try:
            plans.append(await desk.plan_wish(wish))
        except InvalidInput as error:
            raise with_place(error, path, index) from None
    return plans


async def _show_ask_and_apply(
    config: Config, file: Path, console: Console, *, is_confirmed: bool, wanted_hash: str | None
) -> int:
    wishes = read_tenants(file)
    async with open_desk(config) as desk:
        plans = await _plans_of(desk, wishes, file)
        show_plans(plans, console)
        if all(plan.is_empty for plan in plans):
            return 0
        if refusal := _refusal(plans, is_confirmed=is_confirmed, wanted_hash=wanted_hash):
            console.print(Text(refusal, style="bold red"), soft_wrap=True)
            return 1
        outcomes = await Application(desk=desk, console=console).run(wishes, plans)
    return _tell(outcomes, console, done="Done: everything stands as the file says.")


def _refusal(plans: Sequence[WishPlan], *, is_confirmed: bool, wanted_hash: str | None) -> str | None:
    """Return why nothing is done; None when it was confirmed."""
    if wanted_hash is not None:
        if wanted_hash != hash_of(plans):
            return "This is not the plan with that hash: something has changed since. Nothing was done."
        return None
    if any(plan.takes_out_many for plan in plans):
        return "So many people would go that a hash is needed: give --plan with the one above. Nothing was done."
    if is_confirmed:
        return None
    if not sys.stdin.isatty():
        return "Nobody is there to ask: give --yes, or --plan with the hash above. Nothing was done."
    return None if Confirm.ask("Do this?", default=False) else "Nothing was done."


def _tell(outcomes: Sequence[Outcome], console: Console, *, done: str) -> int:
    """Say how it ended; 0 only when everything stands."""
    for outcome in outcomes:
        if outcome.is_done:
            continue
        reason = outcome.error or f"{outcome.left} effects are still to be made"
        console.print(Text(f"{outcome.tenant_id}: {reason}", style="bold red"), soft_wrap=True)
        for effect in outcome.failed:
            about = " ".join(part for part in (effect.target.room_key, effect.target.user_id) if part)
            console.print(Text(f"  - {effect.target.kind} {about}: {effect.error}", style="red"), soft_wrap=True)
    if all(outcome.is_done for outcome in outcomes):
        console.print(Text(done, style="green"))
        return 0
    return 1
