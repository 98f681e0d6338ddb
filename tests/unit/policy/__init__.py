"""Decisions: tables, golden cases and laws."""
