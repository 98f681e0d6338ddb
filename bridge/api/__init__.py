"""The HTTP API that we serve: one table of routes, one file per noun."""
