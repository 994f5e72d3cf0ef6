"""What the tests on a GPU share."""

import pytest
import torch


def pytest_collection_modifyitems(items):
    """All of this folder need a GPU."""
    here = [item for item in items if item.path.parent.name == "gpu"]
    for item in here:
        item.add_marker(pytest.mark.gpu)
        if not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="no GPU on this machine"))


@pytest.fixture
def on_cpu(monkeypatch):
    """Makes what follows compute on the CPU."""

    def hide():
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    return hide
