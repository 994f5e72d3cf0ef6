"""Runs in Weights & Biases: what is logged, live and afterwards, and the dashboards that show it."""
