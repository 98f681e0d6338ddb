"""Makes the module's rules importable here, where Synapse is not installed: they are plain Python."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "synapse_module"))
