"""Every baseline keeps the contract.

The fast tests check two experiences: every tuning in one kind of scenario, the default tuning in the others,
and that a stopped run goes on once per method. The slow test checks each other tuning in one more kind of
scenario, on all experiences.
"""

from functools import cache

import pytest
import torch
from support.contract_cases import CHECKED, FAST, OTHERS, SLOW, STOPPED, options

from clbench.core.errors import UserError
from clbench.methods.info import MethodInfo
from clbench.methods.learner import ContinualLearner
from clbench.models.context import RunContext
from clbench.testing.contract import (
    CHECKS,
    ContractError,
    check_baseline,
    check_learning,
    check_resume,
    reference_run,
)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The run of a method, tuning and kind of scenario on two experiences, made once."""

    @cache
    def of(case):
        return reference_run(
            case[0], tmp_path_factory.mktemp("reference"), experiences=2, **options(*case, FAST)
        )

    return of


@pytest.mark.parametrize("case", CHECKED, ids="-".join)
@pytest.mark.parametrize("check", [check for check in CHECKS if check is not check_resume])
def test_contract(check, case, reference):
    check(reference(case))


@pytest.mark.parametrize("case", STOPPED, ids="-".join)
def test_a_stopped_run_goes_on_to_the_same_end(case, reference):
    check_resume(reference(case))


@pytest.mark.slow
@pytest.mark.parametrize("case", OTHERS, ids="-".join)
def test_contract_of_the_other_cells(case, tmp_path):
    check_baseline(case[0], tmp_path, **options(*case, SLOW))


class Told(ContinualLearner):
    """Needs to know the experience of a text."""

    info = MethodInfo(needs_task_id=True)


@pytest.mark.parametrize("kind", ["class", "domain"])
def test_a_scenario_that_a_method_cannot_learn_is_refused(kind, tmp_path):
    with pytest.raises(UserError, match="task-aware"):
        check_baseline(f"{__name__}.Told", tmp_path, kind=kind)


@pytest.mark.parametrize("tuning", ["full", "frozen", "adapter", "lora", "prompt"])
def test_the_default_epochs_are_enough_for_the_default_learning_rates(tuning, tmp_path):
    check_learning(reference_run("finetune", tmp_path, tuning=tuning, experiences=1))


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


class Momentary(ContinualLearner):
    """Keeps what holds within an experience where no checkpoint finds it."""

    factor = 0

    def begin_experience(self, experience, reader):
        self.factor = 1 + experience.index

    def loss(self, batch):
        return super().loss(batch) * self.factor


class Growing(ContinualLearner):
    """Carries more and more."""

    def end_experience(self, experience, reader):
        self.register_buffer(f"more{experience.index}", torch.zeros(5))


class Neighborly(ContinualLearner):
    """Takes the mean over padding too."""

    def forward(self, batch):
        return super().forward(batch) * batch.padded()[1].float().mean()


class Unseeded(ContinualLearner):
    """Draws from a generator that the run does not seed."""

    def __init__(self, context: RunContext) -> None:
        super().__init__(context)
        generator = torch.Generator()
        generator.seed()
        self.projection = torch.nn.Parameter(torch.randn(3, generator=generator))


class Idle(ContinualLearner):
    """Learns nothing."""

    def loss(self, batch):
        return super().loss(batch) * 0


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Hoarder, "not the training texts of the current experience"),
        (Forgetful, "stopped and resumed"),
        (Momentary, "stopped and resumed"),
        (Unseeded, "constructor is not deterministic: .* differ in projection"),
        (Growing, "bytes carried grow"),
        (Neighborly, "rest of its batch"),
        (Idle, "that was learned"),
    ],
)
def test_a_baseline_that_breaks_the_contract_is_caught(broken, message, tmp_path):
    tuning = "full" if broken is Neighborly else "frozen"
    with pytest.raises(ContractError, match=message):
        check_baseline(f"{__name__}.{broken.__name__}", tmp_path, tuning=tuning)
