"""``python -m tests.faults``: a chaos run from the command line, its report kept in ``bench/results/chaos.json``."""

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

from bench.results import write_results
from tests.faults.chaos import run_chaos


def main() -> int:
    """Run, print the report, write it; the exit status says whether the history was clean."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Break everything for a while.")
    parser.add_argument("--seconds", type=float, default=600, help="how long (default: 600)")
    parser.add_argument("--seed", type=int, default=None, help="repeat the draws of an earlier run")
    parser.add_argument("--dir", type=Path, default=None, help="keep the stack's data and logs there")
    parser.add_argument("--no-results", action="store_true", help="do not write bench/results/chaos.json")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(run_chaos(options.dir or Path(folder), seed=seed, seconds=options.seconds))
    if options.no_results:
        sys.stdout.write(report.show() + "\n")
    else:
        command = f"python -m tests.faults --seconds {options.seconds:g} --seed {seed}"
        write_results("chaos", {"command": command, **report.to_json()})
    return 0 if not report.cases else 1


if __name__ == "__main__":
    sys.exit(main())
