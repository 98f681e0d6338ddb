"""Write a benchmark's figures with what they were measured on."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def write_results(name: str, figures: Mapping[str, object]) -> None:
    """Write ``bench/results/<name>.json`` and print it."""
    git = ["git", "rev-parse", "HEAD"]
    commit = subprocess.run(git, cwd=RESULTS, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
    facts = {
        "commit": commit,
        "command": f"python -m bench {name}",
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "platform": sys.platform},
        **figures,
    }
    text = json.dumps(facts, indent=2) + "\n"
    (RESULTS / f"{name}.json").write_text(text)
    print(text)
