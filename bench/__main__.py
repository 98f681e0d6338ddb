"""Run the benchmarks, all or those named: ``python -m bench [reconcile] [relay]``."""

import asyncio
import sys

from bench import reconcile, relay

BENCHMARKS = {"reconcile": reconcile.main, "relay": relay.main}


def main() -> None:
    """Run each benchmark after the other."""
    for name in sys.argv[1:] or BENCHMARKS:
        if name not in BENCHMARKS:
            sys.exit(f"there is no benchmark '{name}'; there are: {', '.join(BENCHMARKS)}")
        asyncio.run(BENCHMARKS[name]())


if __name__ == "__main__":
    main()
