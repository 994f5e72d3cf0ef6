"""Adapter-HAT, as PyContinual compares with it (Ke et al. 2021, arXiv 2112.02706).

Hard attention to the task (Serra et al. 2018) inside the adapters of a frozen encoder: an adapter of 2,000
units after attention and after the feed-forward part of each layer, x + g2 * ReLU(W2 (g1 * ReLU(W1 x))), with
gates g = sigmoid(s e_t) on both of its layers; layer norms train too. Loss: cross-entropy + sparsity * the
mean gate of units that are still free. A weight from unit j to unit i makes the share 1 - min(used_i, used_j)
of its update, with ``used`` the largest gates of earlier experiences at s = 400.

``hat`` with tuning ``adapter`` is the same idea in Houlsby adapters of 64 units, trained by plain SGD. With
AdamW, scaling gradients protects nothing: Adam rescales them, and weight decay moves every weight.
``--baseline.update reference`` does so all the same, as the authors' code.

Carried: adapters and layer norms, and T embeddings per gated unit. A step costs a copy of the adapters beyond
a naive one; an evaluation with ``ent_id`` T passes.
"""

from __future__ import annotations

import dataclasses

from clbench.methods.gating.masked import MaskedLearner


class AdapterHAT(MaskedLearner):
    """Hard attention to the task in wide adapters."""

    info = dataclasses.replace(
        MaskedLearner.info,
        name="Adapter-HAT",
        summary="learned gates per experience protect wide adapters",
        cost="a copy of the adapters per step",
        paper="Ke et al. 2021, arXiv 2112.02706",
        bibtex=("ke2021ctr", "serra2018hat"),
    )
