"""The stage on which the module is tried: two tenants, people of three kinds in each, and every door of Synapse."""

import json
from collections.abc import Collection
from dataclasses import dataclass

from stand_in_bridge import Json
from synapse_harness import Actor, Homeserver, Tenant

KINDS = ("person", "masquerade", "server_admin")
ALL_DOORS = {
    "v3": "/_matrix/client/v3{}",
    "r0": "/_matrix/client/r0{}",
    "v1": "/_matrix/client/v1{}",
    "unstable": "/_matrix/client/unstable{}",
    "trailing slash": "/_matrix/client/v3{}/",
    "double slash": "/_matrix/client/v3/{}",
    "leading slashes": "//_matrix/client/v3{}",
    "escaped slash": "/_matrix/client%2Fv3{}",
}
SURE_DOORS = frozenset({"v3", "r0"})


@dataclass
class Stage:
    """Two tenants in one room version: ``actors`` are people of acme, ``strangers`` the same kinds of globex."""

    homeserver: Homeserver
    acme: Tenant
    globex: Tenant
    actors: dict[str, Actor]
    strangers: dict[str, Actor]
    marker_id: str
    doors: Collection[str]

    def fill(self, text: str, kind: str = "person") -> str:
        """Put this stage's ids into a path or a body; the colleague is somebody other than the actor."""
        names = {
            "{room}": self.acme.room_id,
            "{space}": self.acme.space_id,
            "{marker}": self.marker_id,
            "{stranger}": self.strangers["person"].user_id,
            "{colleague}": self.actors["person" if kind == "server_admin" else "server_admin"].user_id,
        }
        for name, value in names.items():
            text = text.replace(name, value)
        return text

    def fill_body(self, body: Json, kind: str = "person") -> Json:
        return dict(json.loads(self.fill(json.dumps(body), kind)))

    async def state(self) -> set[str]:
        """Give the ids of all present state events of acme, to prove that nothing has changed."""
        return {
            event["event_id"]
            for room_id in (self.acme.room_id, self.acme.space_id)
            for event in await self.homeserver.creator.do("GET", f"/rooms/{room_id}/state")
        }


async def set_stage(homeserver: Homeserver, *, room_version: str) -> Stage:
    acme = await Tenant.create(homeserver, f"acme{room_version}", room_version=room_version)
    globex = await Tenant.create(homeserver, f"globex{room_version}", room_version=room_version)
    return Stage(
        homeserver,
        acme,
        globex,
        actors=await _people_of(acme),
        strangers=await _people_of(globex),
        marker_id=await _marker_id(acme),
        # the way to a rule is the same whatever the room's version
        doors=tuple(ALL_DOORS) if room_version == "12" else SURE_DOORS,
    )


async def _people_of(tenant: Tenant) -> dict[str, Actor]:
    homeserver = tenant.homeserver
    person = await tenant.admit(await homeserver.register(f"u_{tenant.tenant_id}_person"))
    admin = await tenant.admit(await homeserver.register_admin(f"u_{tenant.tenant_id}_admin"))
    return {"person": person, "masquerade": homeserver.masquerade(person.user_id), "server_admin": admin}


async def _marker_id(tenant: Tenant) -> str:
    state = await tenant.homeserver.creator.do("GET", f"/rooms/{tenant.room_id}/state")
    return next(event["event_id"] for event in state if event["type"] == "com.bitnexus.room")


async def assert_refused(
    actor: Actor, method: str, path: str, body: Json, reason: str, *, doors: Collection[str] = tuple(ALL_DOORS)
) -> None:
    """Try every door: v3 and r0 answer with our reason and a sentence, the others with that or not at all."""
    for door in doors:
        answer = await actor.ask(method, ALL_DOORS[door].format(path), body)
        if door not in SURE_DOORS and answer.status in (404, 405):
            assert "M_UNRECOGNIZED" in str(answer.body) or "No Such Resource" in str(answer.body), (door, answer)
            continue
        assert answer.refusal == (403, "M_FORBIDDEN", reason), (door, answer)
        assert answer.sentence.endswith("."), answer
