"""``bitnexus-chat plan`` and ``apply``: what an operator does with a file of tenants; nothing listens here."""
