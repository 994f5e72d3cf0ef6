"""Every method trains on a GPU, and does there what it does on a CPU."""

import numpy as np
import pytest
import torch
from support.contract_cases import CHECKED, SLOW, options

from clbench.testing.contract import (
    check_bytes,
    check_checkpoint,
    check_construction,
    check_learning,
    check_neighbors,
    check_resume,
    reference_run,
)

IN_ONE_KIND = [case for case in CHECKED if case[2] == "class"]
CHECKS = [check_construction, check_learning, check_bytes, check_neighbors, check_checkpoint]


@pytest.mark.parametrize("case", IN_ONE_KIND, ids="-".join)
def test_contract(case, tmp_path, on_cpu):
    given = {"experiences": 2, **options(*case, SLOW)}
    found = reference_run(case[0], tmp_path / "gpu", **given)
    for check in CHECKS:
        check(found)
    large = {name: each.device.type for name, each in found.states[-1].items() if each.numel() > 1000}
    assert set(large.values()) <= {"cuda"}, large
    if case[1] == "frozen":  # without dropout, which draws other numbers
        check_resume(found)
        if case[0] == "dkvb":
            pytest.importorskip("faiss", reason="a GPU does without it")
        on_cpu()
        expected = reference_run(case[0], tmp_path / "cpu", **given)
        shares = [np.array(each.run.result.accuracy) for each in (found, expected)]
        assert np.abs(shares[0] - shares[1]).mean() < 0.1, shares  # single texts of 16 may differ


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
