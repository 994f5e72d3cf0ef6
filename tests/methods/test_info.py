"""The facts that methods declare about themselves."""

import dataclasses
import doctest
import re
from importlib.metadata import EntryPoint

import pytest
import torch
from support.formula_parts import context, context_of

from baselines.ewc import EWC
from clbench.core import citations
from clbench.core.types import FAMILIES
from clbench.engine.listing import method_info, method_rows, method_table
from clbench.engine.registry import arguments_of, baseline_class, baseline_names
from clbench.methods.dkvb import bottleneck
from clbench.methods.info import MethodInfo
from clbench.methods.learner import ContinualLearner
from clbench.reporting.figures.styles import _KNOWN
from clbench.reporting.names import KNOWN

NAMES = sorted(baseline_names())


@pytest.mark.parametrize("name", NAMES)
def test_what_a_method_declares_is_there(name):
    method, info = baseline_class(name), baseline_class(name).info
    assert info.family == _KNOWN[name][0]
    assert (info.name or method.__name__) == KNOWN[name]
    assert set(info.search) | set(info.search_needs) <= set(arguments_of(method))
    assert set(info.named_arguments) <= set(arguments_of(method))
    assert set(info.default_lr) >= set(info.tunings)
    entries = [
        re.sub(r"\{\\\W(\w)\}", r"\1", citations.entries()[key]) for key in info.bibtex
    ]  # without accents
    if name not in ("finetune", "frozenlm"):
        author, year = re.match(r"(\w+).* (\d{4}), (?:arXiv|doi) ", info.paper).groups()
        assert author in entries[0]
        assert f"{{{year}}}" in entries[0]


@pytest.mark.parametrize("name", NAMES)
def test_the_memory_that_a_method_declares_is_what_it_carries(name):
    method = baseline_class(name)
    learner = method(context_of(method), **({"heads": 4} if name == "dkvb" else {}))
    carried = learner.carried_bytes()
    assert carried.pop("total") == sum(carried.values())
    kinds = {kind for kind, size in carried.items() if size}
    assert kinds - {"weights"} == set(method.info.memory.values()) - {"weights"}
    names = list(learner.state_dict())
    for prefix in (*method.info.memory, *method.info.diagnostics):
        assert prefix == "network.projections" or any(each.startswith(prefix) for each in names), prefix


@pytest.mark.parametrize("name", NAMES)
def test_no_method_sees_the_future_unless_it_is_asked_to(name):
    method = baseline_class(name)
    learner = method(context_of(method), **({"heads": 4} if name == "dkvb" else {}))
    assert learner.info.reads_at_start in (None, "generic")


@pytest.mark.parametrize("name", NAMES)
def test_the_list_reads_the_same_facts_without_an_import(name, monkeypatch):
    entry = baseline_names()[name]
    expected = entry.load().info
    monkeypatch.setattr(EntryPoint, "load", lambda self: pytest.fail("it was imported"))
    assert method_info(entry) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("PAPER = 'Me 2020'\nclass Mine(ContinualLearner):\n    info = MethodInfo(paper=PAPER)", "Me 2020"),
        ("class Mine(ContinualLearner):\n    pass", ""),
    ],
)
def test_a_method_whose_facts_are_not_literal_is_imported(source, expected, tmp_path, monkeypatch):
    imports = (
        "from clbench.methods.info import MethodInfo\nfrom clbench.methods.learner import ContinualLearner\n"
    )
    module = f"third_party_{len(expected)}"
    (tmp_path / f"{module}.py").write_text(imports + source)
    monkeypatch.syspath_prepend(str(tmp_path))
    entry = EntryPoint("mine", f"{module}:Mine", "clbench.baselines")
    assert method_info(entry) == MethodInfo(paper=expected)
    assert [row[0] for row in method_rows({"mine": entry})] == ["name", "other:", "  mine"]


def test_methods_are_listed_by_family():
    expected = ["name"]
    for family in FAMILIES:
        members = [name for name in NAMES if baseline_class(name).info.family == family]
        expected += [f"{family}:", *(f"  {name}" for name in members)] if members else []
    assert [row[0] for row in method_rows(baseline_names())] == expected


def test_the_table_of_methods_has_a_line_for_each_with_its_facts():
    infos = {
        "b": MethodInfo("does b", "dear", "Me 2020, arXiv 1.2", family="rehearsal", memory={"": "buffer"})
    }
    infos["a"] = MethodInfo("does a", family="prototypes", tunings=("frozen",), gradient_free=True)
    infos["a"] = dataclasses.replace(infos["a"], deviations=("one", "two"), memory={"x": "keys", "y": "keys"})
    assert method_table(infos).splitlines()[2:] == [
        "| **rehearsal** | | | | | | |",
        "| `b` | does b | Me 2020, [1.2](https://arxiv.org/abs/1.2) | all | weights, buffer | dear | - |",
        "| **prototypes** | | | | | | |",
        "| `a` | does a | - | frozen | keys | - | one; two |",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_method_says_in_a_few_words_what_it_does_and_costs(name):
    info = baseline_class(name).info
    assert 0 < len(info.summary) < 100
    assert 0 < len(info.cost) < 100


def test_a_method_that_declares_nothing_has_the_defaults():
    assert ContinualLearner.info == MethodInfo()
    assert MethodInfo().tunings == ("full", "frozen", "adapter", "lora", "prompt")


def test_deviations_follow_from_arguments():
    averaged, separate = EWC(context()), EWC(context(), fisher="separate")
    assert averaged.info.deviations == (*EWC.info.deviations, "one penalty with the mean of the F_t")
    assert separate.info.deviations == EWC.info.deviations
    assert "true labels, not all labels" in EWC(context(), labels="true").info.deviations
    few, paper = (baseline_class("ranpac")(context(), dimensions=size) for size in (10, 10_000))
    assert set(few.info.deviations) - set(paper.info.deviations) == {
        "10 random features where the paper takes 10,000"
    }
    fixed = baseline_class("ranpac")(context(), dimensions=10, ridge=1.0)
    assert any("ridge is fixed" in each for each in fixed.info.deviations)
    assert not any("ridge is fixed" in each for each in few.info.deviations)
    chosen, given = (baseline_class("slda")(context(), shrinkage=each) for each in (None, 1e-4))
    assert set(chosen.info.deviations) - set(given.info.deviations) == {
        "shrinkage is estimated, where the paper fixes it"
    }
    agem, other = (baseline_class("agem")(context(), fill=each) for each in ("per-experience", "per-class"))
    assert set(other.info.deviations) - set(agem.info.deviations) == {
        "fill per-class, where the paper keeps equally many texts of each experience"
    }
    dkvb = baseline_class("dkvb")
    plain = dkvb(context(), heads=4, keys=8)
    assert plain.info.reads_at_start == "generic"
    oracle = dkvb(context(), heads=4, keys=8, initialization="oracle")
    assert oracle.info.reads_at_start == "stream"
    assert len(plain.info.deviations) == 5
    public = dkvb(context(), "reference", heads=4, keys=8, initialization="generic")
    assert public.info.reads_at_start == "generic"
    assert public.info.deviations == ()
    assert dkvb.info.deviations == ()  # of the instance alone


def test_the_example_of_the_bottleneck_runs():
    torch.manual_seed(0)
    assert doctest.testmod(bottleneck).attempted >= 4
    assert doctest.testmod(bottleneck).failed == 0
