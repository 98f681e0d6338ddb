"""The three listeners: for people and the backend, for Synapse, for Prometheus."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Middleware
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from bridge.actions.change_integration_keys import CreateIntegrationKey, ListIntegrationKeys, RevokeIntegrationKey
from bridge.actions.change_role import ChangeRole
from bridge.actions.change_rooms import AddRoom, ArchiveRoom, ChangeRoom
from bridge.actions.change_ticket import ChangeTicket
from bridge.actions.decide_login import DecideLogin
from bridge.actions.erase_person import AskForErasure
from bridge.actions.explain_membership import ExplainMembership
from bridge.actions.offboard_tenant import OffboardTenant
from bridge.actions.open_ai_room import OpenAiRoom
from bridge.actions.open_direct_chat import OpenDirectChat
from bridge.actions.open_session import CloseSession, OpenSession
from bridge.actions.open_ticket import OpenTicket
from bridge.actions.plan_tenant import PlanTenant
from bridge.actions.put_alliance import PutAlliance
from bridge.actions.put_member import PutMember
from bridge.actions.put_person import PutPerson
from bridge.actions.relay_event import PreviewEvent, RelayEvent, ShowDelivery
from bridge.actions.remove_member import RemoveMember
from bridge.actions.replace_members import ReplaceMembers
from bridge.actions.search_people import SearchPeople
from bridge.actions.settle_alliance import SettleAlliance
from bridge.actions.show_alliance import ListAlliances, ShowAlliance
from bridge.actions.show_tenant import ListTenants, RequestReconcile, ShowJob, ShowPerson, ShowTenant
from bridge.actions.show_tickets import ListStaffTickets, ListTickets, ShowTicket, ShowTicketFigures
from bridge.actions.speak_on_alliance import SpeakOnAlliance
from bridge.actions.start_chat import StartChat
from bridge.actions.upsert_tenant import UpsertTenant
from bridge.actions.watch_alliance import WatchAlliance
from bridge.api.auth import Authenticator
from bridge.api.call import Actions, Probe
from bridge.api.server import build_api
from bridge.api.tokens import JwtVerifier, TrustedIssuer
from bridge.config import Config, Listener
from bridge.draining import Stop
from bridge.errors import ConfigError
from bridge.matrix.appservice import AppserviceEndpoints, Store
from bridge.matrix.appservice import render_errors as render_appservice_errors
from bridge.model.room import MatrixHouse
from bridge.ports import Database, Homeserver, Sessions
from bridge.system import SystemClock, SystemEntropy

IN_FLIGHT_SECONDS = 5.0
"""How long a closing listener waits for the requests that it has begun to answer."""
ALLIANCE_SECONDS = 5.0
"""How long a change of an alliance may keep its asker waiting until Matrix stands so."""


def appservice_app(config: Config, house: MatrixHouse, database: Database, store: Store) -> web.Application:
    """Return what Synapse and its module reach."""
    app = web.Application(middlewares=[render_appservice_errors], client_max_size=config.appservice.max_body_bytes)
    decide_login = DecideLogin(database=database, bots=house.bots, human_prefix=config.appservice.human_prefix)
    AppserviceEndpoints(
        hs_token=config.appservice.hs_token,
        module_secret=config.appservice.module_secret,
        store=store,
        decide_login=decide_login,
        start_chat=StartChat(database=database, open_direct_chat=OpenDirectChat(database=database, house=house)),
    ).add_to(app)
    return app


def api_app(
    config: Config,
    house: MatrixHouse,
    database: Database,
    homeserver: Homeserver,
    sessions: Sessions,
    *,
    probes: Mapping[str, Probe],
    stop: Stop,
) -> web.Application:
    """Return what people, the BitNexus backend and n8n reach."""
    entropy = SystemEntropy(human_prefix=config.appservice.human_prefix)
    issuers = [
        TrustedIssuer(iss=issuer.iss, aud=issuer.aud, alg=issuer.alg, key=issuer.secret)
        for issuer in config.sessions.issuers
    ]
    watch = WatchAlliance(
        database=database,
        settle=SettleAlliance(database=database, house=house),
        clock=SystemClock(),
        wait_seconds=ALLIANCE_SECONDS,
    )
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
        search_people=SearchPeople(database=database),
        ask_for_erasure=AskForErasure(database=database, entropy=entropy),
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
        open_direct_chat=OpenDirectChat(database=database, house=house),
        put_alliance=PutAlliance(database=database, watch=watch),
        speak_on_alliance=SpeakOnAlliance(database=database, watch=watch, clock=SystemClock()),
        show_alliance=ShowAlliance(database=database),
        list_alliances=ListAlliances(database=database),
        open_ticket=OpenTicket(database=database, house=house, entropy=entropy, clock=SystemClock()),
        change_ticket=ChangeTicket(database=database, house=house, clock=SystemClock()),
        list_tickets=ListTickets(database=database),
        show_ticket=ShowTicket(database=database),
        list_staff_tickets=ListStaffTickets(database=database),
        show_ticket_figures=ShowTicketFigures(database=database),
        relay_event=RelayEvent(database=database, house=house, entropy=entropy),
        preview_event=PreviewEvent(database=database),
        show_delivery=ShowDelivery(database=database),
        probes=probes,
        is_draining=lambda: stop.is_draining,
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


def metrics_app() -> web.Application:
    """Return what Prometheus reaches; it asks nobody else, so it answers whatever is away."""

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    return app


async def serve(stack: AsyncExitStack, listen: Listener, app: web.Application, stop: Stop) -> None:
    """Listen until the stack closes, which lets requests in flight be answered; raises ConfigError."""
    app.middlewares.insert(0, _send_elsewhere(stop))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=IN_FLIGHT_SECONDS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, listen.host, listen.port).start()
    except OSError as error:
        raise ConfigError(f"cannot listen on {listen.host}:{listen.port}: {error.strerror}") from error


def _send_elsewhere(stop: Stop) -> Middleware:
    """End kept connections with their next answer once we are draining, so that the next request goes elsewhere."""

    @web.middleware
    async def middleware(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        response = await handler(request)
        if stop.is_draining:
            response.force_close()
        return response

    return middleware
