"""The composition root: the only file that builds adapters and joins them."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import asyncpg
import structlog

from bridge.actions.answer_message import AnswerMessage
from bridge.actions.apply_effect import ApplyEffect
from bridge.actions.erase_person import ErasePerson
from bridge.actions.handle_matrix_events import HandleMatrixEvents
from bridge.actions.keep_tenants import KeepTenants
from bridge.actions.offboard_tenant import RemoveOffboardedTenants
from bridge.actions.reconcile_tenant import ReconcileTenant
from bridge.actions.repair_gaps import RepairGaps
from bridge.actions.send_messages import SendMessages
from bridge.actions.settle_alliance import SettleAlliance
from bridge.actions.sweep_old_rows import SweepOldRows
from bridge.actions.tend_people import TendPeople
from bridge.config import Config
from bridge.db.bell import Bell
from bridge.db.connection import Pool
from bridge.db.database import PostgresDatabase
from bridge.db.gaps import GapStore
from bridge.db.health import HealthStore
from bridge.db.inbox import store_transaction
from bridge.db.lanes import LaneStore, mend_counters
from bridge.db.people import SessionStore
from bridge.db.presence import Presence
from bridge.db.schema import check_version, migrate
from bridge.draining import Stop, cancel, drain
from bridge.errors import ConfigError, DependencyDown, HomeserverRefused
from bridge.figures import Figures
from bridge.matrix.appservice import Store
from bridge.matrix.expiry import SynapseExpiry
from bridge.matrix.homeserver import SynapseHomeserver
from bridge.matrix.stream import SynapseStream
from bridge.model.event import InboxItems
from bridge.model.ids import UserID
from bridge.model.room import MatrixHouse
from bridge.outbound.assistant import OpenAiAssistant
from bridge.parts import expiry_of, homeserver_of, house_of, http_to_synapse, open_pools, stream_of
from bridge.ports import Queue
from bridge.serving import api_app, appservice_app, metrics_app, serve
from bridge.system import SystemClock
from bridge.watch import Watch
from bridge.worker import Worker, backoff_seconds, repeat

_log = structlog.stdlib.get_logger("bridge.app")

_SWEEP_SECONDS = 3600.0
_REMOVE_SECONDS = 10.0
_COUNT_SECONDS = 60.0


async def run(config: Config) -> None:
    """Run until SIGTERM or SIGINT; raises ConfigError or DependencyDown when it cannot start."""
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.ask)
    async with running_bridge(config, stop) as attached:
        _log.info("serving", address=config.http.public_address)
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({stopped, attached}, return_when=asyncio.FIRST_COMPLETED)
        if attached.done():
            attached.result()  # a mistake of ours ends the process, and whoever runs it starts it again
        await stopped
        _log.info("stopping")
    _log.info("stopped")


@asynccontextmanager
async def running_bridge(config: Config, stop: Stop) -> AsyncGenerator["asyncio.Task[None]", None]:
    """Run the bridge for as long as the block lasts, and yield the task that attaches it to Synapse.

    What is entered here last ends first: work in hand, then the main listener, then what they rest on.
    """
    async with AsyncExitStack() as stack:
        if config.database.migration_url is not None:
            _log.info("migrated", migrations=await migrate_database(config))
        size = config.database.max_connections
        app_pool, system_pool = await open_pools(config, stack, size=size, application_name="bitnexus-chat")
        await check_version(app_pool)
        house = house_of(config)
        ears = _Ears()
        bell = Bell(app_pool, config.database.url, ears.wake)
        presence = Presence(app_pool, config.database.url, ears.wake)
        database = PostgresDatabase(app_pool, system_pool, bots=house.bots, clock=SystemClock(), wake=bell.ring)
        http = await http_to_synapse(stack, timeout_seconds=config.homeserver.request_timeout_seconds)
        homeserver = homeserver_of(config, house, http, on_trouble=ears.notice_trouble)
        stream = stream_of(config, http)
        assistant = _assistant(config)
        stack.push_async_callback(assistant.close)

        await serve(stack, config.metrics.listen, metrics_app(), stop)
        store = _store(app_pool, bell, on_trouble=ears.notice_trouble)
        await serve(stack, config.appservice.listen, appservice_app(config, house, database, store), stop)
        names = dict.fromkeys(house.bots.all, "BitNexus") | {house.bots.assistant: assistant.name}
        lanes = LaneStore(app_pool, holder=presence.number)
        worker = ears.worker = _worker(
            config,
            house=house,
            database=database,
            homeserver=homeserver,
            expiry=expiry_of(config, http),
            assistant=assistant,
            lanes=lanes,
        )
        watch = ears.watch = _watch(config, stream, homeserver, app_pool, lanes, wake=worker.wake_all)
        figures = Figures(backlog=HealthStore(system_pool).backlog, ends=stream.present)
        sessions = SessionStore(app_pool, system_pool)
        sweep = SweepOldRows(database=database, sessions=sessions, clock=SystemClock())
        remove_tenants = RemoveOffboardedTenants(database=database, house=house, clock=SystemClock())
        keep_tenants = KeepTenants(
            database=database,
            verify_seconds=config.reconcile.verify_seconds,
            look_seconds=config.reconcile.look_seconds,
        )
        _keep_running(
            stack,
            {
                "sweep": repeat("sweep", sweep, every_seconds=_SWEEP_SECONDS),
                "remove tenants": repeat("remove tenants", remove_tenants, every_seconds=_REMOVE_SECONDS),
                "keep tenants": repeat("keep tenants", keep_tenants, every_seconds=config.reconcile.look_seconds),
                "count lanes": repeat(
                    "count lanes", partial(mend_counters, app_pool, system_pool), every_seconds=_COUNT_SECONDS
                ),
                "watch Synapse": watch.run(),
                "read figures": figures.run(),
                "tell other processes": bell.tell(),
                "listen to other processes": bell.listen(),
                "show that we are there": presence.show(),
                "watch who is there": presence.watch(),
            },
        )
        attached = asyncio.create_task(_attach(homeserver, worker, names), name="attach to Synapse")
        stack.push_async_callback(cancel, [attached])

        async def is_synapse_ready() -> bool:
            return attached.done() and await homeserver.is_ready()

        probes = {"postgresql": database.is_ready, "synapse": is_synapse_ready}
        api = api_app(config, house, database, homeserver, sessions, probes=probes, stop=stop)
        await serve(stack, config.http.listen, api, stop)

        def abandon() -> None:
            app_pool.terminate()
            system_pool.terminate()

        stack.push_async_callback(_drain, stop, attached, worker, config, abandon=abandon)
        yield attached


async def migrate_database(config: Config) -> list[str]:
    """Bring the database up to this version and return what was applied; raises ConfigError or DependencyDown."""
    if config.database.migration_url is None:
        raise ConfigError("setting 'database.migration_url' is missing: migrations run as the owner of the database")
    try:
        return await migrate(config.database.migration_url)
    except (OSError, asyncpg.PostgresError) as error:
        raise DependencyDown(f"cannot migrate the database: {error}") from error


@dataclass(slots=True)
class _Ears:
    """Who hears of work and of trouble: parts that are made after those that tell of it."""

    worker: Worker | None = None
    watch: Watch | None = None

    def wake(self, queue: Queue) -> None:
        if self.worker is not None:
            self.worker.wake(queue)

    def notice_trouble(self) -> None:
        if self.watch is not None:
            self.watch.notice_trouble()


def _watch(
    config: Config,
    stream: SynapseStream,
    homeserver: SynapseHomeserver,
    pool: Pool,
    lanes: LaneStore,
    *,
    wake: Callable[[], None],
) -> Watch:
    async def hurry() -> None:
        await lanes.hurry()
        wake()

    return Watch(
        stream=stream,
        ping=homeserver.ping,
        repair=RepairGaps(stream=stream, gaps=GapStore(pool)),
        hurry=hurry,
        clock=SystemClock(),
        watch_seconds=config.repair.watch_seconds,
        interval_seconds=config.repair.interval_seconds,
    )


def _assistant(config: Config) -> OpenAiAssistant:
    settings = config.assistant
    return OpenAiAssistant(
        name=settings.name,
        base_url=settings.base_url,
        api_key=settings.api_key,
        model=settings.model,
        instructions=settings.instructions,
        timeout_seconds=settings.timeout_seconds,
        max_tokens=settings.max_tokens,
    )


def _worker(
    config: Config,
    *,
    house: MatrixHouse,
    database: PostgresDatabase,
    homeserver: SynapseHomeserver,
    expiry: SynapseExpiry,
    assistant: OpenAiAssistant,
    lanes: LaneStore,
) -> Worker:
    answer = AnswerMessage(database=database, homeserver=homeserver, assistant=assistant, clock=SystemClock())
    erase = ErasePerson(database=database, homeserver=homeserver, house=house)
    apply = ApplyEffect(database=database, homeserver=homeserver)
    settle = SettleAlliance(database=database, house=house)
    return Worker(
        lanes=lanes,
        actions={
            "inbox": HandleMatrixEvents(database=database, house=house),
            "outbox": SendMessages(database=database, homeserver=homeserver, answer=answer, clock=SystemClock()),
            "reconcile": ReconcileTenant(
                database=database, homeserver=homeserver, house=house, apply=apply, clock=SystemClock()
            ),
            "people": TendPeople(
                database=database, homeserver=homeserver, expiry=expiry, house=house, erase=erase, settle=settle
            ),
        },
        concurrency=config.worker.concurrency,
        lease_seconds=config.worker.lease_seconds,
        poll_seconds=config.worker.poll_seconds,
    )


def _store(pool: Pool, bell: Bell, *, on_trouble: Callable[[], None]) -> Store:
    async def store(items: InboxItems, unparsable: Sequence[tuple[str, str]]) -> int:
        try:
            new = await store_transaction(pool, items, unparsable)
        except DependencyDown:
            on_trouble()  # Synapse waits longer and longer now, until it is pinged
            raise
        if new:
            bell.ring("inbox")
        return new

    return store


async def _attach(homeserver: SynapseHomeserver, worker: Worker, names: dict[UserID, str]) -> None:
    """Make our bots and begin to work; try until Synapse is there."""
    attempts = 0
    while True:
        try:
            await homeserver.prepare_bots(names)
            break
        except (DependencyDown, HomeserverRefused) as error:
            _log.warning("not attached to Synapse yet: is it up, with our registration?", error=error.sentence)
            await asyncio.sleep(backoff_seconds(min(attempts, 1)))
            attempts += 1
    worker.start()
    _log.info("attached to Synapse")


def _keep_running(stack: AsyncExitStack, chores: Mapping[str, Coroutine[None, None, None]]) -> None:
    """Run chores beside everything else, until the stack closes."""
    stack.push_async_callback(cancel, [asyncio.create_task(chore, name=name) for name, chore in chores.items()])


async def _drain(
    stop: Stop, attached: "asyncio.Task[None]", worker: Worker, config: Config, *, abandon: Callable[[], None]
) -> None:
    """Claim no more and end what is in hand, while the listeners still serve."""
    stop.begin()
    await cancel([attached])
    await drain(
        stop,
        lambda seconds: worker.stop(drain_seconds=seconds),
        abandon=abandon,
        drain_seconds=config.worker.drain_seconds,
        leave_seconds=config.http.drain_seconds,
    )
