"""The discrete key-value bottleneck for text (DKVB, arXiv 2412.08528; Traeuble et al., arXiv 2207.11240).

Each token state of a frozen encoder is cut into H heads; in each, it selects the nearest of K keys. Keys are
moving averages of token states and then frozen; only the values behind the selected keys learn. With the
non-parametric decoder a value has one entry per output column, and the logits are the mean of all selected
values over tokens and heads. Values that a text does not select do not change at all.

Carried: H x K x d keys and H x K x C values. Cost: keys are found once per text, then rows are looked up.
Arguments where this deviates from the public code have a value ``reference``, which is what that code does.
"""

from __future__ import annotations

from typing import Literal

from clbench.methods.dkvb.codebook import Update
from clbench.methods.dkvb.key_init import KeyInitialization, Start
from clbench.methods.dkvb.layout import Decoder, Layout, Segmentation
from clbench.methods.dkvb.learner import BottleneckLearner, KeyTexts, Optimizer, ValueTraining
from clbench.methods.info import MethodInfo
from clbench.models.context import RunContext

HEAD_SIZE = 12
EPOCHS: dict[KeyTexts, int] = {"oracle": 3, "incremental": 3, "generic": 1, "random": 0}


class DKVB(BottleneckLearner):
    """Discrete key-value bottleneck; see ``clbench.methods.dkvb.layout.Layout`` for the first arguments.

    Args:
        context: What the run provides. Its learning rate is that of values. For ``sgd`` it is the most
            that a selection in one text of full length moves a value: the gradient of a mean over n
            selections is multiplied by the largest n. None takes 0.1, and 0.01 for ``reference``.
        heads: H; None takes heads of 12 dimensions, as the paper's single-head code does.
        keys: K, per head.
        segmentation: Cut hidden vectors into heads, or token positions into segments.
        pooling: Mean or CLS.
        place: Pool before or after the bottleneck.
        decoder: Mean of values, or a linear layer on values.
        top_k: Keys per query.
        projection: Dimensions of a random projection per head; 0: heads are slices.
        padding: Masked, or counted as in the public code (``reference``).
        initialization: Keys are averages of the training texts of all experiences (``oracle``: sees the
            future), of each experience before it is learned (``incremental``), of text of no experience
            (``generic``), or are states of random tokens of such text (``random``).
        moved: Where ``incremental`` moves keys, each takes the value of the nearest key before the move, or
            keeps its own (``reference``).
        init_epochs: Passes over those texts; None is the paper's: 3, but 1 for generic and 0 for random.
        init_batch_size: Texts per step of the moving average.
        decay: Step size of the moving average.
        update: To the mean of the queries of a key, or their sum (``reference``).
        start: Keys start at random token states, or standard normal (``reference``).
        values: Values start at zero, or standard normal (``reference``).
        optimizer: Of the selected values; or dense AdamW (``reference``), which moves all of them.
        lifetime: A new optimizer per experience, or one for the stream (``reference``).
        decoder_lr: Learning rate of the linear layer; None takes 0.1, and 0.001 for ``reference``.
    """

    info = MethodInfo(
        paper="Diera et al. 2024, arXiv 2412.08528",
        bibtex=("diera2024dkvb", "traeuble2023dkvb"),
        family="bottleneck",
        tunings=("frozen",),
        default_lr={"frozen": 0.1},
        memory={"network.keys": "keys", "network.projections": "keys", "network.values": "values"},
        named_arguments=("decoder", "initialization"),
        diagnostics=("diagnostics.",),
    )

    def __init__(
        self,
        context: RunContext,
        heads: int | None = None,
        keys: int = 4096,
        segmentation: Segmentation = "hidden",
        pooling: Literal["mean", "cls"] = "mean",
        place: Literal["before", "after"] = "after",
        decoder: Decoder = "non-parametric",
        top_k: int = 1,
        projection: int = 0,
        padding: Literal["masked", "reference"] = "masked",
        initialization: KeyTexts = "oracle",
        moved: Literal["carry", "reference"] = "carry",
        init_epochs: int | None = None,
        init_batch_size: int = 256,
        decay: float = 0.2,
        update: Update = "mean",
        start: Start = "states",
        values: Literal["zero", "reference"] = "zero",
        optimizer: Optimizer = "sgd",
        lifetime: Literal["experience", "reference"] = "experience",
        decoder_lr: float | None = None,
    ) -> None:
        size = context.encoder.hidden_size
        counts = (size // HEAD_SIZE if heads is None else heads, keys, top_k, projection)
        layout = Layout(segmentation, pooling, place, decoder, *counts, padding, size, context.max_tokens)
        epochs = EPOCHS[initialization] if init_epochs is None else init_epochs
        making = KeyInitialization(epochs, init_batch_size, decay, update, start)
        training = ValueTraining(optimizer, values, lifetime, decoder_lr)
        super().__init__(context, layout, initialization, making, training, moved)

    @property
    def variant(self) -> str:
        """``dkvb-np-oracle``: decoder and key initialization are part of the name."""
        return f"dkvb-{'np' if self.network.decoder is None else 'p'}-{self.texts}"
