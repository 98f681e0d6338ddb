"""Decisions: a snapshot in, a decision out; no IO, no clock, no randomness."""
