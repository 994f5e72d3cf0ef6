"""What other libraries print during a run."""

from __future__ import annotations

import logging


def quiet_lightning() -> None:
    """Keeps Lightning's notes about devices and unused features out of the summary of a run."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
