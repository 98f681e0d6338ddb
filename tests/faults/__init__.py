"""The fault harness: breaks everything around the bridge and in it, and proves what stands afterwards.

Run it
    ``make chaos`` is ten minutes of faults (``CHAOS_SECONDS=60 CHAOS_SEED=3`` makes it shorter and repeats draws). It
    prints a report and keeps it in ``bench/results/chaos.json``. ``python -m tests.faults --dir FOLDER`` keeps logs:
    in ``FOLDER/faults.log`` each fault, in ``FOLDER/inputs.log`` each input with its times, in ``FOLDER/logs`` all
    parts.
    ``make test`` runs one minute (``test_chaos.py``), the control runs (``test_safeguards.py``), the full disk
    (``test_full_disk.py``) and the checker's own tests (``test_checker.py``).

What is real
    Synapse, PostgreSQL, the module and the bridge are those of the demo. Several bridges share one database, so that
    leases and fences have something to do. The product has no switch for tests: crash points and missing safeguards
    are planted from outside, in a process that has imported the bridge and forks (``zygote.py``).

How it goes
    ``load.py`` writes: producers post events as n8n does and repeat themselves until they are answered, people send
    with their own transaction ids. ``faults.py`` breaks: bridges are killed at random and at named points
    (``crash_points.py``), frozen beyond their leases, stopped and started; Synapse and PostgreSQL are killed, stopped
    and frozen; ``proxy.py`` cuts, slows and deafens connections; ``tap.py`` doubles, forgets, holds back and replays
    transactions, under ids that start again. ``chaos.py`` lets all of it loose at once and then waits for peace.

How it is judged
    ``truth.py`` reads Synapse's own tables and the bridge's read model. ``checker.py``, which is pure, says what is
    lost, doubled, misordered, misplaced, alien or left over. ``recovery.py`` measures from each kill to the sight, in
    another person's client, of what was acknowledged next.

How the checker is checked
    ``test_checker.py`` plants each way of being wrong in a history. ``controls.py`` goes further: for each safeguard of
    ``safeguards.py`` it plays the fault that the safeguard is there for, once with it, which must be clean, and once
    without it, which the checker must catch. Where a second safeguard would mend what the first lets through, it is off
    in both.

What it does not show
    A machine that loses power: processes die here, and what the kernel has keeps. More than one Synapse process.
    The assistant's answers and reconciles under faults: other tests kill those.
"""
