"""What tests share."""

import os
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from support.result_files import write_all

from clbench.reporting.load import load_results


@pytest.fixture(scope="session")
def session_folder(tmp_path_factory) -> Path:
    """A folder that the worker processes of this session have in common."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(autouse=True, scope="session")
def cache_folder(session_folder) -> Path:
    """The cache folder of all tests that set none of their own: never that of whoever runs them."""
    os.environ["CLBENCH_CACHE"] = str(session_folder / "cache")
    return session_folder / "cache"


@pytest.fixture(scope="session")
def pydocs_cache(cache_folder) -> Path:
    """The cache folder, with the pydocs corpus in it: one process builds it, the others wait for it."""
    from clbench.data import pydocs

    with FileLock(cache_folder.with_name("pydocs.lock")):
        pydocs.load("general", progress=False)
    return cache_folder


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
