"""The interface of every method: a LightningModule with hooks at the boundaries of experiences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import lightning
import torch
import torch.nn.functional as F
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from clbench.core.batch import Batch
from clbench.core.errors import UserError
from clbench.core.scenario import Experience
from clbench.core.types import Task
from clbench.methods.info import MEMORY_KINDS, MethodInfo, refused_task
from clbench.models.classifier import Network, TextClassifier
from clbench.models.context import RunContext
from clbench.models.frozen_prefix import FrozenPrefix
from clbench.models.language_network import TunedLanguageModel


class TextReader(Protocol):
    """The texts that a learner may read in a hook: never test texts, never those of another experience."""

    def batches(
        self, batch_size: int, *, prefix: FrozenPrefix | None = None, limit: int | None = None
    ) -> Iterator[Batch]:
        """Batches in a random order that the run's seed determines.

        Args:
            batch_size: Texts per batch.
            prefix: The frozen prefix to apply; None is the one of the learner's network.
            limit: Stop after this many texts.
        """
        ...

    def remembered(self, address: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """The result of ``make``, read from the cache on disk if an earlier run computed it.

        Args:
            address: A key that covers everything else that the result depends on.
            make: A pure function of the texts, their order, and whatever ``address`` covers.
        """
        ...


NETWORKS: Mapping[Task, Callable[[RunContext], Network]] = {
    "classification": TextClassifier,
    "language-model": TunedLanguageModel,
}
"""What is trained, where a method has no network of its own."""


class ContinualLearner(lightning.LightningModule):
    """A text classifier, or a language model, that learns from a stream of experiences.

    Without overrides it is naive fine-tuning of an encoder and one linear layer over all output columns. A
    method overrides as few of these hooks as possible. They are called in this order:

    1. ``begin_stream(reader)``: once, before training, if ``info.reads_at_start`` names texts.
    2. For each experience:

       a. ``begin_experience(experience, reader)``;
       b. ``configure_optimizers()``;
       c. ``on_train_start``, for each epoch ``on_train_epoch_start``, and for each batch
          ``on_train_batch_start``, ``training_step`` (which calls ``loss(batch)``, and that
          ``forward(batch)``), ``on_before_zero_grad``, ``on_before_backward``, the backward pass,
          ``on_after_backward``, ``on_before_optimizer_step``, the step, ``on_train_batch_end``; then
          ``on_train_epoch_end`` and ``on_train_end``; with ``patience``, ``forward`` on the experience's
          validation texts after each epoch, and before ``on_train_end`` the trainable parameters of the best
          epoch are restored;
       d. ``end_experience(experience, reader)``;
       e. ``diagnose(experience, reader)``;
       f. ``forward(batch)`` on the test texts of all experiences, in evaluation mode.

    Methods with ``info.gradient_free`` skip b and c. ``loss`` has no side effect on what the method
    remembers: fill a replay buffer in ``on_train_batch_end``. What a method remembers is a parameter or a
    registered buffer of fixed shape, so that checkpoints, moves between devices and the count of bytes need
    no further code. That includes what ``begin_experience`` sets: a run that was stopped within an experience
    goes on without calling it again. A buffer with ``persistent=False`` is one of the experience alone: it is
    saved, and not carried.

    Args:
        context: What the run provides. Subclasses add typed arguments after it, which become command-line
            flags ``--baseline.<argument>`` and YAML keys.
        network: The network to train; None is the encoder with one linear layer.
    """

    info: MethodInfo = MethodInfo()
    """The facts about the method; see :class:`clbench.methods.info.MethodInfo`."""

    def __init__(self, context: RunContext, network: Network | None = None) -> None:
        super().__init__()
        if context.tuning not in self.info.tunings:
            possible = " or ".join(self.info.tunings)
            raise UserError(f"{type(self).__name__} works with tuning {possible}, not {context.tuning}")
        if context.task not in self.info.tasks:
            raise UserError(refused_task(type(self).__name__, context.task))
        if self.info.needs_task_id and not context.task_aware:
            raise UserError(
                f"{type(self).__name__} needs a scenario in which the experience is known at test time "
                "(task-aware)"
            )
        self.context = context
        self.network = NETWORKS[context.task](context) if network is None else network
        if context.pooling not in ("mean", self.network.pooling):
            raise UserError(
                f"{type(self).__name__} pools token states by arguments of its own; option pooling "
                f"{context.pooling} does not apply to it"
            )
        if context.head not in self.network.heads:
            raise UserError(
                f"{type(self).__name__} has a network of its own; option head {context.head} does not apply "
                "to it"
            )
        self.lr = self.info.lr(context.tuning, context.head) if context.lr is None else context.lr
        self.generator = torch.Generator()  # the run seeds it at each boundary
        self.steps_per_epoch = 0  # of the current experience, set before ``on_train_start``

    # -- what a method overrides -------------------------------------------------------------------

    @property
    def variant(self) -> str:
        """The method's name in tables and result files, with the options that are part of that name."""
        name = type(self).__name__.lower()
        return f"{name}-{self.context.tuning_name}" if len(self.info.tunings) > 1 else name

    def forward(self, batch: Batch) -> Tensor:
        """Logits (B, C) of all output columns, before any mask; of next tokens (M, V)."""
        logits: Tensor = self.network(batch)
        return logits

    def loss(self, batch: Batch) -> Tensor:
        """The loss of one training step: cross-entropy over the columns of each text's class mask.

        Of a language model it is the mean over all next tokens of the batch.
        """
        return F.cross_entropy(self.scores(batch), self.network.targets(batch))

    def begin_stream(self, reader: TextReader) -> None:
        """Called once, before anything is learned, with the texts that ``info.reads_at_start`` names."""

    def begin_experience(self, experience: Experience, reader: TextReader) -> None:
        """Called before an experience is trained on; ``reader`` holds its training texts."""

    def end_experience(self, experience: Experience, reader: TextReader) -> None:
        """Called after training on an experience; ``reader`` holds its training texts."""

    def diagnose(self, experience: Experience, reader: TextReader) -> dict[str, Any]:
        """Diagnostics of an experience for the result file, as JSON values.

        Called after ``end_experience``; ``reader`` holds the training texts of the experience. It must not
        change later behavior, and its time is not part of the costs.
        """
        return {}

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """A new AdamW for each experience, over all trainable parameters."""
        trainable = [parameter for parameter in self.parameters() if parameter.requires_grad]
        return torch.optim.AdamW(trainable, lr=self.lr, weight_decay=self.context.weight_decay, fused=True)

    # -- what the base class owns ------------------------------------------------------------------

    def scores(self, batch: Batch) -> Tensor:
        """Logits (B, C), minus infinity outside each text's class mask."""
        logits: Tensor = self(batch)
        return self.network.masked(logits, batch)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Applies the frozen prefix to batches that do not come from the feature cache."""
        if batch.encoded or (prefix := self.network.prefix) is None:
            return batch
        return prefix(self.context.encoder, batch, self.context.max_tokens)

    def on_train_start(self) -> None:
        """Takes the number of steps from a Trainer, where one trains the learner in place of the engine."""
        if self._trainer is not None:
            self.steps_per_epoch = int(self.trainer.num_training_batches)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of one step on one batch."""
        return self.loss(batch)

    def named_trainable(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Names and values of the trainable parameters."""
        return ((name, each) for name, each in self.named_parameters() if each.requires_grad)

    def carried_bytes(self) -> dict[str, int]:
        """Bytes that must be kept from one experience to the next, beyond the pretrained encoder.

        Trainable parameters count in full, those of a tuned encoder included, since it is no longer the
        pretrained one. Frozen parameters of the encoder do not count.
        """
        carried: dict[str, int] = dict.fromkeys(MEMORY_KINDS, 0)
        frozen = {name for name, each in self.named_parameters() if not each.requires_grad}
        parameters = {name for name, _ in self.named_parameters()}
        for name, tensor in self.state_dict().items():
            kind = next((kind for prefix, kind in self.info.memory.items() if name.startswith(prefix)), None)
            if (kind is None and name in frozen) or name.startswith(self.info.diagnostics):
                continue
            carried[kind or ("weights" if name in parameters else "statistics")] += tensor.nbytes
        return {**carried, "total": sum(carried.values())}
