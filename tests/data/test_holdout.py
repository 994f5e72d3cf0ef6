"""Validation texts, and training texts that are the same."""

import dataclasses

import pytest
from support.paper_data import DATA, needs_data

from clbench.core.config import RunConfig
from clbench.core.scenario import Stream
from clbench.data.holdout import apart, text_rows
from clbench.data.scenarios import find_scenario
from clbench.engine.shared import Shared


def columns(*rows: tuple[str, str | None, int]) -> dict[str, list]:
    return dict(zip(("text", "text_pair", "label"), map(list, zip(*rows, strict=True)), strict=True))


def test_training_texts_that_are_validation_texts_are_left_out():
    train = columns(("a", None, 0), ("b", None, 0), ("a", "x", 1), ("c", "y", 1), ("d", None, 2))
    validation = columns(("b", None, 1), ("a", "x", 0), ("c", None, 1), ("d", None, 2))
    # of label 2 there is no other text
    assert apart(train, {*text_rows(validation)}) == columns(("a", None, 0), ("c", "y", 1), ("d", None, 2))


def counts(stream: Stream) -> tuple[int, int]:
    """Training texts, and validation texts that are training texts, of whatever experience."""
    train, validation = (
        [text for each in stream.experiences for text in each.splits[name]["text"]]
        for name in ("train", "validation")
    )
    return len(train), sum(map({*train}.__contains__, validation))


@needs_data
@pytest.mark.parametrize(
    ("name", "limit", "of_run", "of_trial"),
    [
        ("dsc-dil", None, (37_326, 2_500), (34_824, 0)),  # two of the 2,500 are there twice
        ("dsc-dil", 100, (2_000, 194), (2_000, 0)),
        ("dsc-dil-20", 100, (4_000, 375), (3_924, 0)),  # each domain twice, with other texts
    ],
)
def test_what_validation_texts_judge_has_not_seen_them(name, limit, of_run, of_trial):
    # The authors' files: all negative validation texts of DSC are training texts, 250 in each domain.
    scenario, shared = find_scenario(name), Shared()
    run = RunConfig(name, "ncm", data_dir=DATA, train_per_class=limit)
    trial = dataclasses.replace(run, split="validation")
    plain, judged, again = (
        shared.stream(each, scenario, each.protocol(scenario.protocol)) for each in (run, trial, run)
    )
    assert (counts(plain), counts(judged)) == (of_run, of_trial)
    assert plain.fingerprint != judged.fingerprint
    assert again.fingerprint == plain.fingerprint
