"""What tests share."""

import os

import pytest
import torch
from support.in_process import without_processes
from support.result_files import write_all

from clbench.reporting.load import load_results


@pytest.fixture(autouse=True, scope="session")
def _cache(tmp_path_factory):
    """One cache folder for all worker processes of the session: the offline corpus is built once."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLBENCH_CACHE", str(folder / "cache"))
        yield


@pytest.fixture(autouse=True)
def _one_thread():
    """Tests run side by side: each on one thread of torch."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def in_process(monkeypatch):
    """Sweeps run in the process of the test."""
    without_processes(monkeypatch)


@pytest.fixture
def results(tmp_path):
    """A folder of result files with numbers that are easy to compute by hand."""
    return write_all(tmp_path / "runs")


@pytest.fixture
def frame(results):
    """The same, loaded."""
    return load_results([results])
