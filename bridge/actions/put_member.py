"""Put a person into a tenant, or change their role or name."""

from dataclasses import dataclass, replace

from bridge.actions.plan_tenant import ask_for_reconcile, find_tenant
from bridge.model.audit import Actor, AuditEntry
from bridge.model.change import Change
from bridge.model.ids import MemberID, TenantID, UserID
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Person, Role
from bridge.ports import Database, Entropy, Work


async def find_or_make_person(
    work: Work, member_id: MemberID, *, display_name: str | None, house: MatrixHouse, entropy: Entropy
) -> Person:
    """Return a person, made with a new opaque Matrix id when there is none; a given name takes the old one's place."""
    person = await work.people.find(member_id)
    if person is None:
        person = Person(
            member_id=member_id,
            user_id=UserID(f"@{entropy.localpart()}:{house.server_name}"),
            display_name=display_name or member_id,
        )
        await work.people.save(person)
        # two requests may have made the same person at once: what stands is what counts
        person = await work.people.find(member_id) or person
    if display_name is not None and display_name != person.display_name:
        person = replace(person, display_name=display_name)
        await work.people.save(person)
    return person


@dataclass(frozen=True, slots=True, kw_only=True)
class PutMember:
    """Store a membership; reconcile then joins the person everywhere they belong."""

    database: Database
    house: MatrixHouse
    entropy: Entropy

    async def __call__(
        self, tenant_id: TenantID, member_id: MemberID, *, role: Role, display_name: str | None, acting_user: Actor
    ) -> Change:
        """Return the revision and the reconcile's job; raises NotFound for an unknown tenant."""
        async with self.database.act(tenant_id, acting_user) as act:
            await act.tenants.lock()
            tenant = await find_tenant(act)
            before = next((member for member in tenant.members if member.member_id == member_id), None)
            person = await find_or_make_person(
                act, member_id, display_name=display_name, house=self.house, entropy=self.entropy
            )
            if before and (before.role, before.display_name) == (role, person.display_name):
                act.nothing_changed()
            else:
                await act.tenants.save_member(member_id, role)
                revision = await act.tenants.bump_revision()
                await act.audit(
                    AuditEntry(
                        action="member.changed" if before else "member.added",
                        target=member_id,
                        details={
                            "revision": revision,
                            "old_role": before.role.value if before else None,
                            "role": role.value,
                        },
                        personal={"display_name": person.display_name},
                    )
                )
            return await ask_for_reconcile(act, self.house)
