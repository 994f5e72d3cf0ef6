"""How large a report is by default."""

MANY = 1000
"""Runs of which figures and pages are made unless they are asked for: those of more take minutes."""
