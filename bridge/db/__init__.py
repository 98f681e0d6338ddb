"""The only SQL: one store per noun, forward-only migrations, transactions that see one tenant."""
