"""BitNexus Chat: a Matrix application service that gives tenants of a SaaS their own spaces and rooms."""

__version__ = "0.1.0"
