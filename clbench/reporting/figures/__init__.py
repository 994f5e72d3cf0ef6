"""Figures of loaded results, each a function of the table that ``load_results`` returns."""
