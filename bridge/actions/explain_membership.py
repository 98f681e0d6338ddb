"""Say why somebody is or is not in a room of a tenant."""

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.actions.hold_tenant import Administrator, find_administered
from bridge.actions.plan_tenant import people_in
from bridge.errors import NotFound
from bridge.model.alliance import Alliance
from bridge.model.credential import SessionCredential
from bridge.model.effect import effect_target
from bridge.model.ids import MemberID, RoomKey, TenantID, UserID, alliance_of_key
from bridge.model.room import Desired, MatrixHouse, Observed
from bridge.model.tenant import RoomType, Tenant
from bridge.policy.authority import member_of
from bridge.policy.explain import Explanation, Question, explain
from bridge.policy.layout import lay_out
from bridge.policy.reconcile import reconcile
from bridge.ports import Database, Work


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainMembership:
    """Answer from what is stored; no Matrix request is made."""

    database: Database
    house: MatrixHouse

    async def __call__(
        self, tenant_id: TenantID, member_id: MemberID, room: str, *, credential: Administrator
    ) -> tuple[Explanation, Mapping[UserID, MemberID]]:
        """Return the explanation, and who the people in it are; ``room`` is a key or a Matrix id; raises NotFound."""
        async with self.database.work(tenant_id) as work:
            tenant, _ = await find_administered(work, credential)
            observed = await work.rooms.observed()
            room_ids = {key: found.room_id for key, found in observed.rooms.items()}
            desired = lay_out(tenant, self.house, room_ids)
            key = _find_room(tenant, desired, observed, room, credential)
            found = explain(
                Question(
                    tenant=tenant,
                    desired=desired,
                    observed=observed,
                    effects=reconcile(desired, observed, self.house.bots),
                    bots=self.house.bots,
                    member_id=member_id,
                    user_id=await _find_user(work, tenant, observed, member_id, key),
                    room_key=key,
                    alliance=await _find_alliance(work, key),
                )
            )
            named = people_in(effect_target(effect) for effect in found.effects)
            named += [reason.by for reason in found.reasons if reason.by is not None]
            return found, await work.people.member_ids(named)


def _find_room(tenant: Tenant, desired: Desired, observed: Observed, room: str, credential: Administrator) -> RoomKey:
    keys = {*desired.rooms, *(found.key for found in tenant.rooms)}
    if isinstance(credential, SessionCredential):
        keys -= {found.key for found in tenant.rooms if found.personal and found.type is not RoomType.ALLIANCE}
    ids = {str(found.room_id): key for key, found in observed.rooms.items()}
    key = next((found for found in (RoomKey(room), ids.get(room)) if found in keys), None)
    if key is None:
        raise NotFound("there is no such room in this tenant")
    return key


async def _find_alliance(work: Work, key: RoomKey) -> Alliance | None:
    alliance_id = alliance_of_key(key)
    return await work.alliances.find(alliance_id) if alliance_id else None


async def _find_user(
    work: Work, tenant: Tenant, observed: Observed, member_id: MemberID, key: RoomKey
) -> UserID | None:
    """Return who this is in Matrix: a member, or somebody whom the room has seen; others the tenant does not know."""
    member = member_of(tenant, member_id)
    if member is not None:
        return member.user_id
    person = await work.people.find(member_id)
    if person and any(who.member_id == member_id for room in tenant.rooms if room.key == key for who in room.outsiders):
        return person.user_id
    room = observed.rooms.get(key)
    return person.user_id if person and room and person.user_id in room.members else None
