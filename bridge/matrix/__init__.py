"""Synapse, both directions: what it sends us, and what we ask of it."""
