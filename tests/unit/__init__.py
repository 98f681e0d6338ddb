"""Tests of one part at a time: no network, no database."""
