"""Every way that a small world can go: external edits and a crash after every single act, all of them tried.

Two tenants, three rooms, three people. From every world that can come about, a reconcile that nobody disturbs ends with
everything as desired; it takes away before it gives, gives nothing before what it rests on, and never touches a room of
the other tenant or our bots. A plan that somebody disturbs goes on with what is left of it, and so do we.
"""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from bridge.model.effect import CreateRoom, Effect, JoinUser, RemoveUser, SetState
from bridge.model.ids import TenantID
from bridge.model.json import same_json
from bridge.policy.layout import CREATION_KEY, CREATION_TENANT, lay_out
from bridge.policy.stages import REVOCATIONS_END, stage_of
from tests.unit.people import ACME, BOTS, GLOBEX, HOUSE
from tests.unit.policy.simulator import Refused
from tests.unit.policy.small_world import World, edits_of, steps_of

EDITS = 2
"""How many external edits may come on the way to a world."""


@dataclass(slots=True, kw_only=True)
class Explorer:
    """Walks through all worlds, those with the fewest edits first."""

    waiting: deque[tuple[World, int]] = field(default_factory=deque)
    known: set[object] = field(default_factory=set)
    plans: int = 0
    acts: int = 0
    longest: int = 0

    def add(self, world: World, edits: int) -> None:
        fingerprint = world.fingerprint()
        if fingerprint not in self.known:
            self.known.add(fingerprint)
            self.waiting.append((world, edits))

    def explore(self) -> None:
        while self.waiting:
            world, edits = self.waiting.popleft()
            self._walk_to_the_end(world, edits)

    def _walk_to_the_end(self, world: World, edits: int) -> None:
        for tenant_id in (ACME, GLOBEX):
            plan = world.plan(tenant_id)
            assert not _twice(world), "a room was made twice"
            self.plans += 1
            self.longest = max(self.longest, len(plan))
            if plan:
                end = self._walk(world.copy(), tenant_id, plan, edits)
                assert end.plan(tenant_id) == (), f"{tenant_id} does not converge"
                return  # the other tenant's turn comes in the worlds that this one leads to
        self._disturb(world, ACME, (), 0, edits)

    def _walk(self, world: World, tenant_id: TenantID, plan: Sequence[Effect], edits: int) -> World:
        """Carry a plan out undisturbed; every act may be the last before a crash, or before somebody else acts."""
        granted = False
        for number, effect in enumerate(plan):
            self._check(world, tenant_id, effect)
            is_revocation = stage_of(effect) < REVOCATIONS_END
            assert not (granted and is_revocation), f"{effect} takes away after something was given"
            granted = granted or not is_revocation
            for step in steps_of(effect, tenant_id):
                step(world)
                self.acts += 1
                self.add(world.copy(), edits)
            self._disturb(world, tenant_id, plan, number + 1, edits)
        return world

    def _disturb(self, world: World, tenant_id: TenantID, plan: Sequence[Effect], done: int, edits: int) -> None:
        """Let somebody else act here: after a crash, or with the plan going on as if nothing had happened."""
        if edits == EDITS:
            return
        for _, edit in edits_of(world):
            edited = world.copy()
            edit(edited)
            self.add(edited, edits + 1)
            if done < len(plan):
                stale = edited.copy()
                self._go_on(stale, tenant_id, plan[done:])
                self.add(stale, edits + 1)

    def _go_on(self, world: World, tenant_id: TenantID, rest: Sequence[Effect]) -> None:
        for effect in rest:
            try:
                for step in steps_of(effect, tenant_id):
                    step(world)
                    self.acts += 1
            except Refused:
                continue  # one that fails stops no other

    def _check(self, world: World, tenant_id: TenantID, effect: Effect) -> None:
        foreign = set(world.ids[GLOBEX if tenant_id == ACME else ACME].values())
        if isinstance(effect, SetState | JoinUser | RemoveUser):
            assert effect.room_id not in foreign
        if isinstance(effect, CreateRoom):
            assert effect.creation_content[CREATION_TENANT] == tenant_id
        if isinstance(effect, RemoveUser):
            assert effect.user_id not in BOTS.all
        if isinstance(effect, JoinUser) and effect.user_id not in BOTS.all:
            self._check_grant(world, tenant_id, effect)

    @staticmethod
    def _check_grant(world: World, tenant_id: TenantID, effect: JoinUser) -> None:
        """Somebody is let into a room: they belong there, the room is as desired, and nobody is in it who is not."""
        ids = world.ids[tenant_id]
        wanted = lay_out(world.tenant(tenant_id), HOUSE, ids).rooms[effect.room_key]
        room = world.matrix.rooms[ids[effect.room_key]]
        assert effect.user_id in wanted.people
        for name, content in wanted.state.items():
            assert same_json(content, room.state.get(name)), f"{effect} comes before {name}"
        inside = {who for who, seen in room.members.items() if seen.membership in {"join", "invite", "knock"}}
        assert inside <= wanted.people | BOTS.all


def _twice(world: World) -> bool:
    births = [room.state["m.room.create", ""] for room in world.matrix.rooms.values()]
    names = [(birth[CREATION_TENANT], birth[CREATION_KEY]) for birth in births]
    return len(set(names)) < len(names)


def test_every_world_is_led_to_what_is_desired() -> None:
    explorer, began = Explorer(), time.process_time()
    explorer.add(World.empty(), 0)
    explorer.explore()
    seconds = time.process_time() - began
    print(f"{len(explorer.known)} worlds, {explorer.plans} plans, {explorer.acts} acts, {seconds:.1f} s of CPU")  # noqa: T201
    assert len(explorer.known) > 5_000
    assert explorer.longest > 10
