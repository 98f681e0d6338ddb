"""People, rooms and events that the tests of the module's rules are told with."""

from bitnexus_synapse_module.snapshot import Event, Marker, Member, Ours, Room

BITNEXUS = "@bitnexus:s"
KEEPER = "@bitnexus_keeper:s"
RELAY = "@bitnexus_relay:s"
ASSISTANT = "@bitnexus_nexushub:s"
ANNA = "@u_anna:s"
BEN = "@u_ben:s"
STRANGER = "@u_stranger:s"

OURS = Ours(creators=frozenset({BITNEXUS, KEEPER}), bots=frozenset({RELAY, ASSISTANT}))

SPACE_ID = "!space:s"
SPACE = Room(marker=Marker(tenant_id="acme", type="space", space_id=None))
GENERAL = Room(marker=Marker(tenant_id="acme", type="general", space_id=SPACE_ID))
GENERAL_FOR_COLLEAGUE = Room(marker=GENERAL.marker, in_space=True)
DM = Room(marker=Marker(tenant_id="acme", type="dm", space_id=SPACE_ID))
WITH_STRANGER = Room(
    marker=Marker(tenant_id="acme", type="alliance", space_id=SPACE_ID, outsiders=frozenset({STRANGER}))
)
UNMARKED = Room()


def with_member(room: Room, membership: str, sender: str) -> Room:
    return Room(marker=room.marker, in_space=room.in_space, member=Member(membership=membership, sender=sender))


def state(event_type: str, sender: str, content: dict[str, object] | None = None, state_key: str = "") -> Event:
    return Event(type=event_type, sender=sender, state_key=state_key, content=content or {})


def message(event_type: str, sender: str, content: dict[str, object] | None = None) -> Event:
    return Event(type=event_type, sender=sender, state_key=None, content=content or {})


def member(sender: str, user_id: str, membership: object, **content: object) -> Event:
    return state("m.room.member", sender, {"membership": membership, **content}, user_id)
