"""Files of tenants, and how their plans are shown."""
