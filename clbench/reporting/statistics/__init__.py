"""Intervals, tests, ranks and aggregates."""
