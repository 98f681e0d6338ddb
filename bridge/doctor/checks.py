"""The checks, each a question and what its answer means; what to look at next goes into this list."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bridge.db.health import applied_migrations, role_of
from bridge.db.schema import migrations
from bridge.doctor.gaps import measure_gaps
from bridge.doctor.instruments import Instruments
from bridge.errors import DependencyDown
from bridge.matrix.homeserver import BOT_DEVICE
from bridge.matrix.probe import MODULE_FIELDS
from bridge.model.health import Finding
from bridge.outbound.bridge_probe import look_at_bridge
from bridge.policy import health, health_parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that is looked at: not before those in ``after``, and not at all when one of ``needs`` fails."""

    name: str
    look: Callable[[Instruments], Awaitable[Finding]]
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


async def _postgresql(use: Instruments) -> Finding:
    database = await use.open_database()
    async with database.app.acquire() as connection:
        version = (await connection.fetchval("SHOW server_version")).split()[0]
    bridges = await database.store.processes()
    return Finding(
        name="postgresql",
        status="ok",
        sentence=f"PostgreSQL {version} answers both roles; bridges connected: {bridges}.",
        figures={"version": version, "bridges": bridges},
    )


async def _migrations(use: Instruments) -> Finding:
    known = {step.number: step.name for step in migrations()}
    return health_parts.judge_migrations(await applied_migrations(use.database.app), known)


async def _roles(use: Instruments) -> Finding:
    return health_parts.judge_roles([await role_of(use.database.app), await use.database.store.role()])


async def _synapse(use: Instruments) -> Finding:
    answer = await use.synapse.versions()
    if "versions" not in answer.body:
        raise DependencyDown(f"what answers at {use.config.homeserver.address} is no Matrix homeserver")
    sentence = f"Synapse answers at {use.config.homeserver.address}."
    return Finding(name="synapse", status="ok", sentence=sentence)


async def _registration(use: Instruments) -> Finding:
    creator = use.house.bots.creator
    return health_parts.judge_registration(await use.synapse.whoami(creator), creator)


async def _bots(use: Instruments) -> Finding:
    bots = [await use.synapse.bot(bot) for bot in sorted(use.house.bots.all)]
    return health_parts.judge_bots(bots, BOT_DEVICE)


async def _module(use: Instruments) -> Finding:
    return health_parts.judge_module(await use.synapse.module(), MODULE_FIELDS)


async def _bridge(use: Instruments) -> Finding:
    listen = use.config.http.listen
    use.bridge = await look_at_bridge(use.http, listen.host, listen.port)
    return health_parts.judge_bridge(use.bridge)


async def _ping(use: Instruments) -> Finding:
    answer = await use.synapse.ping(use.house.bots.creator)
    return health_parts.judge_ping(answer, address=use.config.appservice.address, is_running=use.is_running)


async def _lanes(use: Instruments) -> Finding:
    return health.judge_lanes(await use.database.store.queues())


async def _faults(use: Instruments) -> Finding:
    return health.judge_faults(await use.database.store.troubled_lanes())


async def _counters(use: Instruments) -> Finding:
    return health.judge_counters(await use.database.store.drifted_lanes())


async def _dead_letters(use: Instruments) -> Finding:
    return health.judge_dead_letters(await use.database.store.dead_letters(newest=health.NEWEST))


async def _reconciles(use: Instruments) -> Finding:
    return health.judge_reconciles(await use.database.store.failed_reconciles())


async def _power(use: Instruments) -> Finding:
    bots = use.house.bots
    return health.judge_power(await use.database.store.weak_rooms(bots), bots.creator)


async def _quarantine(use: Instruments) -> Finding:
    return health.judge_quarantine(await use.database.store.quarantined(newest=health.NEWEST))


async def _stray(use: Instruments) -> Finding:
    return health.judge_stray(await use.database.store.stray(rooms=health.NEWEST))


async def _gaps(use: Instruments) -> Finding:
    found = await measure_gaps(use.database, use.stream)
    return health.judge_gaps(found, is_running=use.is_running, interval_seconds=use.config.repair.interval_seconds)


_TABLES = ("postgresql", "migrations")

CHECKS: Sequence[Check] = (
    Check(name="postgresql", look=_postgresql),
    Check(name="migrations", look=_migrations, needs=("postgresql",)),
    Check(name="roles", look=_roles, needs=("postgresql",)),
    Check(name="synapse", look=_synapse),
    Check(name="registration", look=_registration, needs=("synapse",)),
    Check(name="bots", look=_bots, needs=("registration",)),
    Check(name="module", look=_module, needs=("synapse",)),
    Check(name="bridge", look=_bridge),
    Check(name="ping", look=_ping, needs=("registration",), after=("bridge",)),
    Check(name="lanes", look=_lanes, needs=_TABLES),
    Check(name="faults", look=_faults, needs=_TABLES),
    Check(name="counters", look=_counters, needs=_TABLES),
    Check(name="dead_letters", look=_dead_letters, needs=_TABLES),
    Check(name="reconciles", look=_reconciles, needs=_TABLES),
    Check(name="power", look=_power, needs=_TABLES),
    Check(name="quarantine", look=_quarantine, needs=_TABLES),
    Check(name="stray", look=_stray, needs=_TABLES),
    Check(name="gaps", look=_gaps, needs=(*_TABLES, "module"), after=("bridge",)),
)
