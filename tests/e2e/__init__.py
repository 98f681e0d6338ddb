"""Tests from the outside: browsers, and the demo as its user starts it."""
