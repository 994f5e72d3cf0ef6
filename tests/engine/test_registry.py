"""Methods by declared name, by import path, and by a file in the current folder."""

import importlib
import sys

import pytest

from clbench.core.errors import UserError
from clbench.engine.registry import baseline_class, import_path

METHOD = "from clbench import ContinualLearner\nclass {name}(ContinualLearner):\n    pass\n"


@pytest.fixture(autouse=True)
def _current_folder(tmp_path, monkeypatch):
    """Each test looks in its own folder, and leaves nothing that the next one would find."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    package = importlib.import_module("baselines")
    monkeypatch.setattr(package, "__path__", list(package.__path__))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.rpartition(".")[2].startswith("of_a_test"):
            del sys.modules[name]


def test_a_file_of_the_current_folder_is_found_by_its_name(tmp_path):
    (tmp_path / "of_a_test_1.py").write_text(METHOD.format(name="Mine"))
    found = baseline_class("of_a_test_1")
    assert import_path(found) == "of_a_test_1.Mine"
    assert baseline_class("of_a_test_1.Mine") is found  # as worker processes look it up


def test_a_file_of_the_folder_baselines_is_found_beside_the_installed_ones(tmp_path):
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / "of_a_test_2.py").write_text(METHOD.format(name="Mine"))
    found = baseline_class("of_a_test_2")
    assert import_path(found) == "baselines.of_a_test_2.Mine"
    assert baseline_class("baselines.of_a_test_2.Mine") is found
    assert import_path(baseline_class("ewc")) == "baselines.ewc.EWC"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "of_a_test_3",
            METHOD.format(name="A") + METHOD.format(name="B"),
            r"choose of_a_test_3\.A or of_a_test_3\.B",
        ),
        ("of_a_test_4", "", r"of_a_test_4\.py: no subclass of clbench\.ContinualLearner"),
        ("of_a_test_5.Other", METHOD.format(name="A"), "module 'of_a_test_5' has no 'Other'"),
        ("of_a_test_6.A", "class A: pass\n", "not a subclass"),
    ],
)
def test_a_file_without_one_method_says_so(name, text, message, tmp_path):
    (tmp_path / f"{name.partition('.')[0]}.py").write_text(text)
    with pytest.raises(UserError, match=message):
        baseline_class(name)


def test_an_unknown_name_tells_where_a_file_would_be_found():
    with pytest.raises(UserError, match=r"no file 'ewcc\.py' in this folder or .*did you mean 'ewc'\? "):
        baseline_class("ewcc")
    with pytest.raises(UserError, match="no module 'nowhere'"):
        baseline_class("nowhere.Method")


def test_a_module_that_lacks_something_of_its_own_shows_its_traceback(tmp_path):
    (tmp_path / "of_a_test_7.py").write_text("import no_such_module\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        baseline_class("of_a_test_7")
