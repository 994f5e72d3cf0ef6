"""Names of methods for readers: short, told apart, and nothing that matters left out in silence."""

import doctest

import pandas as pd
import pytest

from clbench.reporting import names
from clbench.reporting.names import common_tuning, display_names, full_name, in_common


def frame(*methods, **config):
    """Methods as loaded results name them; the stream is told by the last word, as in result files."""
    kinds = [each.rpartition("-")[2] for each in methods]
    streams = [kind if kind in ("joint", "single") else "sequential" for kind in kinds]
    configs = [{"stream": stream, "pooling": "mean", **config} for stream in streams]
    return pd.DataFrame({"method": list(methods), "config": configs})


def shown(*methods, **config):
    return [display_names(frame(*methods, **config))[method] for method in methods]


def test_the_examples_in_the_docstrings_are_right():
    found = doctest.testmod(names)
    assert found.failed == 0
    assert found.attempted


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("derpp-frozen", "DER++"),
        ("dkvb-p-generic", "DKVB (generic keys)"),
        ("replay-frozen-per-class", "Replay (per-class)"),
        ("finetune-full-joint", "Fine-tuning, joint"),
        ("replay-frozen-capacity=256-joint", "Replay, joint"),
    ],
)
def test_a_method_alone_has_its_name_and_its_own_form(method, expected):
    assert shown(method) == [expected]


def test_tunings_are_named_where_they_differ():
    assert shown("ewc-frozen", "si-frozen", "ncm") == ["EWC", "SI", "NCM"]
    assert shown("ewc-frozen", "si-lora", "ncm") == ["EWC, frozen", "SI, LoRA", "NCM"]
    assert common_tuning(frame("ewc-frozen", "si-frozen", "ncm")) == "frozen"
    assert common_tuning(frame("ncm")) == ""
    assert common_tuning(frame("ewc-frozen", "si-lora")) is None


def test_variants_are_named_by_what_differs_and_the_rest_is_told_once():
    methods = [f"dkvb-np-random-optimizer=row-adagrad-lr={lr}" for lr in (0.1, 1e-05)]
    assert shown(*methods) == ["DKVB, lr 0.1", "DKVB, lr 1e-05"]
    assert in_common(frame(*methods)) == ["DKVB: random keys, optimizer row-adagrad"]
    assert shown("dkvb-np-random", "dkvb-p-random", "dkvb-p-oracle") == [
        "DKVB (random keys)",
        "DKVB (random keys), parametric",
        "DKVB (oracle keys), parametric",
    ]
    assert in_common(frame("dkvb-np-random", "dkvb-p-oracle")) == []
    # The number of keys is another thing than where they come from.
    assert shown("dkvb-np-random", "dkvb-np-random-keys=256") == ["DKVB", "DKVB, keys 256"]


def test_what_stands_behind_arguments_is_no_part_of_their_value():
    method = "ewc-frozen-strength=5.0-cls-joint"
    assert full_name({"method": method, "stream": "joint", "pooling": "cls"}) == (
        "EWC, frozen, strength 5, cls pooling, joint"
    )


def test_a_declared_name_comes_first_and_an_unknown_method_keeps_its_id():
    assert shown("mine-frozen", "mine-full", name="My Own") == ["My Own, frozen", "My Own, full"]
    assert shown("<b>-x", "ncm") == ["<b>-x", "NCM"]


def test_methods_that_declare_the_same_name_keep_their_ids():
    assert shown("one", "two", name="Same") == ["one", "two"]
