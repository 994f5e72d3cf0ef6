"""What tests share."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread():
    """Tests run side by side: each on one thread of torch."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
