"""The command ``bitnexus-chat``; also ``python -m bridge``."""

import sys

from bridge.cli import run_command


def main() -> None:
    """Run the command line and leave with its exit status."""
    sys.exit(run_command(sys.argv[1:]))


if __name__ == "__main__":
    main()
