"""Training on one experience: a plain loop that calls a learner's hooks as ``lightning.Trainer`` does.

A step of a linear probe takes 0.3 ms; by the Trainer with a DataLoader it takes eight times as long
(``clbench bench probe_step``). Device and logger come from Lightning's Fabric.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler

from clbench.core.batch import Batch
from clbench.core.costs import Cost, FlopCounter, Meter
from clbench.data.batches import Batches
from clbench.engine.early_stopping import EarlyStopping
from clbench.engine.learner_state import load_state
from clbench.engine.progress import StepBar
from clbench.methods.learner import ContinualLearner
from clbench.tracking import names

REPORT_EVERY = 10
"""Steps between two looks at the loss."""
COUNTED_FIRST, COUNT_EVERY = 4, 128
"""On cached features, the first steps of an experience are counted, and then each step that is a multiple."""


@dataclass
class Trained:
    """What the training on an experience was.

    Attributes:
        steps: Optimizer steps.
        changed_per_step: Parameters that the first step could change.
        epochs: Passes over the training texts.
        early_stopping: The best epoch, counted from 1, and the validation accuracy after each epoch; empty
            where training could not stop early.
    """

    steps: int = 0
    changed_per_step: int = 0
    epochs: int = 0
    early_stopping: dict[str, Any] = field(default_factory=dict)


class Training:
    """Trains a learner on one experience.

    Args:
        learner: Attached to ``fabric``.
        fabric: Gives device and logger.
        meter: Is charged with the operations of the steps.
        bar: Shows the steps.
        small: Whether a step takes less time than counting its operations does. They are then counted in some
            steps, and a step in between is taken to be like the last counted one of the same batch size.
        on_report: Called every ``REPORT_EVERY`` steps, when ``state_dict`` can be saved.
    """

    def __init__(
        self,
        learner: ContinualLearner,
        fabric: Fabric,
        meter: Meter,
        bar: StepBar,
        *,
        small: bool,
        on_report: Callable[[Training], None] = lambda training: None,
    ) -> None:
        self._learner, self._fabric, self._meter, self._bar = learner, fabric, meter, bar
        self._small, self._on_report = small, on_report
        self._done = Trained()
        self._flops = 0
        self._flops_of: dict[int, int] = {}  # of the last counted step, by its batch size
        self._losses: list[Tensor] = []  # since the last report
        self._next = 0  # the batch of the epoch that comes next

    def fit(
        self,
        batches: Batches,
        epochs: int,
        stopping: EarlyStopping | None = None,
        earlier: Mapping[str, Any] | None = None,
    ) -> Trained:
        """Goes through the batches ``epochs`` times; an account of the meter is open.

        Args:
            batches: Of the experience.
            epochs: Passes over them, at most.
            stopping: May end the training earlier, and then decides which epoch's weights it ends with.
            earlier: The state of a training that was stopped, which this one continues; see
                ``load_state_dict``.

        Raises:
            FloatingPointError: The loss is not a finite number.
            TypeError: ``configure_optimizers`` returns something else than one optimizer, or a dictionary
                with one and its schedule.
        """
        learner, done = self._learner, self._done
        self._optimizer, self._schedule, interval = _optimizer_of(learner)
        optimizer, schedule = self._optimizer, self._schedule
        self._batches, self._stopping, self._epochs = batches, stopping, epochs
        self._weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        learner.steps_per_epoch = len(batches)
        learner.train()
        self._bar.start(len(batches), epochs)
        learner.on_train_start()
        for epoch in range(epochs):
            if earlier is not None and epoch < earlier["done"]["epochs"]:
                continue
            learner.on_train_epoch_start()
            if earlier is not None:  # after the hooks: what they set is a part of it
                self.load_state_dict(earlier)
                earlier = None
            with self._meter.uncounted() if self._small else nullcontext():
                self._epoch(schedule if interval == "step" else None)
            if schedule is not None and interval == "epoch":
                schedule.step()
            learner.on_train_epoch_end()
            done.epochs += 1
            if stopping is not None and stopping.after_epoch():
                break
        if stopping is not None and done.epochs:
            stopping.restore()
            done.early_stopping = {"best_epoch": stopping.best, "validation_accuracy": stopping.accuracies}
        learner.on_train_end()
        self._bar.close()
        self._meter.charge(Cost(flops=self._flops))
        return done

    def _epoch(self, schedule: LRScheduler | None) -> None:
        """One pass over the batches, or what is left of it; ``schedule`` moves after each step."""
        step, optimizer, first = (
            self._counted_step if self._small else self._step,
            self._optimizer,
            self._next,
        )
        for index, batch in enumerate(self._batches.starting(first), first):
            step(batch, index, optimizer)
            if schedule is not None:
                schedule.step()
            self._done.steps += 1
            self._next = index + 1
            if self._done.steps % REPORT_EVERY == 0:
                self._report()
        self._report()
        self._next = 0

    def _counted_step(self, batch: Batch, index: int, optimizer: torch.optim.Optimizer) -> None:
        """One step, and the operations that it takes or is taken to take."""
        size, number = len(batch), self._done.steps
        if number < COUNTED_FIRST or number % COUNT_EVERY == 0 or size not in self._flops_of:
            with FlopCounter() as counter:
                self._step(batch, index, optimizer)
            self._flops_of[size] = counter.total
        else:
            self._step(batch, index, optimizer)
        self._flops += self._flops_of[size]

    def _step(self, batch: Batch, index: int, optimizer: torch.optim.Optimizer) -> None:
        learner, fabric = self._learner, self._fabric
        batch = learner.on_after_batch_transfer(batch.to(fabric.device), 0)
        learner.on_train_batch_start(batch, index)
        loss: Tensor = learner.training_step(batch, index)
        learner.on_before_zero_grad(optimizer)
        for weight in self._weights:  # what ``optimizer.zero_grad`` does, with less around it
            weight.grad = None
        learner.on_before_backward(loss)
        loss.backward()  # on one device and without a scaler this is Fabric's backward
        learner.on_after_backward()
        learner.on_before_optimizer_step(optimizer)
        if not self._done.steps:
            self._done.changed_per_step = _changed(learner)
        optimizer.step()
        loss = loss.detach()
        self._losses.append(loss)
        learner.on_train_batch_end({"loss": loss}, batch, index)

    def _report(self) -> None:
        """Looks at the losses of the steps since the last report, and logs their mean."""
        if not self._losses:
            return
        losses = torch.stack(self._losses).tolist()
        first = self._next - len(losses)
        for step, loss in enumerate(losses, first + 1):
            if not math.isfinite(loss):
                raise FloatingPointError(
                    f"epoch {self._done.epochs + 1} of {self._epochs}, step {step} of {len(self._batches)}: "
                    f"the training loss became {loss}; try a lower learning rate"
                )
        self._fabric.log(names.LOSS, sum(losses) / len(losses), step=self._done.steps)
        self._bar.update(len(losses))
        self._losses.clear()
        self._on_report(self)

    def state_dict(self) -> dict[str, Any]:
        """All that the rest of the training depends on between two steps, but for the learner's state."""
        return {
            "done": dataclasses.asdict(self._done),
            "flops": self._flops,
            "flops_of": self._flops_of,
            "next": self._next,
            "batches": self._batches.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule and self._schedule.state_dict(),
            "stopping": self._stopping and self._stopping.state_dict(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from ``state_dict``, with the state of the learner as ``learner`` in it."""
        for name, value in state["done"].items():
            setattr(self._done, name, value)
        self._flops, self._flops_of, self._next = state["flops"], dict(state["flops_of"]), state["next"]
        self._batches.load_state_dict(state["batches"])
        load_state(self._learner, state["learner"])
        _load_optimizer(self._optimizer, state["optimizer"])
        if self._schedule is not None:
            self._schedule.load_state_dict(state["schedule"])
        if self._stopping is not None:
            self._stopping.load_state_dict(state["stopping"])
        torch.set_rng_state(state["random"])
        if torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["random_cuda"])
        self._bar.skip(self._done.steps)


def _optimizer_of(learner: ContinualLearner) -> tuple[torch.optim.Optimizer, LRScheduler | None, str]:
    """The optimizer, its learning rate schedule if there is one, and when that moves: each epoch or step."""
    configured: Any = learner.configure_optimizers()
    schedule: Any = None
    if isinstance(configured, Mapping):
        configured, schedule = configured["optimizer"], configured.get("lr_scheduler")
    if not isinstance(configured, torch.optim.Optimizer):
        raise TypeError(
            f"{type(learner).__name__}.configure_optimizers returns {type(configured).__name__}; "
            "one optimizer is possible, or a dictionary with 'optimizer' and 'lr_scheduler'"
        )
    if isinstance(schedule, Mapping):
        return configured, schedule["scheduler"], schedule.get("interval", "epoch")
    return configured, schedule, "epoch"


def _load_optimizer(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Loads the state of an optimizer, into the tensors that the learner gave it if it did."""
    given = {weight: dict(state) for weight, state in optimizer.state.items()}
    optimizer.load_state_dict(saved)
    for weight, state in given.items():
        for name, tensor in state.items():
            if isinstance(tensor, Tensor):
                optimizer.state[weight][name] = tensor.copy_(optimizer.state[weight][name])


def _changed(learner: ContinualLearner) -> int:
    """How many parameters have a gradient; of a sparse one, those in its rows."""
    gradients = [weight.grad for _, weight in learner.named_trainable() if weight.grad is not None]
    return sum(each.coalesce().values().numel() if each.is_sparse else each.numel() for each in gradients)
