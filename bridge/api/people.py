"""Routes by which a signed-in person finds others."""

from bridge.api.call import Call
from bridge.api.shapes import Page, PersonItem
from bridge.errors import InvalidInput

MAX_QUERY = 100


async def get_people(call: Call) -> Page[PersonItem]:
    """Find people of one's tenant by the beginning of a word of their name or id; by name, all without ``q``."""
    query = call.request.query.get("q") or ""
    if len(query) > MAX_QUERY:
        raise InvalidInput(f"q must be at most {MAX_QUERY} characters", path="q")
    found = await call.actions.search_people(
        call.tenant_id,
        query,
        after=call.request.query.get("after") or None,
        limit=call.limit,
        credential=call.session,
    )
    items = tuple(
        PersonItem(
            user_id=member.member_id,
            matrix_id=member.user_id,
            display_name=member.display_name,
            avatar_url=member.avatar_url,
            role=member.role.value,
        )
        for member in found.people
    )
    return Page(items=items, next=found.next)
