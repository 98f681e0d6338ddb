"""Store a person of BitNexus, whatever tenants they are in."""

from dataclasses import dataclass, replace

from bridge.actions.change_members import find_or_make_people
from bridge.actions.erase_person import refuse_erased
from bridge.model.audit import Actor, AuditEntry
from bridge.model.ids import PLATFORM, MemberID
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Person
from bridge.ports import Database, Entropy


@dataclass(frozen=True, slots=True, kw_only=True)
class PutPerson:
    """Set a person's name, picture, status and whether they are BitNexus staff; their tenants follow."""

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
        avatar_url: str | None = None,
        acting_user: Actor,
    ) -> Person:
        """Return the person as they now stand; None keeps what was; raises Conflict while they are being erased."""
        async with self.database.act(PLATFORM, acting_user) as act:
            before = await act.people.find(member_id)
            await refuse_erased(act, member_id)
            people = await find_or_make_people(act, {member_id: display_name}, house=self.house, entropy=self.entropy)
            found = people[member_id]
            person = replace(
                found,
                avatar_url=found.avatar_url if avatar_url is None else avatar_url,
                super_admin=found.super_admin if super_admin is None else super_admin,
                active=found.active if active is None else active,
            )
            if person == before:
                act.nothing_changed()
            else:
                await act.people.save(person)
                if before is not None:
                    await act.person_tasks.enqueue("tenants", [member_id])
                await act.audit(
                    AuditEntry(
                        action="person.changed" if before else "person.added",
                        target=member_id,
                        details={"super_admin": person.super_admin, "active": person.active},
                        personal={"display_name": person.display_name},
                    )
                )
        return person
