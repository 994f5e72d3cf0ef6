"""What the tests of models share."""

from pathlib import Path

import pytest

from clbench.models import tiny
from clbench.models.encoder import load_encoder


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("tiny")


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    """A directory with the tiny BERT in it."""
    directory = tmp_path / "my-bert"
    tiny.model().save_pretrained(directory)
    tiny.tokenizer().save_pretrained(directory)
    return directory
