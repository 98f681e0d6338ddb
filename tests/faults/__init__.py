"""The fault harness."""
