"""What is deferred is what it would have been, and a process that uses none of it never loads it."""

import subprocess
import sys

BEGIN = "import sys; from clbench.core.deferred import defer; defer(); import torch, lightning\n"


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", BEGIN + code], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_training_loads_none_of_it():
    code = (
        "weight = torch.nn.Parameter(torch.ones(2)); optimizer = torch.optim.AdamW([weight], fused=True)\n"
        "weight.sum().backward(); optimizer.step(); optimizer.zero_grad()\n"
        "print({'torch._dynamo.config', 'sympy', 'scipy', 'matplotlib'} & set(sys.modules))"
    )
    assert run(code) == "set()"


def test_metrics_are_the_real_ones():
    code = (
        "from torchmetrics.classification import MulticlassAccuracy\n"
        "import torchmetrics\n"
        "from lightning.pytorch.core.module import Metric\n"
        "metric = MulticlassAccuracy(2, average='micro')\n"
        "metric.update(torch.tensor([0, 1]), torch.tensor([0, 0]))\n"
        "assert isinstance(metric, Metric) and torchmetrics.Metric is Metric\n"
        "assert torchmetrics.Accuracy and torchmetrics.__version__\n"
        "print(float(metric.compute()))"
    )
    assert run(code) == "0.5"


def test_the_compiler_works_after_an_optimizer_was_used_without_it():
    code = (
        "from lightning.fabric.wrappers import _unwrap_compiled\n"
        "module = torch.nn.Linear(2, 2)\n"
        "assert _unwrap_compiled(module)[0] is module\n"
        "optimizer = torch.optim.SGD(module.parameters(), lr=0.1); optimizer.zero_grad()\n"
        "compiled = torch.compile(module, backend='eager')\n"
        "assert torch.equal(compiled(torch.ones(1, 2)), module(torch.ones(1, 2)))\n"
        "compiled(torch.ones(1, 2)).sum().backward(); optimizer.step(); optimizer.zero_grad()\n"
        "print(isinstance(compiled, torch._dynamo.OptimizedModule))"
    )
    assert run(code) == "True"
