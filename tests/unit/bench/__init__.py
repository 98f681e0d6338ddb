"""Tests of the benchmarks' pure parts and of their results."""
