"""Benchmarks against the real stack; each writes bench/results/<name>.json."""
