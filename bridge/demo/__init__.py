"""The embedded stack: PostgreSQL, Synapse, a local model, the bridge and a host page, seeded with two tenants."""
