"""The start of a process, up to the end of the smallest run that has all of its features in the cache."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from clbench.benchmark.measure import Case, Measured
from clbench.benchmark.setting import Setting

REPETITIONS = 3
_EAGER = (
    "import importlib\n"
    "for name in ('lightning', 'torchmetrics', 'datasets', 'transformers', 'wandb', 'matplotlib.pyplot', "
    "'sklearn', 'faiss'):\n"
    "    try:\n"
    "        importlib.import_module(name)\n"
    "    except ModuleNotFoundError:\n"
    "        pass\n"
    "try:\n"
    "    from transformers import AutoModel, AutoTokenizer\n"
    "except ModuleNotFoundError:\n"
    "    pass\n"
)
_RUN = "import sys\nfrom clbench.cli import main\nsys.exit(main(sys.argv[1:]))\n"


def _seconds(setting: Setting, code: str) -> Measured:
    """The median of processor seconds of new processes that run ``code``, after one that fills the cache."""
    options = ["run", "--scenario", "pydocs-cil", "--baseline", "ncm", "--encoder", setting.encoder]
    options += ["--train-per-class", "8", "--test-per-class", "8", "--max-tokens", "32"]
    options += ["--threads", str(setting.threads)]
    spent: list[float] = []
    for _ in range(REPETITIONS + 1):
        with tempfile.TemporaryDirectory(prefix="clbench-bench-") as folder:
            before = _of_children()
            command = [sys.executable, "-c", code, *options, "--results", str(Path(folder, "runs"))]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            spent.append(_of_children() - before)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return Measured(statistics.median(spent[1:]), peak)


def _of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def start_naive(setting: Setting) -> Measured:
    """Per process that imports everything first, as a plain script does."""
    return _seconds(setting, _EAGER + _RUN)


def start_engine(setting: Setting) -> Measured:
    """Per process of ``clbench run``."""
    return _seconds(setting, _RUN)


CASES = (
    Case(
        "startup",
        "processor time of the smallest warm run, against importing all libraries eagerly",
        2,
        start_naive,
        start_engine,
    ),
)
