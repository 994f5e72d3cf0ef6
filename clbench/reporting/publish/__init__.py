"""Whole reports, the index of a results folder, and tables inside other files."""
