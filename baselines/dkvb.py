"""The discrete key-value bottleneck for text (DKVB, arXiv 2412.08528; Traeuble et al., arXiv 2207.11240).

Each token state of a frozen encoder is cut into H heads; in each, it selects the nearest of K frozen keys.
Only the values of these keys learn; logits are their mean (non-parametric decoder).

Carried: H x K x d keys and H x K x C values. Cost: keys are found once per text, then rows are looked up.
"""

from __future__ import annotations

from clbench.core.ranges import Amount, Count, Fraction, Positive, Size, Width
from clbench.methods.dkvb import choices
from clbench.methods.dkvb.key_init import KeyInitialization
from clbench.methods.dkvb.layout import HEAD_SIZE, Decoder, Layout, Padding, Place, Pooled, Segmentation
from clbench.methods.dkvb.learner import EPOCHS, BottleneckLearner
from clbench.methods.info import MethodInfo
from clbench.models.context import RunContext


class DKVB(BottleneckLearner):
    """Discrete key-value bottleneck; see ``clbench.methods.dkvb.layout.Layout`` for the first arguments.

    Args:
        context: Its learning rate is that of values; for ``sgd``, times the selections of the longest text.
        variant: What is None below is as in ``Choices``: ours, or that of the public code (``reference``).
        heads: H; None takes heads of 12 dimensions, as the paper's code does.
        keys: K, per head.
        segmentation: Cut hidden vectors into heads, or token positions into segments.
        pooling: Mean or CLS.
        place: Pool before or after the bottleneck.
        decoder: Mean of values, or a linear layer on values.
        top_k: Keys per query.
        projection: Dimensions of a random projection per head; 0: heads are slices.
        padding: See ``Choices``.
        initialization: Keys from other text (random, generic), each experience (incremental), all (oracle).
        strategy: Whether keys move, grow or get queries normalized along the stream.
        moved: What becomes of values where keys move.
        growth: Keys that each head can get on top, for ``grow``.
        key_dtype: How keys are stored.
        value_dtype: To which numbers values are rounded after each experience.
        stored: Whether all values are stored, or those alone that a text has selected.
        init_epochs: Passes over those texts; None is the paper's: 3, but 1 for generic and 0 for random.
        init_batch_size: Texts per step of the moving average.
        decay: Its step size.
        update: What keys move to.
        start: Where keys start.
        values: Where values start.
        optimizer: What trains values.
        lifetime: Of the optimizer.
        decoder_lr: Learning rate of the linear layer; None takes the default of the optimizer.
        trained_rows: Value rows that a step trains, by TF-IDF in the batch; None trains all.
    """

    info = MethodInfo(
        summary="values behind frozen keys that token states select",
        cost="keys once per text; a step reads and writes the selected values",
        paper="Diera et al. 2024, arXiv 2412.08528",
        bibtex=("diera2024dkvb", "traeuble2023dkvb", "lin2025sparsememory"),
        family="bottleneck",
        tunings=("frozen",),
        default_lr={"frozen": 0.3},
        search={"optimizer": ("row-mean", "adagrad")},
        search_needs={"variant": "default", "decoder": "non-parametric", "lifetime": None},
        memory={"network.codebooks": "keys", "network.projections": "keys", "network.values": "values"},
        named_arguments=("decoder", "initialization"),
        diagnostics=("diagnostics.",),
    )

    def __init__(
        self,
        context: RunContext, variant: choices.Variant = "default", heads: Size | None = None,
        keys: Size = 4096, segmentation: Segmentation = "hidden", pooling: Pooled = "mean",
        place: Place = "after", decoder: Decoder = "non-parametric", top_k: Size = 1, projection: Width = 0,
        padding: Padding | None = None, initialization: choices.KeyTexts | None = None,
        strategy: choices.Strategy | None = None, moved: choices.Moved | None = None,
        growth: Amount | None = None, init_epochs: Amount | None = None,
        init_batch_size: Count | None = None, decay: Fraction = 0.2, update: choices.Update | None = None,
        start: choices.Start | None = None, key_dtype: choices.KeyDtype | None = None,
        value_dtype: choices.ValueDtype | None = None, stored: choices.Stored | None = None,
        values: choices.ValueStart | None = None, optimizer: choices.Optimizer | None = None,
        lifetime: choices.Lifetime | None = None, decoder_lr: Positive | None = None,
        trained_rows: Count | None = None,
    ) -> None:  # fmt: skip
        ways = choices.Choices.of(
            variant, decoder, padding=padding, initialization=initialization, strategy=strategy, moved=moved,
            growth=growth, update=update, key_dtype=key_dtype, value_dtype=value_dtype, stored=stored,
            init_batch_size=init_batch_size, start=start, values=values, optimizer=optimizer,
            lifetime=lifetime, trained_rows=trained_rows,
        )  # fmt: skip
        size = context.encoder.hidden_size
        shape = (heads or size // HEAD_SIZE, keys, top_k, projection, ways.padding, size, context.max_tokens)
        layout = Layout(segmentation, pooling, place, decoder, *shape)
        passes = EPOCHS[ways.initialization] if init_epochs is None else init_epochs
        making = KeyInitialization(passes, ways.init_batch_size, decay, ways.update, ways.start)
        super().__init__(context, layout, ways.initialization, making, ways, decoder_lr)

    @property
    def variant(self) -> str:
        """``dkvb-np-oracle``: decoder and key initialization are part of the name."""
        return f"dkvb-{'np' if self.network.decoder is None else 'p'}-{self.texts}"
