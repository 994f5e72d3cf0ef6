"""Codebooks: exact nearest keys, and keys as moving averages of queries (van den Oord et al. 2017, A.1)."""

from __future__ import annotations

import faiss
import torch
from torch import Tensor


def split_heads(states: Tensor, heads: int) -> Tensor:
    """Cuts hidden vectors into heads: (N, D) to (N, H, D / H)."""
    return states.view(len(states), heads, -1)


def nearest_keys(queries: Tensor, keys: Tensor) -> Tensor:
    """The nearest key of each query in Euclidean distance, head by head; ties go to the lowest index.

    The search is exact and never builds the (N, H, K) distances.

    Args:
        queries: (N, H, d).
        keys: (H, K, d).

    Returns:
        (N, H) int64.
    """
    if queries.is_cuda:
        return _nearest_in_chunks(queries, keys)
    faiss.omp_set_num_threads(torch.get_num_threads())
    # From so many numbers in the queries on, faiss multiplies matrices; its default is too late for d = 12.
    faiss.cvar.distance_compute_blas_threshold = 1
    found = torch.empty(queries.shape[:2], dtype=torch.int64)
    for head in range(len(keys)):
        search = faiss.knn(queries[:, head].contiguous().numpy(), keys[head].contiguous().numpy(), 1)
        found[:, head] = _first_of_equals(keys[head])[torch.from_numpy(search[1][:, 0])]
    return found


def _first_of_equals(keys: Tensor) -> Tensor:
    """For each of K keys (K, d), the lowest index of a key equal to it: the search returns any of them."""
    places = torch.arange(len(keys))
    # Equal keys have equal projections; sorting those is much cheaper than sorting the keys.
    probe = torch.linspace(1.0, 2.0, keys.shape[1], dtype=torch.float64)
    projections = (keys.double() * probe).sum(1).sort().values
    if not (projections[1:] == projections[:-1]).any():
        return places
    unique, group = torch.unique(keys, dim=0, return_inverse=True)
    first = places.new_full((len(unique),), len(keys)).scatter_reduce_(0, group, places, "amin")
    return first[group]


def _nearest_in_chunks(queries: Tensor, keys: Tensor, chunk: int = 4096) -> Tensor:
    """Argmin |q - k|^2 = argmax q.k - |k|^2 / 2, for as many queries at a time as memory likes."""
    half_norms = keys.square().sum(-1) / 2  # (H, K)
    found = [
        torch.baddbmm(-half_norms.unsqueeze(1), part.transpose(0, 1), keys.transpose(1, 2)).argmax(-1)
        for part in queries.split(chunk)
    ]
    return torch.cat(found, dim=1).T


def move_keys(keys: Tensor, queries: Tensor, decay: float) -> None:
    """Moves each key towards the mean of the queries that it is nearest to, in place.

    key <- (1 - decay) key + decay mean(assigned queries); a key without queries stays where it is.

    Args:
        keys: (H, K, d).
        queries: (N, H, d).
        decay: Share of the way, in (0, 1].
    """
    assigned = nearest_keys(queries, keys)  # (N, H)
    for head in range(len(keys)):
        sums = torch.zeros_like(keys[head]).index_add_(0, assigned[:, head], queries[:, head])
        counts = assigned[:, head].bincount(minlength=keys.shape[1]).to(keys.dtype)  # (K,)
        used = counts > 0
        means = sums[used] / counts[used, None]
        keys[head, used] = keys[head, used].lerp(means, decay)
