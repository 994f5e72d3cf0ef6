"""DKVB keeps the contract whatever its keys do and however they and the values are stored."""

import pytest
from support.contract_cases import FAST, options

from clbench.testing.contract import CHECKS, check_resume, reference_run

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
    for check in CHECKS:
        if check is not check_resume or way in ("ema", "grow", "unused", "stored"):
            check(made)
