"""What is read from the source of a method is what its class declares, and costs no import of torch."""

import subprocess
import sys

import pytest

from clbench.core.errors import UserError
from clbench.engine.method import find_method
from clbench.engine.method_source import NotLiteralError, options_in_source
from clbench.engine.options import options_of
from clbench.engine.registry import baseline_class, baseline_names, import_path


@pytest.mark.parametrize("name", sorted(baseline_names()))
def test_the_source_and_the_class_declare_the_same(name):
    entry, baseline = baseline_names()[name], baseline_class(name)
    found, declared = options_in_source(entry.module, entry.attr), options_of(baseline)
    assert list(found.items()) == list(declared.items())
    method = find_method(name)
    assert (method.path, method.info) == (import_path(baseline), baseline.info)
    assert find_method(method.path) == method


def test_what_is_no_literal_is_left_to_the_import(tmp_path, monkeypatch):
    (tmp_path / "of_computed.py").write_text(
        "from clbench import ContinualLearner, RunContext\nSIZE = max(3, 4)\n"
        "class Mine(ContinualLearner):\n"
        "    def __init__(self, context: RunContext, size: int = SIZE) -> None:\n"
        "        super().__init__(context)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotLiteralError):
        options_in_source("of_computed", "Mine")
    assert find_method("of_computed").options["size"].default == 4


@pytest.mark.parametrize("name", [".a", "a..b", "a.", "1.x", "x" * 300])
def test_a_name_that_is_no_path_is_refused(name):
    with pytest.raises(UserError, match="baseline"):
        find_method(name)


@pytest.mark.parametrize(
    "line",
    [
        "run --scenario pydocs-cil --baseline ewc --baseline.strength -1",
        "run --scenario pydocs-cil --baseline ewc --epochs 0",
        "run --scenario r8-cil --baseline ncm --data-dir /nonexistent",
        "reproduce main --workers 0",
        "tune --scenario pydocs-cil --baseline ewc --trials 0",
        "bench assign --threads 0",
        "wandb push runs --project a/b",
        "new-baseline class",
    ],
)
def test_a_wrong_command_imports_no_torch(line):
    code = (
        f"import sys; from clbench.cli import main; status = main({line.split()!r})\n"
        "assert status == 2, status\n"
        "assert not {'torch', 'lightning', 'transformers', 'datasets'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
