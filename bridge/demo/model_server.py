"""Serve a model file by the OpenAI chat API on 127.0.0.1; runs in .envs/demo and imports nothing of the bridge.

The key that clients must show comes by the environment as MODEL_API_KEY. Ends on SIGTERM, and by the kernel's signal
when the demo that started it dies.
"""

import argparse
import importlib
import os
import signal
import sys
from typing import Any

CONTEXT_TOKENS = 4096
SLOTS = 2

# Any, by name: type checkers look into the bridge's own environment, which does not have it
xllamacpp: Any = importlib.import_module("xllamacpp")


def parameters(*, model: str, name: str, port: int, key: str) -> Any:
    """Return what the server is started with: one address, one key, nothing of its pages and tools."""
    wanted = xllamacpp.CommonParams()
    wanted.model.path = model
    wanted.model_alias = {name}
    wanted.hostnames = ["127.0.0.1"]
    wanted.port = port
    wanted.api_keys = [key]
    wanted.n_ctx = CONTEXT_TOKENS * SLOTS  # shared by the slots
    wanted.n_parallel = SLOTS
    wanted.cpuparams.n_threads = min(2, os.cpu_count() or 1)
    wanted.cpuparams_batch.n_threads = wanted.cpuparams.n_threads
    wanted.cache_ram_mib = 0
    wanted.ui = False
    wanted.endpoint_slots = False
    wanted.offline = True
    return wanted


def main() -> int:
    """Serve until a signal says stop; return the exit status."""
    parser = argparse.ArgumentParser(description="Serve a model file by the OpenAI chat API on 127.0.0.1.")
    parser.add_argument("--model", required=True, help="the model file (gguf)")
    parser.add_argument("--name", required=True, help="what clients call the model")
    parser.add_argument("--port", required=True, type=int)
    words = parser.parse_args()
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # before the server's threads, which inherit it
    key = os.environ["MODEL_API_KEY"]
    server = xllamacpp.Server(parameters(model=words.model, name=words.name, port=words.port, key=key))
    sys.stdout.write(f"listening on {server.listening_address}\n")
    sys.stdout.flush()
    signal.sigwait(signals)
    return 0


if __name__ == "__main__":
    sys.exit(main())
