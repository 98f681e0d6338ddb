"""Whether a person may use anything, and what Synapse has yet to be told of people."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from bridge.model.ids import MemberID, TenantID, UserID

TaskKind = Literal["standing", "log_out", "tenants", "hold", "erase", "direct_list", "staff"]

STANDINGS_PREFIX = "!"
"""What the key of a lane of standings begins with; ids of people never do. Sorted by bytes, it comes before them."""


class Verdict(StrEnum):
    """What our module in Synapse is to be told of a person."""

    EXPIRE = "expire"
    RESTORE = "restore"
    HOLD = "hold"
    """Restore them, but not before they are out of the rooms of their suspended tenants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The facts that decide whether a person may use anything."""

    member_id: MemberID
    user_id: UserID
    is_registered: bool
    is_active: bool
    is_super_admin: bool
    has_active_tenant: bool
    suspended_tenants: tuple[TenantID, ...]
    is_expired: bool
    """What our module in Synapse was told last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonTask:
    """One thing that Synapse, or a tenant, has yet to be told of a person."""

    task_id: int
    member_id: MemberID
    kind: TaskKind
    tenant_id: TenantID | None
