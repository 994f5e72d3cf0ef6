"""The parts of the engine that take another way on a GPU compute what they compute on a CPU."""

import numpy as np
import pytest
import torch

from clbench.methods.dkvb.codebook import move_keys, nearest_in_chunks, nearest_keys
from clbench.methods.language.datastore import nearest_entries
from clbench.models.encoder import load_encoder
from clbench.models.frozen_prefix import encode

POOLINGS = ("states", "mean", "cls", "last", "padded")


def rows_of(precision, pooling):
    """What is kept of some texts, in their order."""
    encoder = load_encoder("tiny", precision)
    words = [
        "the",
        "price",
        "of",
        "grain",
        "and",
        "of",
        "ships",
        "in",
        "the",
        "gulf",
        "rose",
        "as",
        "oil",
        "fell",
        "in",
        "one",
        "day",
        "of",
        "march",
    ]
    texts = [" ".join(words[at % 7 : at % 7 + 1 + at % 11]) for at in range(60)]
    tokens = encoder.tokenize(texts, [None] * len(texts), 16)
    pad_to = 16 if pooling == "padded" else None
    found = {}
    for part in encode(encoder, tokens, (pooling,), pad_to):
        rows, lengths = part.rows[pooling]
        found |= dict(zip(part.places.tolist(), np.split(rows, np.cumsum(lengths)[:-1]), strict=True))
    return np.concatenate([found[at] for at in range(len(texts))])


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("bfloat16", 0.1)])
def test_features(precision, tolerance, pooling, on_cpu):
    found = rows_of(precision, pooling)
    on_cpu()
    np.testing.assert_allclose(found, rows_of(precision, pooling), atol=tolerance)


def test_nearest_keys():
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(20_000, 12, generator=generator)
    keys = torch.randn(4096, 12, generator=generator)
    keys[100] = keys[7]  # of equal keys the first
    exact = torch.cdist(queries.double(), keys.double())
    for count in (1, 3):
        found = nearest_keys(queries, keys, count)
        assert found.device.type == "cpu"
        reached, least = exact.gather(1, found), exact.sort(dim=1).values[:, :count]
        torch.testing.assert_close(reached, least, atol=1e-4, rtol=0)
    moved = nearest_keys(queries.cuda(), keys.cuda())
    assert moved.device.type == "cuda"
    assert torch.equal(moved.cpu(), nearest_keys(queries, keys))
    chunked = nearest_in_chunks(queries.cuda(), keys.cuda(), chunk=999).cpu()
    torch.testing.assert_close(exact.gather(1, chunked), exact.amin(1, keepdim=True), atol=1e-4, rtol=0)
    assert nearest_keys(keys[100:101], keys).item() == 7


def test_keys_move_alike():
    generator = torch.Generator().manual_seed(0)
    keys, queries = (torch.randn(*shape, generator=generator) for shape in ((3, 20, 4), (30, 3, 4)))
    moved = keys.cuda()
    move_keys(moved, queries.cuda().unbind(1), 0.2)
    move_keys(keys, queries.unbind(1), 0.2)
    torch.testing.assert_close(moved.cpu(), keys, atol=1e-5, rtol=0)


def test_stored_entries():
    generator = torch.Generator().manual_seed(0)
    queries, keys = (torch.randn(count, 24, generator=generator) for count in (300, 2000))
    distances, places = nearest_entries(queries.cuda(), keys.cuda(), 5)
    expected, at = torch.cdist(queries.double(), keys.double()).square().topk(5, largest=False)
    torch.testing.assert_close(distances.cpu().double(), expected, atol=1e-3, rtol=0)
    assert torch.equal(places.cpu(), at)
