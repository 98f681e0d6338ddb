"""Every action, joined to ports that live in memory."""

from dataclasses import dataclass, field

from bridge.actions.change_integration_keys import CreateIntegrationKey, ListIntegrationKeys, RevokeIntegrationKey
from bridge.actions.change_role import ChangeRole
from bridge.actions.change_rooms import AddRoom, ArchiveRoom, ChangeRoom
from bridge.actions.change_ticket import ChangeTicket
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
from bridge.actions.upsert_tenant import UpsertTenant
from bridge.actions.watch_alliance import WatchAlliance
from bridge.api.call import Actions
from tests.unit.fake_edges import FakeClock, FakeEntropy, FakeHomeserver, FakeSessions, FakeVerifier
from tests.unit.fakes import FakeDatabase
from tests.unit.people import HOUSE


@dataclass(slots=True, kw_only=True)
class House:
    """The ports that the actions of one test share."""

    database: FakeDatabase = field(default_factory=FakeDatabase)
    homeserver: FakeHomeserver = field(default_factory=FakeHomeserver)
    sessions: FakeSessions = field(default_factory=FakeSessions)
    entropy: FakeEntropy = field(default_factory=FakeEntropy)
    clock: FakeClock = field(default_factory=FakeClock)
    is_ready: bool = True
    max_removal_percent: int = 20
    is_draining: bool = False

    def actions(self) -> Actions:
        database, entropy = self.database, self.entropy
        settle = SettleAlliance(database=database, house=HOUSE)
        watch = WatchAlliance(database=database, settle=settle, clock=self.clock, wait_seconds=0)
        return Actions(
            upsert_tenant=UpsertTenant(database=database, house=HOUSE),
            show_tenant=ShowTenant(database=database),
            list_tenants=ListTenants(database=database),
            plan_tenant=PlanTenant(database=database, house=HOUSE),
            request_reconcile=RequestReconcile(database=database, house=HOUSE),
            show_job=ShowJob(database=database),
            put_member=PutMember(database=database, house=HOUSE, entropy=entropy),
            offboard_tenant=OffboardTenant(database=database, house=HOUSE, clock=self.clock, usual_days=30),
            add_room=AddRoom(database=database, house=HOUSE),
            change_room=ChangeRoom(database=database, house=HOUSE),
            archive_room=ArchiveRoom(database=database, house=HOUSE),
            explain_membership=ExplainMembership(database=database, house=HOUSE),
            remove_member=RemoveMember(database=database, house=HOUSE, entropy=entropy),
            replace_members=ReplaceMembers(
                database=database, house=HOUSE, entropy=entropy, max_removal_percent=self.max_removal_percent
            ),
            change_role=ChangeRole(database=database, house=HOUSE, entropy=entropy),
            show_person=ShowPerson(database=database),
            search_people=SearchPeople(database=database),
            ask_for_erasure=AskForErasure(database=database, entropy=entropy),
            put_person=PutPerson(database=database, house=HOUSE, entropy=entropy),
            create_integration_key=CreateIntegrationKey(database=database, entropy=entropy),
            list_integration_keys=ListIntegrationKeys(database=database),
            revoke_integration_key=RevokeIntegrationKey(database=database),
            open_session=self.open_session(),
            close_session=CloseSession(sessions=self.sessions, homeserver=self.homeserver),
            open_ai_room=OpenAiRoom(database=database, house=HOUSE, assistant_name="NexusHub"),
            open_direct_chat=OpenDirectChat(database=database, house=HOUSE),
            put_alliance=PutAlliance(database=database, watch=watch),
            speak_on_alliance=SpeakOnAlliance(database=database, watch=watch, clock=self.clock),
            show_alliance=ShowAlliance(database=database),
            list_alliances=ListAlliances(database=database),
            open_ticket=OpenTicket(database=database, house=HOUSE, entropy=entropy, clock=self.clock),
            change_ticket=ChangeTicket(database=database, house=HOUSE, clock=self.clock),
            list_tickets=ListTickets(database=database),
            show_ticket=ShowTicket(database=database),
            list_staff_tickets=ListStaffTickets(database=database),
            show_ticket_figures=ShowTicketFigures(database=database),
            relay_event=RelayEvent(database=database, house=HOUSE, entropy=entropy),
            preview_event=PreviewEvent(database=database),
            show_delivery=ShowDelivery(database=database),
            homeserver_url="https://matrix.example",
            public_url="https://chat.example",
            probes={"postgresql": self._is_postgresql_ready},
            is_draining=lambda: self.is_draining,
        )

    async def _is_postgresql_ready(self) -> bool:
        return self.is_ready

    def open_session(self) -> OpenSession:
        return OpenSession(
            database=self.database,
            sessions=self.sessions,
            homeserver=self.homeserver,
            verifier=FakeVerifier(self.clock),
            clock=self.clock,
            entropy=self.entropy,
            lifetime_seconds=3600,
        )
