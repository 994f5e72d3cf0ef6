"""Neighbors among stored states (kNN-LM; Khandelwal et al. 2020, arXiv 1911.00172)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from clbench.methods.language.memory import MemoryNetwork
from clbench.models.context import RunContext

TEMPERATURES = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Temperatures that one is chosen from, in units of the mean squared distance of the neighbors of a state."""
QUERIES_AT_ONCE = 4096


class Datastore(MemoryNetwork):
    """States and the tokens that followed them: p_kNN(w) prop. to the sum of exp(-d^2 / t) over neighbors.

    A full store is a uniform sample of all that was seen (algorithm R).

    Args:
        context: What the run provides.
        capacity: Stored tokens.
        neighbors: k.

    Attributes:
        keys: (capacity, D) states, in half precision.
        tokens: (capacity,) the token that followed each.
        seen: How many were added.
    """

    keys: Tensor
    tokens: Tensor
    seen: Tensor

    def __init__(self, context: RunContext, capacity: int, neighbors: int) -> None:
        super().__init__(context, TEMPERATURES)
        self.capacity, self.neighbors = capacity, neighbors
        self.register_buffer("keys", torch.zeros(capacity, self.source.hidden_size, dtype=torch.float16))
        self.register_buffer("tokens", torch.zeros(capacity, dtype=torch.int32))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def observe(self, rows: Tensor, generator: torch.Generator) -> None:
        """Stores predictions, or a sample of them."""
        before, size = int(self.seen), len(rows)
        place = torch.arange(before, before + size)
        draws = (torch.rand(size, generator=generator, dtype=torch.float64) * (place + 1)).long()
        place = torch.where(place < self.capacity, place, draws)
        kept = (place < self.capacity).nonzero()[:, 0]
        last = dict(zip(place[kept].tolist(), kept.tolist(), strict=True))  # of one place the last one stays
        to, of = (
            torch.tensor(each, dtype=torch.int64, device=rows.device)
            for each in (list(last), list(last.values()))
        )
        self.keys[to] = rows[of, : self.keys.shape[1]].to(self.keys.dtype)
        self.tokens[to] = rows[of, -2].int()
        self.seen += size

    def evidence(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Squared distances of the neighbors over their mean (M, k), and the tokens after them (M, k)."""
        size = min(int(self.seen), self.capacity)
        states, keys = rows[:, : self.keys.shape[1]], self.keys[:size].float()
        found = [
            nearest_entries(part.contiguous(), keys, min(self.neighbors, size))
            for part in states.split(QUERIES_AT_ONCE)
        ]
        distances, places = (torch.cat(each) for each in zip(*found, strict=True))
        scaled = distances / distances.mean(1, keepdim=True).clamp(min=1e-12)
        return scaled, self.tokens[places].long()

    def probability(
        self, evidence: tuple[Tensor, Tensor], tokens: Tensor, frozen: Tensor, setting: float
    ) -> Tensor:
        """The weight of the neighbors that the token followed."""
        distances, followed = evidence
        weights = (-distances / setting).softmax(1)
        return (weights * (followed == tokens.unsqueeze(1))).sum(1)

    def probabilities(self, evidence: tuple[Tensor, Tensor], frozen: Tensor, setting: float) -> Tensor:
        """The weights of the neighbors, added up by token."""
        distances, followed = evidence
        return torch.zeros_like(frozen).scatter_add_(1, followed, (-distances / setting).softmax(1))


def nearest_entries(queries: Tensor, keys: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Squared distances (N, count) and places (N, count) of the nearest keys (K, D) of queries (N, D)."""
    if queries.device.type != "cpu":
        distances, places = torch.cdist(queries, keys).topk(count, largest=False)
        return distances.square(), places
    distances, places = _faiss_entries(queries, keys, count)
    return distances, places


# An operator of its own, so that torch's counter sees what faiss does.
@torch.library.custom_op("clbench::nearest_entries", mutates_args=())
def _faiss_entries(queries: Tensor, keys: Tensor, count: int) -> tuple[Tensor, Tensor]:
    import faiss  # not needed on a GPU

    faiss.omp_set_num_threads(torch.get_num_threads())
    faiss.cvar.distance_compute_blas_threshold = 1  # one way to sum, whatever else ran in this process
    distances, places = faiss.knn(queries.contiguous().numpy(), keys.contiguous().numpy(), count)
    return torch.from_numpy(distances), torch.from_numpy(places)


@register_flop_formula(torch.ops.clbench.nearest_entries)
def _search_flops(queries: tuple[int, int], keys: tuple[int, int], count: int, **shapes: object) -> int:
    """Of the inner products of N queries with K keys of size D."""
    return 2 * queries[0] * keys[0] * queries[1]
