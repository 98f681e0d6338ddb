"""What plan and apply work with: the database and the actions on it; a running bridge does the work in Matrix."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from bridge.actions.plan_tenant import PlanTenant
from bridge.actions.plan_wish import PlanWish
from bridge.actions.replace_members import ReplaceMembers
from bridge.actions.show_tenant import ShowJob
from bridge.actions.upsert_tenant import UpsertTenant
from bridge.actions.verify_tenants import VerifyTenants
from bridge.config import Config
from bridge.db.bell import Bell
from bridge.db.database import PostgresDatabase
from bridge.db.schema import check_version
from bridge.parts import house_of, open_pools
from bridge.ports import Queue
from bridge.system import SystemClock, SystemEntropy


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The actions that an operator's file goes through."""

    plan_wish: PlanWish
    upsert_tenant: UpsertTenant
    replace_members: ReplaceMembers
    plan_tenant: PlanTenant
    show_job: ShowJob
    verify_tenants: VerifyTenants


@asynccontextmanager
async def open_desk(config: Config) -> AsyncGenerator[Desk, None]:
    """Open the database for as long as the block lasts; running bridges hear of work at once."""
    async with AsyncExitStack() as stack:
        app, system = await open_pools(config, stack, size=3, application_name="bitnexus-plan")
        await check_version(app)
        house = house_of(config)
        bell = Bell(app, config.database.url, _nobody_here_works)
        telling = asyncio.create_task(bell.tell(), name="tell the bridges")
        stack.push_async_callback(_cancel, telling)
        database = PostgresDatabase(app, system, bots=house.bots, clock=SystemClock(), wake=bell.ring)
        limit = config.platform.max_removal_percent
        yield Desk(
            plan_wish=PlanWish(database=database, house=house, max_removal_percent=limit),
            upsert_tenant=UpsertTenant(database=database, house=house),
            replace_members=ReplaceMembers(
                database=database,
                house=house,
                entropy=SystemEntropy(human_prefix=config.appservice.human_prefix),
                max_removal_percent=limit,
            ),
            plan_tenant=PlanTenant(database=database, house=house),
            show_job=ShowJob(database=database),
            verify_tenants=VerifyTenants(database=database),
        )


def _nobody_here_works(_queue: Queue) -> None:
    """There is no worker in this process."""


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
