"""Codebooks: exact nearest keys, and keys as moving averages of queries (van den Oord et al. 2017, A.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from clbench.core.device import compute_device

Update = Literal["mean", "reference"]


def nearest_keys(queries: Tensor, keys: Tensor, count: int = 1) -> Tensor:
    """The nearest keys of each query in Euclidean distance; among equal keys, the one of lowest index.

    The search is exact and never builds the (N, K) distances.

    Args:
        queries: (N, d).
        keys: (K, d).
        count: How many keys per query, at most K.

    Returns:
        (N, count) int64, the nearest first, on the device of the queries.
    """
    if not len(queries):
        return queries.new_empty(0, count, dtype=torch.int64)
    first = _first_of_equals(keys.cpu())
    distinct = (first == torch.arange(len(keys))).nonzero()[:, 0]
    if len(distinct) == len(keys):
        return _search(queries, keys, count).to(queries.device)
    # A search returns any of equal keys: it is made among distinct ones, and their equals follow each.
    found = distinct[_search(queries, keys[distinct], min(count, len(distinct)))]
    return (found if count == 1 else _with_equals(found, first, count)).to(queries.device)


def _search(queries: Tensor, keys: Tensor, count: int) -> Tensor:
    if compute_device().type == "cuda":
        return nearest_in_chunks(queries.cuda(), keys.cuda(), count).cpu()
    found: Tensor = _faiss_search(queries, keys, count)
    return found


# An operator of its own, so that torch's counter sees what faiss does.
@torch.library.custom_op("clbench::nearest_keys", mutates_args=())
def _faiss_search(queries: Tensor, keys: Tensor, count: int) -> Tensor:
    import faiss  # not needed on a GPU

    faiss.omp_set_num_threads(torch.get_num_threads())
    # From so many numbers in the queries on, faiss multiplies matrices; its default is too late for d = 12.
    faiss.cvar.distance_compute_blas_threshold = 1
    found: np.ndarray = faiss.knn(queries.contiguous().numpy(), keys.contiguous().numpy(), count)[1]
    return torch.from_numpy(found)


@register_flop_formula(torch.ops.clbench.nearest_keys)
def _search_flops(queries: tuple[int, int], keys: tuple[int, int], count: int, **shapes: object) -> int:
    """Of the inner products of N queries with K keys of size d."""
    return 2 * queries[0] * keys[0] * queries[1]


def nearest_in_chunks(queries: Tensor, keys: Tensor, count: int = 1, chunk: int = 16384) -> Tensor:
    """The same among distinct keys, by products of matrices, some queries at a time.

    argmin |q - k|^2 = argmax q.k - |k|^2 / 2.
    """
    half_norms = keys.square().sum(1) / 2  # (K,)
    found = []
    for part in queries.split(chunk):
        scores = torch.addmm(-half_norms, part, keys.T)  # (chunk, K)
        found.append(scores.argmax(1, keepdim=True) if count == 1 else scores.topk(count).indices)
    return torch.cat(found)


def _first_of_equals(keys: Tensor) -> Tensor:
    """For each of K keys (K, d), the lowest index of a key equal to it."""
    # Sorting a number for each key is much cheaper than sorting keys: equal keys have equal projections. The
    # direction is random: keys from bfloat16 are integers but for a factor, and simple sums are often equal.
    rows = keys.numpy()
    probe = np.random.default_rng(0).standard_normal(keys.shape[1])
    projections = np.add.reduce(rows.astype(np.float64) * probe, axis=1)  # in one order in each row
    order = np.argsort(projections, kind="stable")
    equal = np.diff(projections[order]) == 0  # to the one before
    rows = rows[order]
    if (rows[1:][equal] != rows[:-1][equal]).any():  # by chance
        unique, group = torch.unique(keys, dim=0, return_inverse=True)
        places = torch.arange(len(keys))
        return places.new_full((len(unique),), len(keys)).scatter_reduce_(0, group, places, "amin")[group]
    begins = np.r_[True, ~equal]
    first = np.empty_like(order)
    first[order] = order[begins][begins.cumsum() - 1]
    return torch.from_numpy(first)


def _with_equals(found: Tensor, first: Tensor, count: int) -> Tensor:
    """Puts behind each distinct key in ``found`` (N, n) its equals by index, and keeps ``count`` in all."""
    members = first.sort(stable=True).indices  # equal keys one after the other
    sizes = first.bincount(minlength=len(first))
    rank = torch.arange(len(first)) - (sizes.cumsum(0) - sizes)[first[members]]
    members, rank = members[rank < count], rank[rank < count]
    equals = torch.full((len(first), count), -1)
    equals[first[members], rank] = members
    candidates = equals[found].flatten(1)  # (N, n * count), -1 where there is none
    order = (candidates < 0).byte().argsort(dim=1, stable=True)
    return candidates.gather(1, order[:, :count])


def assigned(keys: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
    """The sums (K, d) of the queries (N, d) nearest to each key (K, d), and how many they are, (K,)."""
    asked = queries.to(keys.device).contiguous()
    nearest = nearest_keys(asked, keys)[:, 0]  # (N,)
    sums = torch.zeros_like(keys).index_add_(0, nearest, asked)
    return sums, nearest.bincount(minlength=len(keys))


def move_keys(keys: Tensor, queries: Iterable[Tensor], decay: float, update: Update = "mean") -> None:
    """Moves the keys of each codebook towards the queries that they are nearest to, in place.

    mean:      key <- (1 - decay) key + decay mean(assigned queries); a key without queries stays.
    reference: key <- (1 - decay) key + decay sum(assigned queries), as the public code of arXiv 2412.08528
               does it; a key without queries shrinks.

    Args:
        keys: (H, K, d).
        queries: Of each codebook, (N_h, d).
        decay: Share of the way, in (0, 1].
        update: Which of the two.
    """
    sums = torch.zeros_like(keys)
    counts = torch.zeros(keys.shape[:2], dtype=torch.int64, device=keys.device)
    for head, each in enumerate(queries):
        sums[head], counts[head] = assigned(keys[head], each)
    if update == "reference":
        keys.lerp_(sums, decay)
        return
    share = torch.where(counts > 0, decay, 0.0).to(keys.dtype)  # (H, K)
    keys.lerp_(sums / counts.clamp(min=1).unsqueeze(2), share.unsqueeze(2))
