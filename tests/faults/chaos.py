"""A chaos run: a stream of inputs, faults of every kind at once, then peace, and the judgement of what stands."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.checker import check
from tests.faults.deck import seeded
from tests.faults.faults import BridgeTormentor, NetTormentor, PartTormentor, TransactionTormentor
from tests.faults.history import History, Verdict
from tests.faults.load import Account, Log, Producer, Writer
from tests.faults.recovery import recoveries, recoveries_of_rooms, spread_of
from tests.faults.report import Report, errors_logged, first_cases, gap_repaired
from tests.faults.rig import Rig, running_rig
from tests.faults.truth import Truth
from tests.faults.watcher import Watcher
from tests.support.backend import member_id

TENANTS, ROOMS = 2, ("general", "deals", "alerts")
PEOPLE = ("ann", "bob")
BRIDGES = 4
SETTINGS = {"worker": {"lease_seconds": 1.5}}
"""A bridge dies every half second: lanes of the dead must not rest for the five seconds that are usual."""
LEAST_KILLS = 100
_PRODUCER_PAUSE, _WRITER_PAUSE = 4.0, 1.5
_LIFETIME_SECONDS = (0.2, 1.8)
_SETTLE_SECONDS = 120.0
_QUIET_SECONDS = 3.0
_LONGEST = 2.0
"""A run goes on beyond its time until it has its kills, but not longer than this many times its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Everybody who writes and looks on, and the rooms they do it in."""

    log: Log
    producers: Sequence[Producer]
    writers: Sequence[Writer]
    watcher: Watcher
    room_ids: Sequence[str]


async def run_chaos(directory: Path, *, seed: int, seconds: float) -> Report:
    """Run for ``seconds`` of faults, and until at least 100 kills; return what came of it."""
    async with running_rig(directory, bridges=BRIDGES, overrides=SETTINGS) as rig:
        await rig.start_bridges()
        crew = await gather_crew(rig, seed)
        began = time.time()
        async with crew.watcher.watching():
            await _storm(rig, crew, seed, seconds)
            ended = time.time()
            await _settle(rig, crew)
            settled = time.time()
            await asyncio.sleep(_QUIET_SECONDS)  # what comes late must be seen, and there is no event that says so
        verdict = await judge(rig, crew)
        _keep_inputs(rig, crew)
        return _report(rig, crew, verdict, seed=seed, seconds=ended - began, settle_seconds=settled - ended)


async def gather_crew(rig: Rig, seed: int) -> Crew:
    """Make the tenants, rooms and people, and sign everybody in."""
    log, backend = Log(), rig.backends[0]
    watching = Account(member_id="watch", backends=rig.backends, http=rig.http)
    producers: list[Producer] = []
    writers: list[Writer] = []
    room_ids: list[str] = []
    rooms = [{"key": key, "type": "general", "name": key.title()} for key in ROOMS]
    for number in range(TENANTS):
        tenant_id = await backend.new_tenant(rooms=rooms, **dict.fromkeys(PEOPLE, "member"))
        await backend.ok("PUT", f"/v1/tenants/{tenant_id}/members/watch", {"role": "member", "display_name": "W"})
        await backend.settle(tenant_id)
        found = await (await backend.sign_in(member_id(tenant_id, PEOPLE[0]))).rooms()
        pairs = [(key, found[key]) for key in ROOMS]
        room_ids += (room_id for _, room_id in pairs)
        producers += await _producers(rig, seed, log, name=f"n8n-{number}", tenant_id=tenant_id, pairs=pairs)
        for name in PEOPLE:
            account = Account(member_id=member_id(tenant_id, name), backends=rig.backends, http=rig.http)
            await account.sign_in()
            writers.append(
                Writer(
                    name=f"{name}-{number}", account=account, room_ids=[room_id for _, room_id in pairs], log=log,
                    rng=seeded(seed, f"{name}-{number}"), pause_seconds=_WRITER_PAUSE,
                )
            )  # fmt: skip
    await watching.sign_in()
    watcher = Watcher(account=watching)
    return Crew(log=log, producers=producers, writers=writers, watcher=watcher, room_ids=room_ids)


async def _producers(
    rig: Rig, seed: int, log: Log, *, name: str, tenant_id: str, pairs: Sequence[tuple[str, str]]
) -> list[Producer]:
    """Return a producer for each room, and one whose events go to two rooms."""
    key = await rig.backends[0].integration_key(tenant_id)
    server_name = rig.stack.config.homeserver.server_name
    targets = [[pair] for pair in pairs] + [list(pairs[:2])]
    return [
        Producer(
            name=f"{name}-{number}", urls=[replica.url for replica in rig.replicas], key=key, rooms=rooms,
            sender=f"@bitnexus_relay:{server_name}", log=log, http=rig.http,
            rng=seeded(seed, f"{name}-{number}"), pause_seconds=_PRODUCER_PAUSE,
        )
        for number, rooms in enumerate(targets)
    ]  # fmt: skip


async def _storm(rig: Rig, crew: Crew, seed: int, seconds: float) -> None:
    """Have everybody write and everything break; returns when the faults are over and each input has its answer."""
    calm, silence = asyncio.Event(), asyncio.Event()
    tormentors = [
        *(
            BridgeTormentor(
                rig=rig, replica=replica, rng=seeded(seed, replica.name), lifetime_seconds=_LIFETIME_SECONDS
            )
            for replica in rig.replicas
        ),
        PartTormentor(rig=rig, rng=seeded(seed, "parts"), rest_seconds=(5.0, 8.0)),
        NetTormentor(rig=rig, rng=seeded(seed, "net"), rest_seconds=(1.5, 3.5)),
        TransactionTormentor(rig=rig, rng=seeded(seed, "transactions"), rest_seconds=(0.2, 0.8)),
    ]
    await rig.end_bridges()
    rig.ledger.kills.clear()
    async with asyncio.TaskGroup() as group:
        for source in (*crew.producers, *crew.writers):
            group.create_task(source.run(silence))
        async with asyncio.TaskGroup() as breaking:
            for tormentor in tormentors:
                breaking.create_task(tormentor.run(calm))
            await _enough(rig, seconds)
            calm.set()
        await rig.start_bridges()
        silence.set()


async def _enough(rig: Rig, seconds: float) -> None:
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds * _LONGEST:
        if passed >= seconds and len(rig.ledger.kills) >= LEAST_KILLS:
            return
        await asyncio.sleep(0.1)


async def _settle(rig: Rig, crew: Crew) -> Verdict:
    """Wait until nothing is missing and nothing is left to do; after two minutes what is missing is lost."""
    await rig.tap.settle()
    deadline = time.monotonic() + _SETTLE_SECONDS
    async with rig.truth() as truth:
        while True:
            verdict = check(await truth.history(crew.log.inputs, crew.room_ids))
            waiting = await truth.unsent_transactions()
            if time.monotonic() > deadline or (verdict.is_clean and not waiting):
                return verdict
            await asyncio.sleep(0.5)


async def judge(rig: Rig, crew: Crew) -> Verdict:
    """Judge what stands now, and that a member's own client is shown just this."""
    async with rig.truth() as truth:
        history = await truth.history(crew.log.inputs, crew.room_ids)
        false = [*await _unlike_client(crew, history), *await _unlike_outbox(truth, crew, history)]
    verdict = check(history)
    return Verdict(
        **{**{name: getattr(verdict, name) for name in Verdict.__slots__}, "unsettled": (*verdict.unsettled, *false)}
    )


async def _unlike_client(crew: Crew, history: History) -> list[str]:
    odd = []
    for room_id in crew.room_ids:
        shown = await crew.watcher.timeline(room_id)
        if shown != [message.event_id for message in history.timeline if message.room_id == room_id]:
            odd.append(f"a member is shown other messages in {room_id} than Synapse stored, or in another order")
    return odd


async def _unlike_outbox(truth: Truth, crew: Crew, history: History) -> list[str]:
    return await truth.dead_or_unknown(crew.room_ids, [message.event_id for message in history.timeline])


def _keep_inputs(rig: Rig, crew: Crew) -> None:
    """Write down each input with its times, beside the logs."""
    with (rig.stack.directory / "inputs.log").open("w", encoding="utf-8") as lines:
        for given in crew.log.inputs:
            for room_id in given.room_ids:
                seen = crew.watcher.seen.get((given.mark, room_id))
                lines.write(f"{given.mark} {room_id} {given.sent_at} {given.acknowledged_at} {seen}\n")


def _report(rig: Rig, crew: Crew, verdict: Verdict, *, seed: int, seconds: float, settle_seconds: float) -> Report:
    inputs, seen = crew.log.inputs, crew.watcher.seen
    kills = [moment for moment, _ in rig.ledger.kills]
    logs = [replica.log for replica in rig.replicas]
    acknowledged = [given for given in inputs if given.is_acknowledged]
    return Report(
        seed=seed,
        seconds=round(seconds, 1),
        settle_seconds=round(settle_seconds, 1),
        kills=len(kills),
        kills_by_kind=dict(Counter(kind for _, kind in rig.ledger.kills).most_common()),
        faults=dict(sorted(rig.ledger.faults.items())),
        transactions=dict(sorted(rig.tap.counts.items())),
        connections_cut=sum(leg.cuts for leg in rig.legs),
        starts=sum(replica.starts for replica in rig.replicas),
        acknowledged=dict(Counter(given.kind for given in acknowledged)),
        in_doubt=len(inputs) - len(acknowledged),
        attempts=dict(sorted(crew.log.counts.items())),
        verdict=verdict.counts(),
        cases=first_cases(verdict),
        gap_repaired=gap_repaired(logs),
        recovery=spread_of(recoveries(kills, inputs, seen)),
        recovery_of_each_room=spread_of(recoveries_of_rooms(kills, inputs, seen)),
        errors_logged=errors_logged(logs),
    )
