"""Frozen data of the domain; no IO."""
