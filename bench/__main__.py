"""Run the benchmarks, all or those named: ``python -m bench [reconcile] [relay] [neighbours] [tickets]``."""

import asyncio
import sys

from bench import neighbours, reconcile, relay, tickets
from bench.tables import write_tables

BENCHMARKS = {"reconcile": reconcile.main, "relay": relay.main, "neighbours": neighbours.main, "tickets": tickets.main}


def main() -> None:
    """Run each benchmark after the other, and put the figures into docs/figures.md."""
    for name in sys.argv[1:] or BENCHMARKS:
        if name not in BENCHMARKS:
            sys.exit(f"there is no benchmark '{name}'; there are: {', '.join(BENCHMARKS)}")
        asyncio.run(BENCHMARKS[name]())
        write_tables()


if __name__ == "__main__":
    main()
