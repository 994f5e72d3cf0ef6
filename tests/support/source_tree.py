"""The files that a build needs."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ("clbench", "baselines", "experiments", "pyproject.toml", "setup.py", "README.md", "LICENSE")


def copy_sources(folder: Path) -> Path:
    """Copies them into ``folder``, so that a build neither finds nor leaves anything in the source tree."""
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    return folder
