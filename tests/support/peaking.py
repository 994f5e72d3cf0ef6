"""A learner whose accuracy after each epoch is known beforehand."""

import torch
import torch.nn.functional as F
from torch import nn

from clbench.methods.info import MethodInfo
from clbench.methods.learner import ContinualLearner


class Peaking(ContinualLearner):
    """Finds a share of the texts of a batch, told by a trained parameter that each epoch sets.

    Args:
        shares: After each epoch, the texts that are found, of six.
    """

    info = MethodInfo(tunings=("frozen",))

    def __init__(self, context, shares: str = "0"):
        super().__init__(context)
        self.found = nn.Parameter(torch.zeros(()))
        self.register_buffer("epochs", torch.zeros((), dtype=torch.long))
        self._shares = [int(each) / 6 for each in shares.split(".")]

    def forward(self, batch):
        right = torch.arange(len(batch)) < (self.found * len(batch)).round()
        own = batch.class_mask.float().topk(2).indices  # two columns of the experience
        wrong = torch.where(own[:, 0] == batch.targets, own[:, 1], own[:, 0])
        guess = F.one_hot(torch.where(right, batch.targets, wrong), batch.class_mask.shape[1])
        return guess + 0 * self.network(batch)

    def on_train_start(self):
        self.epochs.zero_()

    @torch.no_grad()
    def on_train_epoch_end(self):
        self.found.fill_(self._shares[int(self.epochs)])
        self.epochs += 1
