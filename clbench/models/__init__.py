"""Pretrained encoders, what is added to them, and the frozen prefix with its cache."""
