"""What the tests of methods share."""

import pytest
import torch
from support.bottlenecks import LENGTHS, MAX_TOKENS
from support.naive_dkvb import States


@pytest.fixture
def encoder():
    torch.set_num_threads(1)  # so small tensors gain nothing from more
    return States(len(LENGTHS), MAX_TOKENS)
