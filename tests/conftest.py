"""What tests share."""

import pytest
import torch
from support.result_files import write_all

from clbench.reporting.load import load_results


@pytest.fixture(autouse=True)
def _one_thread():
    """Tests run side by side: each on one thread of torch."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def results(tmp_path):
    """A folder of result files with numbers that are easy to compute by hand."""
    return write_all(tmp_path / "runs")


@pytest.fixture
def frame(results):
    """The same, loaded."""
    return load_results([results])
