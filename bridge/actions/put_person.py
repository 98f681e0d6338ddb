"""Store a person of BitNexus, whatever tenants they are in."""

from dataclasses import dataclass, replace

from bridge.actions.plan_tenant import ask_for_reconcile
from bridge.actions.put_member import find_or_make_person
from bridge.model.audit import Actor, AuditEntry
from bridge.model.ids import PLATFORM, MemberID
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Person
from bridge.ports import Database, Entropy


@dataclass(frozen=True, slots=True, kw_only=True)
class PutPerson:
    """Set a person's name, status and whether they are BitNexus staff; their tenants follow."""

    database: Database
    house: MatrixHouse
    entropy: Entropy

    async def __call__(
        self,
        member_id: MemberID,
        *,
        display_name: str | None,
        super_admin: bool | None,
        active: bool | None,
        acting_user: Actor,
    ) -> Person:
        """Return the person as they now stand; None keeps what was."""
        async with self.database.act(PLATFORM, acting_user) as act:
            before = await act.people.find(member_id)
            found = await find_or_make_person(
                act, member_id, display_name=display_name, house=self.house, entropy=self.entropy
            )
            person = replace(
                found,
                super_admin=found.super_admin if super_admin is None else super_admin,
                active=found.active if active is None else active,
            )
            if person == before:
                act.nothing_changed()
            else:
                await act.people.save(person)
                await act.audit(
                    AuditEntry(
                        action="person.changed" if before else "person.added",
                        target=member_id,
                        details={"super_admin": person.super_admin, "active": person.active},
                        personal={"display_name": person.display_name},
                    )
                )
        for tenant in await self.database.tenants_of_person(member_id):
            async with self.database.work(tenant.tenant_id) as work:
                await ask_for_reconcile(work, self.house)
        return person
