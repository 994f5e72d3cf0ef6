"""What the tests of data share."""

import pytest
from support.file_server import Server


@pytest.fixture
def server():
    """A server of files on this machine."""
    made = Server()
    yield made
    made.close()
