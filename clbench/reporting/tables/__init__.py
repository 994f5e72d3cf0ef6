"""Comparison tables, from means to Markdown, CSV, LaTeX and HTML."""
