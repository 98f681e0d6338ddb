"""The suite against a real n8n; `make test-n8n` runs it."""
