"""The folder of the paper's data, which is not part of the repository."""

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("CLBENCH_DATA") or Path(__file__).parents[3] / "shared" / "data")
needs_data = pytest.mark.skipif(
    not (DATA / "orders").is_dir(), reason=f"{DATA} is not there; CLBENCH_DATA names the paper's data"
)
