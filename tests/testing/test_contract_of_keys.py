"""DKVB keeps the contract whatever its keys do and however they and the values are stored."""

import pytest
from support.contract_cases import FAST, options

from clbench.testing.contract import CHECKS, check_bytes, check_resume, reference_run

FEWER = {"stored": "selected", "value_dtype": "bfloat16", "key_dtype": "int8", "moved": "carry"}
WAYS = {
    "stored": {**FEWER, "initialization": "random"},
    "frozen": {"strategy": "frozen"},
    "average": {"moved": "carry"},
    "ema": {"strategy": "ema", **FEWER},
    "cvq": {"strategy": "cvq"},
    "unused": {"strategy": "unused", "stored": "selected"},
    "normalize": {"strategy": "normalize"},
    "grow": {"strategy": "grow", "growth": 16, **FEWER},
    "harden": {"strategy": "harden", "key_dtype": "bfloat16"},
}


@pytest.mark.parametrize("way", WAYS)
def test_contract(way, tmp_path):
    given = options("dkvb", "frozen", "class", FAST)
    arguments = {**given.pop("arguments"), "initialization": "incremental", **WAYS[way]}
    made = reference_run("dkvb", tmp_path, experiences=2, arguments=arguments, **given)
    stored = "stored" in WAYS[way]
    left_out = {check_bytes} if stored else set() if way == "frozen" else {check_resume}
    for check in CHECKS:
        if check not in left_out:
            check(made)
    if stored:  # bytes grow with the rows that were selected: up to those of the whole table and its numbers
        rows, columns = 4 * (64 + WAYS[way].get("growth", 0)), made.run.learner.context.columns
        assert all(each["values"] <= rows * (4 * columns + 4 + 4) for each in made.carried)
