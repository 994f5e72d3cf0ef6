"""What the tests of data share."""

from pathlib import Path

import pytest
from support.file_server import Server
from support.own_data import write


@pytest.fixture
def server():
    """A server of files on this machine."""
    made = Server()
    yield made
    made.close()


@pytest.fixture
def tickets(tmp_path) -> Path:
    """A folder with the data ``tickets``: four queues and two sites, four training texts of each."""
    rows = [
        (f"the {queue} ticket number {at} from {site}", queue, site)
        for queue in ("billing", "delivery", "login", "refund")
        for site in ("north", "south")
        for at in range(4)
    ]
    write(tmp_path / "tickets", {"train": rows, "test": rows[::2]}, ("body", "queue", "site"))
    return tmp_path
