"""Write a benchmark's figures with what they were measured on."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
_LOAD_BEFORE = os.getloadavg()[0]


def write_results(name: str, figures: Mapping[str, object]) -> None:
    """Write ``bench/results/<name>.json`` and print it.

    ``load_of_others`` is what was running before: from about 0.5 upwards, times and ratios suffer.
    """
    git = ["git", "rev-parse", "HEAD"]
    commit = subprocess.run(git, cwd=RESULTS, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
    facts = {
        "commit": commit,
        "command": f"python -m bench {name}",
        "machine": {
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
            "platform": sys.platform,
            "load_of_others": round(_LOAD_BEFORE, 2),
        },
        **figures,
    }
    text = json.dumps(facts, indent=2) + "\n"
    (RESULTS / f"{name}.json").write_text(text)
    print(text)
