"""Texts of many lengths for the tests of the feature cache."""

import torch

LIMIT = 40
WORDS = "the market of oil and a question about one function that would return the best price in time"


def make_texts() -> tuple[list[str], list[str | None]]:
    """26 different texts of 3 to more than ``LIMIT`` tokens, some of exactly 16 and 32, and four pairs."""
    words = WORDS.split() * 3
    sizes = (*range(1, 18), 30, 30, 30, 45)
    texts = [" ".join(words[at % 5 : at % 5 + size]) for at, size in enumerate(sizes)]
    pairs = {"a question": "one", "another": "two", texts[9]: texts[8], texts[19]: texts[20]}
    return [*texts, "the only", *pairs], [*[None] * len(texts), None, *pairs.values()]


TEXTS, PAIRS = make_texts()


EVERY = range(len(TEXTS))


def ask(cache, encoder, prefix, at=EVERY, limit=LIMIT):
    return cache.features(encoder, [TEXTS[i] for i in at], [PAIRS[i] for i in at], limit, prefix)[0]


def twice(states: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Every second row of each text, doubled."""
    parts = [part[::2] * 2 for part in states.split(lengths.tolist())]
    return torch.cat(parts), torch.tensor([len(part) for part in parts])
