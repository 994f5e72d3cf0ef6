"""What a sweep shows: runs, the work of each worker, the time left. A message cannot fail a run."""

import pytest

from clbench.core.config import RunConfig
from clbench.core.console import EVERY
from clbench.studies import display, worker
from clbench.studies.display import Display
from clbench.studies.worker import Job, Message, Outcome

RUNS = [Job(RunConfig("a", "b.EWC", tuning=tuning)) for tuning in ("full", "frozen")] * 2


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def shown():
    clock = Clock()
    return Display(RUNS, 2, show=True, clock=clock), clock


def test_the_time_left_is_that_of_runs_of_the_same_kind(shown):
    sweep, clock = shown
    assert sweep.seconds_left() is None
    sweep.finished(0, Outcome(RUNS[0].config, None, seconds=100.0))
    assert sweep.seconds_left() is None  # nothing is known of those on a frozen encoder
    sweep.finished(1, Outcome(RUNS[1].config, None, seconds=4.0))
    assert sweep.seconds_left() == (100 + 4) / 2
    sweep.message(Message(2, "experience", 0, 3))
    clock.now = 60.0
    assert sweep.seconds_left() == (40 + 4) / 2


def test_methods_of_one_tuning_are_expected_to_take_as_long():
    runs = [Job(RunConfig("a", f"b.{name}", tuning=tuning)) for name, tuning in
            (("NCM", "frozen"), ("EWC", "lora"), ("Replay", "lora"))]  # fmt: skip
    sweep = Display(runs, 1, show=False, clock=Clock())
    sweep.finished(0, Outcome(runs[0].config, None, seconds=2.0))
    sweep.finished(1, Outcome(runs[1].config, None, seconds=300.0))
    assert sweep.seconds_left() == 300


def test_a_linear_layer_says_nothing_about_a_cnn():
    runs = [Job(RunConfig("a", "b.EWC", tuning="frozen", head=head)) for head in ("linear", "cnn")]
    sweep = Display(runs, 1, show=False, clock=Clock())
    sweep.finished(0, Outcome(runs[0].config, None, seconds=2.0))
    assert sweep.seconds_left() is None


def test_without_a_terminal_there_is_a_line_now_and_then(shown, capsys):
    sweep, clock = shown
    sweep.finished(1, Outcome(RUNS[1].config, None, seconds=4.0))
    sweep.message(Message(0, "encoding", 320, 640))
    sweep.refresh()
    assert capsys.readouterr().err == ""
    clock.now = EVERY
    sweep.refresh()
    sweep.refresh()
    assert capsys.readouterr().err == "1 of 4 runs done; a EWC full: encoding 320/640\n"
    sweep.finished(0, Outcome(RUNS[0].config, None, seconds=30.0))
    clock.now += EVERY
    sweep.refresh()
    assert capsys.readouterr().err == "2 of 4 runs done, about 17 s left\n"


def test_of_many_workers_a_few_are_shown(capsys):
    clock = Clock()
    sweep = Display(RUNS * 5, 20, show=True, clock=clock)
    for at in range(20):
        sweep.message(Message(at, "encoding", 1, 2))
    clock.now = EVERY
    sweep.refresh()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.count("encoding 1/2") == display.LINES
    assert line.endswith("; 12 more")


def test_a_message_that_cannot_be_sent_fails_nothing():
    tried = []

    def closed(message):
        tried.append(message.done)
        raise BrokenPipeError

    tell = worker._teller(0, closed)
    tell("encoding", 0, 1)
    tell("encoding", 1, 1)
    assert tried == [0, 1]  # each was sent, and its failure went no further


def test_messages_about_the_same_work_are_few():
    sent = []
    tell = worker._teller(3, sent.append)
    for done in range(101):
        tell("encoding", done, 100)
    tell("experience", 0, 2)
    assert [(each.job, each.what, each.done) for each in sent] == [
        (3, "encoding", 0), (3, "encoding", 100), (3, "experience", 0),
    ]  # fmt: skip
