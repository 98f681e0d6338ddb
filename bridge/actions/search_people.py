"""Find people of one's own tenant."""

from dataclasses import dataclass

from bridge.errors import Forbidden, NotFound
from bridge.model.credential import SessionCredential
from bridge.model.ids import TenantID
from bridge.model.tenant import TenantStatus
from bridge.policy.people_search import FoundPeople, find_people
from bridge.ports import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPeople:
    """Return the active members of a tenant whom a query means, without the person who asks."""

    database: Database

    async def __call__(
        self, tenant_id: TenantID, query: str, *, after: str | None, limit: int, credential: SessionCredential
    ) -> FoundPeople:
        """Return a page of people by name; raises NotFound for a foreign tenant, InvalidInput for a wrong ``after``."""
        async with self.database.work(tenant_id) as work:
            found = await work.tenants.find_members()
        if found is None or all(member.member_id != credential.member_id for member in found[1]):
            raise NotFound("there is no such tenant")
        status, members = found
        if status is not TenantStatus.ACTIVE:
            raise Forbidden("this tenant is not active")
        others = (member for member in members if member.member_id != credential.member_id)
        return find_people(others, query, after=after, limit=limit)
