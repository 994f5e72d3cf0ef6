"""Memories of a frozen language model: neighbors, counts and values behind keys."""
