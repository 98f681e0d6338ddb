"""Room templates: what a room's type gives it, in one table."""

from dataclasses import dataclass

from bridge.model.tenant import Access, RoomType

EVERYBODY, MODERATORS, US = 0, 50, 150
"""Power levels that something needs: of everybody, of moderators and above, of our creators alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomTemplate:
    """What a type gives; ``access`` and ``optional`` hold where a room does not say otherwise itself."""

    access: Access
    optional: bool
    writers: int
    """The power level that it takes to write (``events_default``)."""
    inviters: int
    """The power level that it takes to invite."""
    history: str | None
    """The history visibility; None: what goes with the room's access."""
    has_assistant: bool
    has_relay: bool
    on_demand: bool
    """Whether such rooms are made when people ask for them, and never listed in a tenant."""
    has_staff: bool
    """Whether the tenant's roles have their power in it; where two tenants meet nobody has any over the others."""


def _template(
    access: Access = Access.TENANT,
    *,
    writers: int = EVERYBODY,
    inviters: int = US,
    history: str | None = None,
    optional: bool = False,
    has_assistant: bool = False,
    has_relay: bool = True,
    on_demand: bool = False,
    has_staff: bool = True,
) -> RoomTemplate:
    return RoomTemplate(
        access=access,
        optional=optional,
        writers=writers,
        inviters=inviters,
        history=history,
        has_assistant=has_assistant,
        has_relay=has_relay,
        on_demand=on_demand,
        has_staff=has_staff,
    )


TEMPLATES = {
    RoomType.GENERAL: _template(),
    RoomType.ANNOUNCEMENT: _template(writers=MODERATORS),
    RoomType.SUPPORT: _template(),
    RoomType.AI: _template(has_assistant=True),
    RoomType.CUSTOM: _template(),
    RoomType.DM: _template(Access.INVITE, inviters=EVERYBODY, history="joined", has_relay=False, on_demand=True),
    RoomType.ALLIANCE: _template(Access.INVITE, history="joined", on_demand=True, has_staff=False),
}
