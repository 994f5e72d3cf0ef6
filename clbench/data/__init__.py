"""Scenarios, the texts behind them, and the data module that streams them."""
