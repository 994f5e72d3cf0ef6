"""Every method trains on a GPU, and does there what it does on a CPU."""

from functools import cache

import numpy as np
import pytest
import torch
from support.contract_cases import CHECKED, FAST, STOPPED, options

from clbench.testing.contract import (
    check_bytes,
    check_checkpoint,
    check_construction,
    check_learning,
    check_neighbors,
    reference_run,
)

IN_ONE_KIND = [case for case in CHECKED if case[2] == "class"]


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The run of a method and tuning on two experiences, made once."""

    @cache
    def of(case):
        folder = tmp_path_factory.mktemp("reference")
        return reference_run(case[0], folder, experiences=2, **options(*case, FAST))

    return of


@pytest.mark.parametrize("case", IN_ONE_KIND, ids="-".join)
@pytest.mark.parametrize(
    "check", [check_construction, check_learning, check_bytes, check_neighbors, check_checkpoint]
)
def test_contract(check, case, reference):
    check(reference(case))


@pytest.mark.parametrize("case", IN_ONE_KIND, ids="-".join)
def test_what_a_learner_holds_is_on_the_gpu(case, reference):
    tensors = reference(case).run.learner.state_dict()
    large = {name: each.device.type for name, each in tensors.items() if each.numel() > 1000}
    kept = {name for name, device in large.items() if device != "cuda"}
    assert not kept, kept


@pytest.mark.parametrize("case", STOPPED, ids="-".join)
def test_accuracies_are_about_those_of_the_cpu(case, reference, tmp_path, on_cpu):
    found = reference(case)
    on_cpu()
    expected = reference_run(case[0], tmp_path, experiences=2, **options(*case, FAST))
    shares = [np.array(each.run.result.accuracy) for each in (found, expected)]
    # Kernels round otherwise, and dropout draws other numbers: single texts of 16 may differ.
    assert np.abs(shares[0] - shares[1]).mean() < 0.1, shares


def test_a_trained_encoder_computes_in_bfloat16(tmp_path):
    from clbench.engine.build import prepare
    from clbench.engine.loop import execute
    from clbench.engine.parser import run_config
    from clbench.testing.streams import SCENARIOS, write_texts

    write_texts(tmp_path / "data")
    given = {"scenario": "class", "baseline": "finetune", "tuning": "full", "encoder": "tiny", "lr": 3e-3}
    given |= {"data_dir": str(tmp_path / "data"), "results": str(tmp_path / "runs"), "precision": "auto"}
    run = prepare(run_config(given), scenario=SCENARIOS["class"])
    assert run.data.encoder.dtype == torch.bfloat16
    execute(run)
    assert run.result.accuracy[0][0] > 0.8
    assert run.result.costs["peak_bytes"]["cuda"] > 0
    assert run.result.provenance["machine"]["gpu"] == torch.cuda.get_device_name()
