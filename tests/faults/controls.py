"""For each safeguard the fault that it is there for, as a short scenario; and what the checker must say without it."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tests.faults.crash_points import Planted
from tests.faults.stage import Run
from tests.support.waiting import until

GAPS, ECHO = "gaps are repaired", "an echo acknowledges"
ONE_ID = "a message has one transaction id for all attempts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A safeguard, its scenario, and the kind of wrong that comes of its absence.

    ``beside`` names safeguards that are off with it and without it: they would mend what it lets through.
    """

    safeguard: str
    scenario: Callable[[Run], Awaitable[None]]
    comes_of_it: str
    beside: tuple[str, ...] = ()


async def killed_behind_an_acknowledged_transaction(run: Run) -> None:
    life = await run.start(Planted(point="store.after_answer"))
    await run.say()
    await run.ended(life)
    await run.start()


async def without_postgresql_while_a_transaction_comes(run: Run) -> None:
    await run.start()
    run.rig.to_postgres.break_down()
    before = run.rig.tap.counts["plain"]
    await run.say()
    await until(lambda: run.count("plain"), lambda plain: plain > before)
    run.rig.to_postgres.heal()


async def killed_behind_an_acknowledged_event(run: Run) -> None:
    life = await run.start(Planted(point="accept.after_answer"))
    await run.post()
    await run.ended(life)
    await run.start()


async def an_old_id_for_a_new_transaction(run: Run) -> None:
    await run.start()
    await run.say()
    await run.until_kept()
    run.rig.tap.tricks.append("held back")
    await run.say()
    await run.until_count("held back")


async def the_same_events_in_another_transaction(run: Run) -> None:
    await run.start()
    await run.say()
    await run.until_kept()
    await run.rig.tap.play_again(run.rng, most=100, start_again=True)


async def a_transaction_that_synapse_forgets(run: Run) -> None:
    await run.start()
    run.rig.tap.tricks.append("forgotten")
    await run.say()
    await run.until_count("forgotten")


async def killed_behind_a_send(run: Run) -> None:
    life = await run.start(Planted(point="send.after_answer"))
    await run.post()
    await run.ended(life)
    await run.start()


async def two_messages_in_one_room(run: Run) -> None:
    await run.start()
    await run.post()
    await run.post()


async def killed_with_synapse_behind_a_send(run: Run) -> None:
    life = await run.start(Planted(point="send.after_answer"))
    await run.post()
    await run.ended(life)
    await run.rig.stack.synapse.process.kill()
    await run.rig.stack.synapse.start()
    await run.start()


async def frozen_before_a_burial(run: Run) -> None:
    """Freeze a bridge that is about to bury a head; thaw it when another has sent that one, and the next waits."""
    frozen = await run.start(
        Planted(point="bury.before", number=signal.SIGSTOP), mistakes=("sending fails unexpectedly",)
    )
    await run.post()
    await until(lambda: run.fail_the_head(faults=5), bool)
    await asyncio.wait_for(frozen.reached.wait(), 20)
    await run.start(replica=1)
    await run.until_sent()
    run.rig.to_synapse.break_down()
    await run.post(replica=1)
    frozen.send_signal(signal.SIGCONT)
    await until(lambda: run.has_buried_or_logged("head not buried"), bool)
    await run.rig.replicas[0].end()
    run.rig.to_synapse.heal()


async def an_older_message_comes_later(run: Run) -> None:
    await run.start()
    run.rig.tap.tricks.append("held back")
    await run.say()
    await run.until_count("held back")
    await run.say()


async def killed_while_events_are_handled(run: Run) -> None:
    life = await run.start(Planted(point="handle.between"))
    await run.say()
    await run.ended(life)
    await run.start()


async def a_head_that_has_to_wait(run: Run) -> None:
    await run.start(mistakes=("every other send is not answered",))
    for _ in range(4):
        await run.post()


async def killed_before_an_event_is_committed(run: Run) -> None:
    life = await run.start(Planted(point="accept.before_commit"))
    posting = asyncio.create_task(run.post())
    await run.ended(life)
    await run.start()
    await posting


async def killed_before_an_event_is_answered(run: Run) -> None:
    life = await run.start(Planted(point="accept.after_commit"))
    posting = asyncio.create_task(run.post())
    await run.ended(life)
    await run.start()
    await posting


async def tried_again_after_a_day(run: Run) -> None:
    life = await run.start(Planted(point="send.after_answer"))
    await run.post()
    await run.ended(life)
    await run.let_a_day_pass()
    await run.start()


async def an_answer_that_never_comes(run: Run) -> None:
    await run.start(mistakes=("the first answer is waited for in vain",))
    await run.post()
    await run.until_sent()


CONTROLS: Sequence[Control] = (
    Control(
        safeguard="a transaction is stored before it is acknowledged",
        scenario=killed_behind_an_acknowledged_transaction,
        comes_of_it="lost",
        beside=(GAPS,),
    ),
    Control(
        safeguard="a transaction that could not be stored is refused",
        scenario=without_postgresql_while_a_transaction_comes,
        comes_of_it="lost",
        beside=(GAPS,),
    ),
    Control(
        safeguard="an event of n8n is stored before it is acknowledged",
        scenario=killed_behind_an_acknowledged_event,
        comes_of_it="lost",
    ),
    Control(
        safeguard="a transaction's id proves nothing",
        scenario=an_old_id_for_a_new_transaction,
        comes_of_it="lost",
        beside=(GAPS,),
    ),
    Control(
        safeguard="an event counts once, by its event id",
        scenario=the_same_events_in_another_transaction,
        comes_of_it="doubled",
    ),
    Control(safeguard=GAPS, scenario=a_transaction_that_synapse_forgets, comes_of_it="lost"),
    Control(
        safeguard=ONE_ID,
        scenario=killed_behind_a_send,
        comes_of_it="doubled",
        beside=(ECHO,),
    ),
    Control(
        safeguard="each message has a transaction id of its own",
        scenario=two_messages_in_one_room,
        comes_of_it="lost",
    ),
    Control(
        safeguard="our bots have devices",
        scenario=killed_with_synapse_behind_a_send,
        comes_of_it="doubled",
        beside=(ECHO,),
    ),
    Control(
        safeguard="a lane's fence",
        scenario=frozen_before_a_burial,
        comes_of_it="lost",
        beside=("a lost lane is not noticed",),
    ),
    Control(safeguard="the homeserver's order", scenario=an_older_message_comes_later, comes_of_it="misordered"),
    Control(
        safeguard="an event is handled in the transaction that marks it so",
        scenario=killed_while_events_are_handled,
        comes_of_it="lost",
    ),
    Control(safeguard="a waiting head holds its lane", scenario=a_head_that_has_to_wait, comes_of_it="misordered"),
    Control(
        safeguard="key and messages are one transaction",
        scenario=killed_before_an_event_is_committed,
        comes_of_it="lost",
    ),
    Control(
        safeguard="an idempotency key is taken once",
        scenario=killed_before_an_event_is_answered,
        comes_of_it="doubled",
    ),
    Control(
        safeguard="an old attempt is looked up",
        scenario=tried_again_after_a_day,
        comes_of_it="doubled",
        beside=(ECHO,),
    ),
    Control(safeguard=ECHO, scenario=an_answer_that_never_comes, comes_of_it="doubled", beside=(ONE_ID,)),
)
"""One for each safeguard of ``safeguards.py``; a test holds the two lists together."""
