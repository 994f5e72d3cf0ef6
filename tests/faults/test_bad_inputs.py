"""Bad inputs are refused in one line, with exit code 2, and without anything written."""

import pytest
from support.bad_inputs.recorded import RECORDED
from support.bad_inputs.table import SOURCES, every, recorded


@pytest.mark.parametrize("source", [each for each in SOURCES if each is not recorded])
def test_bad_inputs_are_refused(source, tmp_path):
    wrong = {}
    for at, case in enumerate(source()):
        folder = tmp_path / str(at)
        folder.mkdir()
        if problems := case.problems(folder):
            wrong[str(case)] = problems
    assert wrong == {}


def test_there_are_hundreds_of_them():
    assert len(every()) > 1000


@pytest.mark.slow
@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded inputs are not here")
@pytest.mark.parametrize("case", list(recorded()), ids=str)
def test_recorded_inputs_are_refused(case, tmp_path):
    assert case.problems(tmp_path) == []
