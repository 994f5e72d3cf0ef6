"""Where the sound form of DKVB and the public code of arXiv 2412.08528 differ, and which of both is taken."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from clbench.methods.dkvb.codebook import Update
from clbench.methods.dkvb.codebooks import KeyDtype
from clbench.methods.dkvb.key_init import Start
from clbench.methods.dkvb.layout import Decoder, Padding
from clbench.methods.dkvb.strategies import Strategy
from clbench.methods.dkvb.values import Stored, ValueDtype

__all__ = [
    "Choices", "KeyDtype", "KeyTexts", "Lifetime", "Moved", "Optimizer", "Start", "Stored", "Strategy",
    "Update", "ValueDtype", "ValueStart", "Variant",
]  # fmt: skip
Variant = Literal["default", "reference"]
KeyTexts = Literal["oracle", "incremental", "generic", "random"]
Optimizer = Literal["row-mean", "adagrad", "sgd", "row-adagrad", "row-adam", "sparse-adam", "reference"]
Moved = Literal["stay", "carry"]
ValueStart = Literal["zero", "reference"]
Lifetime = Literal["experience", "reference"]


@dataclass(frozen=True)
class Choices:
    """One way to do each of these; the defaults are ours, ``reference`` is the public code's.

    Attributes:
        padding: Padding has no weight (``masked``), or texts are padded to the limit and padding counts.
        initialization: Where keys come from: random tokens of other text, or averages over the texts of all
            experiences, which see the future, over those of each before it is learned (``incremental``), or
            over other text (``generic``).
        strategy: What keys do from the second experience on (see ``strategies``). None is ``frozen``, and
            ``average`` for keys that are made incrementally.
        moved: Where keys move between experiences, values stay with the number of their key, as in the public
            code, or each moved or new key takes the value of the key that was nearest to its place
            (``carry``).
        growth: Keys that each head can have more, with the strategy ``grow``.
        key_dtype: How keys are stored.
        init_batch_size: Texts per step of key initialization.
        update: Keys move to the mean of their queries, or to the sum.
        start: Keys start at token states, or Kaiming-uniform.
        values: Values start at zero, or standard normal. A value that no text selects in training keeps its
            start for ever: noise, unless it is zero.
        value_dtype: To which numbers values are rounded after each experience.
        stored: Whether all values are stored, or those alone that a text has selected, with their numbers.
        optimizer: Running means (see ``RowMean``), Adagrad, SGD, Adagrad or Adam with one number per row, or
            SparseAdam, on the selected values; or AdamW on all. Ours is running means, and Adagrad below a
            linear layer.
        lifetime: A new optimizer for each experience, or one for the stream: of AdamW, or of SGD, which has
            no state.
        trained_rows: Selected value rows that a step trains, by TF-IDF; None trains all (see ``RowMask``).
    """

    padding: Padding = "masked"
    initialization: KeyTexts = "random"
    strategy: Strategy | None = None
    growth: int = 0
    key_dtype: KeyDtype = "float32"
    moved: Moved = "stay"
    init_batch_size: int = 256
    update: Update = "mean"
    start: Start = "states"
    values: ValueStart = "zero"
    value_dtype: ValueDtype = "float32"
    stored: Stored = "all"
    optimizer: Optimizer = "row-mean"
    lifetime: Lifetime = "experience"
    trained_rows: int | None = None

    @classmethod
    def of(cls, variant: Variant, decoder: Decoder, **given: Any) -> Choices:
        """The choices of a variant, with those that are given and not None in their place.

        Args:
            variant: Ours, or the public code's.
            decoder: What makes logits of values.
            given: By name.
        """
        ours = cls(optimizer="adagrad") if decoder == "parametric" else cls()
        own = {name: value for name, value in given.items() if value is not None}
        return dataclasses.replace(REFERENCE if variant == "reference" else ours, **own)


REFERENCE = Choices(
    padding="reference",
    initialization="oracle",
    moved="stay",
    init_batch_size=16,
    update="reference",
    start="reference",
    values="reference",
    optimizer="reference",
    lifetime="reference",
)
