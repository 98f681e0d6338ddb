"""The HTTP API: its table, its bodies, its credentials."""
