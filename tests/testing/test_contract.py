"""Every baseline keeps the contract, with every tuning, in every kind of scenario."""

import pytest
import torch

from clbench.core.errors import UserError
from clbench.engine.registry import baseline_class, baseline_names
from clbench.methods.learner import ContinualLearner
from clbench.testing.contract import ContractError, check_baseline
from clbench.testing.streams import SCENARIOS

ARGUMENTS = {"dkvb": {"heads": 4, "keys": 64, "init_batch_size": 8}, "ranpac": {"dimensions": 100}}
LEARNING = {
    ("owm", "full"): {"lr": 0.05},
    ("owm", "adapter"): {"lr": 0.2},
    ("owm", "lora"): {"lr": 0.1},
    # Gates open and shut over an epoch: it takes more of them.
    ("hat", "frozen"): {"epochs": 20},
    ("hat", "adapter"): {"lr": 0.2, "epochs": 20},
}
# It needs to know the experience of a text.
REFUSED = {("hat", "class"), ("hat", "domain")}
CASES = [
    (name, tuning, kind)
    for name in sorted(baseline_names())
    for tuning in baseline_class(name).info.tunings
    for kind in SCENARIOS
]


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.mark.parametrize(("name", "tuning", "kind"), CASES)
def test_contract(name, tuning, kind, tmp_path):
    options = {"arguments": ARGUMENTS.get(name), **LEARNING.get((name, tuning), {})}
    if (name, kind) in REFUSED:
        with pytest.raises(UserError, match="task-aware"):
            check_baseline(name, tmp_path, kind=kind, tuning=tuning, **options)
        return
    check_baseline(name, tmp_path, kind=kind, tuning=tuning, **options)


# -- the contract can be broken ------------------------------------------------------------------------


class Hoarder(ContinualLearner):
    """Reads the texts of the experience before."""

    last = None

    def end_experience(self, experience, reader):
        if self.last is not None:
            next(self.last.batches(4))
        self.last = reader


class Forgetful(ContinualLearner):
    """Keeps what it remembers where no checkpoint finds it."""

    seen = 0

    def begin_experience(self, experience, reader):
        self.seen += 1

    def loss(self, batch):
        return super().loss(batch) * self.seen


class Growing(ContinualLearner):
    """Carries more and more."""

    def end_experience(self, experience, reader):
        self.register_buffer(f"more{experience.index}", torch.zeros(5))


class Neighborly(ContinualLearner):
    """Takes the mean over padding too."""

    def forward(self, batch):
        return super().forward(batch) * batch.mask.float().mean()


class Idle(ContinualLearner):
    """Learns nothing."""

    def loss(self, batch):
        return super().loss(batch) * 0


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Hoarder, "not the training texts of the current experience"),
        (Forgetful, "stopped and resumed"),
        (Growing, "bytes carried grow"),
        (Neighborly, "rest of its batch"),
        (Idle, "that was learned"),
    ],
)
def test_a_baseline_that_breaks_the_contract_is_caught(broken, message, tmp_path):
    tuning = "full" if broken is Neighborly else "frozen"
    with pytest.raises(ContractError, match=message):
        check_baseline(f"{__name__}.{broken.__name__}", tmp_path, tuning=tuning)
