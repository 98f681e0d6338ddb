"""Remove a demo with all its data: ``python -m bridge.demo.remove DIR``."""

import argparse
import asyncio
import shutil
import sys
from pathlib import Path

from bridge.demo.command import stop_demo
from bridge.demo.errors import DemoError
from bridge.demo.postgres_place import remove_place
from bridge.demo.progress import Steps


def remove(directory: Path) -> None:
    """Remove the folder of a stopped demo, and what stands outside it; refuses a folder that is no demo's."""
    if not directory.exists():
        return
    if not any((directory / name).exists() for name in ("credentials.json", "lock")):
        raise DemoError(f"{directory} is not the folder of a demo: not removing it")
    remove_place(directory)
    shutil.rmtree(directory)


def main() -> int:
    """Stop and remove the demo that the command line names; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bridge.demo.remove", description="Remove a demo with all its data."
    )
    parser.add_argument("directory", type=Path)
    directory: Path = parser.parse_args().directory.absolute()
    steps = Steps()
    try:
        asyncio.run(stop_demo(directory, steps))
        remove(directory)
    except DemoError as error:
        steps.console.print(str(error), markup=False, highlight=False, soft_wrap=True, style="red")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
