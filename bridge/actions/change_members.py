"""What every change of a tenant's members has in common: people are made, memberships stored, each change audited."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from bridge.actions.change_ticket import unassign_tickets
from bridge.model.audit import AuditEntry
from bridge.model.change import MemberWish
from bridge.model.ids import MemberID, UserID
from bridge.model.json import Json
from bridge.model.room import MatrixHouse
from bridge.model.tenant import Member, Person, Tenant
from bridge.policy.member_changes import Roster, refuse_loss_of_last_owner
from bridge.policy.membership import TEAM
from bridge.ports import Act, Entropy, Work


async def find_or_make_people(
    work: Work, names: Mapping[MemberID, str | None], *, house: MatrixHouse, entropy: Entropy
) -> Mapping[MemberID, Person]:
    """Return people, made with a new opaque Matrix id where there are none; a given name takes the old one's place."""
    found = await work.people.find_all(names.keys())
    new = [
        Person(
            member_id=member_id,
            user_id=UserID(f"@{entropy.localpart()}:{house.server_name}"),
            display_name=name or member_id,
        )
        for member_id, name in names.items()
        if member_id not in found
    ]
    if new:
        await work.people.save(*new)
        # another request may have made the same people at once: what stands is what counts
        found = await work.people.find_all(names.keys())
    renamed = {
        member_id: replace(person, display_name=name)
        for member_id, person in found.items()
        if (name := names[member_id]) is not None and name != person.display_name
    }
    if renamed:
        await work.people.save(*renamed.values())
    return {**found, **renamed}


async def change_members(
    act: Act,
    tenant: Tenant,
    *,
    wishes: Sequence[MemberWish] = (),
    removed: Collection[MemberID] = (),
    house: MatrixHouse,
    entropy: Entropy,
) -> bool:
    """Store memberships and take others away; return whether anything was different.

    Raises Conflict when it would leave the tenant without an owner.
    """
    before = {member.member_id: member for member in tenant.members}
    roles = {member_id: member.role for member_id, member in before.items() if member_id not in removed}
    roles |= {wish.member_id: wish.role for wish in wishes}
    refuse_loss_of_last_owner(Roster.of(tenant.members), roles)
    people = await find_or_make_people(
        act, {wish.member_id: wish.display_name for wish in wishes}, house=house, entropy=entropy
    )
    changed = [wish for wish in wishes if _differs(wish, people[wish.member_id], before.get(wish.member_id))]
    gone = [before[member_id] for member_id in sorted(removed) if member_id in before]
    if not changed and not gone:
        act.nothing_changed()
        return False
    await act.tenants.save_members({wish.member_id: wish.role for wish in changed})
    await act.tenants.remove_members([member.member_id for member in gone])
    lost = {wish.member_id for wish in changed if wish.role not in TEAM} | {member.member_id for member in gone}
    await unassign_tickets(act, sorted(lost))
    revision = await act.tenants.bump_revision()
    await act.audit(
        *(_change_entry(wish, people[wish.member_id], before.get(wish.member_id), revision) for wish in changed),
        *(_removal_entry(member, revision) for member in gone),
    )
    return True


def _differs(wish: MemberWish, person: Person, before: Member | None) -> bool:
    return before is None or (before.role, before.display_name) != (wish.role, person.display_name)


def _change_entry(wish: MemberWish, person: Person, before: Member | None, revision: int) -> AuditEntry:
    details: dict[str, Json] = {
        "revision": revision,
        "old_role": before.role.value if before else None,
        "role": wish.role.value,
    }
    return AuditEntry(
        action="member.changed" if before else "member.added",
        target=wish.member_id,
        details=details,
        personal={"display_name": person.display_name},
    )


def _removal_entry(member: Member, revision: int) -> AuditEntry:
    details: dict[str, Json] = {"revision": revision, "old_role": member.role.value}
    return AuditEntry(action="member.removed", target=member.member_id, details=details)
