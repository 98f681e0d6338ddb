"""The composition root: the only file that builds adapters and joins them."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import asyncpg
import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from bridge.actions.answer_message import AnswerMessage
from bridge.actions.apply_effect import ApplyEffect
from bridge.actions.change_integration_keys import CreateIntegrationKey, ListIntegrationKeys, RevokeIntegrationKey
from bridge.actions.change_role import ChangeRole
from bridge.actions.change_rooms import AddRoom, ArchiveRoom, ChangeRoom
from bridge.actions.decide_login import DecideLogin
from bridge.actions.explain_membership import ExplainMembership
from bridge.actions.handle_matrix_events import HandleMatrixEvents
from bridge.actions.offboard_tenant import OffboardTenant, RemoveOffboardedTenants
from bridge.actions.open_ai_room import OpenAiRoom
from bridge.actions.open_session import CloseSession, OpenSession
from bridge.actions.plan_tenant import PlanTenant
from bridge.actions.put_member import PutMember
from bridge.actions.put_person import PutPerson
from bridge.actions.reconcile_tenant import ReconcileTenant
from bridge.actions.relay_event import PreviewEvent, RelayEvent, ShowDelivery
from bridge.actions.remove_member import RemoveMember
from bridge.actions.repair_gaps import RepairGaps
from bridge.actions.replace_members import ReplaceMembers
from bridge.actions.send_messages import SendMessages
from bridge.actions.show_tenant import ListTenants, RequestReconcile, ShowJob, ShowPerson, ShowTenant
from bridge.actions.sweep_old_rows import SweepOldRows
from bridge.actions.upsert_tenant import UpsertTenant
from bridge.api.auth import Authenticator
from bridge.api.call import Actions
from bridge.api.server import build_api
from bridge.api.tokens import JwtVerifier, TrustedIssuer
from bridge.config import Config, Listener
from bridge.db.bell import Bell
from bridge.db.connection import Pool, open_pool
from bridge.db.database import PostgresDatabase
from bridge.db.gaps import GapStore
from bridge.db.inbox import store_transaction
from bridge.db.lanes import LaneStore
from bridge.db.people import SessionStore
from bridge.db.schema import check_version, migrate
from bridge.errors import ConfigError, DependencyDown, HomeserverRefused
from bridge.matrix.appservice import AppserviceEndpoints, Store
from bridge.matrix.appservice import render_errors as render_appservice_errors
from bridge.matrix.homeserver import SynapseHomeserver, obey_rate_limit
from bridge.matrix.stream import SynapseStream
from bridge.model.event import InboxItems
from bridge.model.ids import UserID
from bridge.model.room import Bots, MatrixHouse
from bridge.outbound.assistant import OpenAiAssistant
from bridge.ports import Queue
from bridge.system import SystemClock, SystemEntropy
from bridge.watch import Watch
from bridge.worker import Worker, backoff_seconds, repeat

_log = structlog.stdlib.get_logger("bridge.app")

_SWEEP_SECONDS = 3600.0
_REMOVE_SECONDS = 10.0


def house_of(config: Config) -> MatrixHouse:
    """Return the facts about the homeserver that rooms are laid out with."""
    names, server = config.appservice, config.homeserver.server_name
    return MatrixHouse(
        server_name=server,
        room_version=config.homeserver.room_version,
        bots=Bots(
            creator=UserID(f"@{names.sender_localpart}:{server}"),
            keeper=UserID(f"@{names.keeper_localpart}:{server}"),
            relay=UserID(f"@{names.relay_localpart}:{server}"),
            assistant=UserID(f"@{names.assistant_localpart}:{server}"),
        ),
    )


async def run(config: Config) -> None:
    """Run until SIGTERM or SIGINT; raises ConfigError or DependencyDown when it cannot start."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running_bridge(config) as attached:
        _log.info("serving", address=config.http.public_address)
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({stopped, attached}, return_when=asyncio.FIRST_COMPLETED)
        if attached.done():
            attached.result()  # a mistake of ours ends the process, and whoever runs it starts it again
        await stopped
        _log.info("stopping")


@asynccontextmanager
async def running_bridge(config: Config) -> AsyncGenerator["asyncio.Task[None]", None]:
    """Run the bridge for as long as the block lasts, and yield the task that attaches it to Synapse."""
    async with AsyncExitStack() as stack:
        if config.database.migration_url is not None:
            _log.info("migrated", migrations=await migrate_database(config))
        app_pool, system_pool = await _pools(config, stack)
        await check_version(app_pool)
        house = house_of(config)
        ears = _Ears()
        bell = Bell(app_pool, config.database.url, ears.wake)
        database = PostgresDatabase(app_pool, system_pool, bots=house.bots, clock=SystemClock(), wake=bell.ring)
        http = await _http_to_synapse(config, stack)
        homeserver = _homeserver(config, house, http, on_trouble=ears.notice_trouble)
        assistant = _assistant(config)
        stack.push_async_callback(assistant.close)

        store = _store(app_pool, bell, on_trouble=ears.notice_trouble)
        await _serve(stack, config.appservice.listen, _appservice_app(config, house, database, store))
        names = dict.fromkeys(house.bots.all, "BitNexus") | {house.bots.assistant: assistant.name}
        lanes = LaneStore(app_pool)
        worker = ears.worker = _worker(
            config, house=house, database=database, homeserver=homeserver, assistant=assistant, lanes=lanes
        )
        watch = ears.watch = _watch(config, http, homeserver, app_pool, lanes, wake=worker.wake_all)
        attached = asyncio.create_task(_attach(homeserver, worker, names), name="attach to Synapse")
        stack.push_async_callback(_stop, attached, worker, config.worker.drain_seconds)
        sweep = SweepOldRows(database=database, sessions=SessionStore(app_pool), clock=SystemClock())
        remove_tenants = RemoveOffboardedTenants(database=database, house=house, clock=SystemClock())
        _keep_running(
            stack,
            {
                "sweep": repeat("sweep", sweep, every_seconds=_SWEEP_SECONDS),
                "remove tenants": repeat("remove tenants", remove_tenants, every_seconds=_REMOVE_SECONDS),
                "watch Synapse": watch.run(),
                "tell other processes": bell.tell(),
                "listen to other processes": bell.listen(),
            },
        )
        await _serve(stack, config.metrics.listen, _metrics_app())
        api = _api_app(config, house, database, homeserver, app_pool, is_attached=attached.done)
        await _serve(stack, config.http.listen, api)
        yield attached


async def migrate_database(config: Config) -> list[str]:
    """Bring the database up to this version and return what was applied; raises ConfigError or DependencyDown."""
    if config.database.migration_url is None:
        raise ConfigError("setting 'database.migration_url' is missing: migrations run as the owner of the database")
    try:
        return await migrate(config.database.migration_url)
    except (OSError, asyncpg.PostgresError) as error:
        raise DependencyDown(f"cannot migrate the database: {error}") from error


async def _pools(config: Config, stack: AsyncExitStack) -> tuple[Pool, Pool]:
    """Open the application's pool and the narrow one across tenants."""
    size = config.database.max_connections
    pools = [
        await open_pool(config.database.url, size=size, application_name="bitnexus-chat"),
        await open_pool(config.database.system_url, size=max(2, size // 3), application_name="bitnexus-chat-system"),
    ]
    for pool in pools:
        stack.push_async_callback(pool.close)
    return pools[0], pools[1]


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


async def _http_to_synapse(config: Config, stack: AsyncExitStack) -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(total=config.homeserver.request_timeout_seconds)
    # no limit of its own: the worker's concurrency is the limit
    session = aiohttp.ClientSession(
        timeout=timeout, connector=aiohttp.TCPConnector(limit=0), middlewares=(obey_rate_limit,)
    )
    return await stack.enter_async_context(session)


def _homeserver(
    config: Config, house: MatrixHouse, http: aiohttp.ClientSession, *, on_trouble: Callable[[], None]
) -> SynapseHomeserver:
    return SynapseHomeserver(
        http,
        config.homeserver.address,
        config.appservice.as_token,
        house,
        appservice_id=config.appservice.id,
        on_trouble=on_trouble,
    )


def _watch(
    config: Config,
    http: aiohttp.ClientSession,
    homeserver: SynapseHomeserver,
    pool: Pool,
    lanes: LaneStore,
    *,
    wake: Callable[[], None],
) -> Watch:
    stream = SynapseStream(http, config.homeserver.address, config.appservice.module_secret)

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
    assistant: OpenAiAssistant,
    lanes: LaneStore,
) -> Worker:
    answer = AnswerMessage(database=database, homeserver=homeserver, assistant=assistant, clock=SystemClock())
    apply = ApplyEffect(database=database, homeserver=homeserver)
    return Worker(
        lanes=lanes,
        actions={
            "inbox": HandleMatrixEvents(database=database, house=house),
            "outbox": SendMessages(database=database, homeserver=homeserver, answer=answer, clock=SystemClock()),
            "reconcile": ReconcileTenant(
                database=database, homeserver=homeserver, house=house, apply=apply, clock=SystemClock()
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


def _appservice_app(config: Config, house: MatrixHouse, database: PostgresDatabase, store: Store) -> web.Application:
    app = web.Application(middlewares=[render_appservice_errors], client_max_size=config.appservice.max_body_bytes)
    decide_login = DecideLogin(database=database, bots=house.bots, human_prefix=config.appservice.human_prefix)
    AppserviceEndpoints(
        hs_token=config.appservice.hs_token,
        module_secret=config.appservice.module_secret,
        store=store,
        decide_login=decide_login,
    ).add_to(app)
    return app


def _api_app(
    config: Config,
    house: MatrixHouse,
    database: PostgresDatabase,
    homeserver: SynapseHomeserver,
    pool: Pool,
    *,
    is_attached: Callable[[], bool],
) -> web.Application:
    async def is_synapse_ready() -> bool:
        return is_attached() and await homeserver.is_ready()

    sessions = SessionStore(pool)
    entropy = SystemEntropy(human_prefix=config.appservice.human_prefix)
    issuers = [
        TrustedIssuer(iss=issuer.iss, aud=issuer.aud, alg=issuer.alg, key=issuer.secret)
        for issuer in config.sessions.issuers
    ]
    actions = Actions(
        upsert_tenant=UpsertTenant(database=database, house=house),
        show_tenant=ShowTenant(database=database),
        list_tenants=ListTenants(database=database),
        plan_tenant=PlanTenant(database=database, house=house),
        request_reconcile=RequestReconcile(database=database, house=house),
        show_job=ShowJob(database=database),
        put_member=PutMember(database=database, house=house, entropy=entropy),
        offboard_tenant=OffboardTenant(
            database=database, house=house, clock=SystemClock(), usual_days=config.platform.grace_days
        ),
        add_room=AddRoom(database=database, house=house),
        change_room=ChangeRoom(database=database, house=house),
        archive_room=ArchiveRoom(database=database, house=house),
        explain_membership=ExplainMembership(database=database, house=house),
        remove_member=RemoveMember(database=database, house=house, entropy=entropy),
        replace_members=ReplaceMembers(
            database=database,
            house=house,
            entropy=entropy,
            max_removal_percent=config.platform.max_removal_percent,
        ),
        change_role=ChangeRole(database=database, house=house, entropy=entropy),
        put_person=PutPerson(database=database, house=house, entropy=entropy),
        show_person=ShowPerson(database=database),
        create_integration_key=CreateIntegrationKey(database=database, entropy=entropy),
        list_integration_keys=ListIntegrationKeys(database=database),
        revoke_integration_key=RevokeIntegrationKey(database=database),
        open_session=OpenSession(
            database=database,
            sessions=sessions,
            homeserver=homeserver,
            verifier=JwtVerifier(issuers, SystemClock()),
            clock=SystemClock(),
            entropy=entropy,
            lifetime_seconds=config.sessions.lifetime_seconds,
        ),
        close_session=CloseSession(sessions=sessions, homeserver=homeserver),
        open_ai_room=OpenAiRoom(database=database, house=house, assistant_name=config.assistant.name),
        relay_event=RelayEvent(database=database, house=house, entropy=entropy),
        preview_event=PreviewEvent(database=database),
        show_delivery=ShowDelivery(database=database),
        probes={"postgresql": database.is_ready, "synapse": is_synapse_ready},
        homeserver_url=config.homeserver.public_address,
        public_url=config.http.public_address,
    )
    return build_api(
        actions=actions,
        authenticator=Authenticator(platform_key=config.platform.key, database=database, sessions=sessions),
        database=database,
        web_directory=Path(config.web.directory) if config.web.directory else None,
        max_body_bytes=config.http.max_body_bytes,
    )


def _metrics_app() -> web.Application:
    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    return app


async def _serve(stack: AsyncExitStack, listen: Listener, app: web.Application) -> None:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=5)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, listen.host, listen.port).start()
    except OSError as error:
        raise ConfigError(f"cannot listen on {listen.host}:{listen.port}: {error.strerror}") from error


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
    for name, chore in chores.items():
        stack.push_async_callback(_cancel, asyncio.create_task(chore, name=name))


async def _stop(attached: "asyncio.Task[None]", worker: Worker, drain_seconds: float) -> None:
    await _cancel(attached)
    await worker.stop(drain_seconds=drain_seconds)


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
