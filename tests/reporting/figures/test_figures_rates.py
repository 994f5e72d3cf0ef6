"""The figure of learning rates: which runs are one line, and where its points are."""

import numpy as np
import pytest
from support.figure_results import load, run

import clbench.reporting as plots
from clbench.reporting.figures.gallery import gallery
from clbench.reporting.figures.rates import with_rates


def rated(base, scores, *, default=None, stream="", **more):
    """Runs of a method by rate, named as a run names itself, each with one accuracy."""
    return [
        run(f"{base}{'' if lr == default else f'-lr={lr}'}{stream}", [[score]], lr=lr, **more)
        for lr, score in scores.items()
    ]


EWC = {0.001: 0.5, 0.01: 0.75, 0.1: 0.25, 1e-05: 0.125}


def lines(axes):
    """By color, the points of each line; the ring of a default rate has no line."""
    joined = [each for each in axes.get_lines() if each.get_linestyle() != "None"]
    return [(list(each.get_xdata()), list(each.get_ydata())) for each in joined]


def rings(axes):
    found = [each for each in axes.get_lines() if each.get_linestyle() == "None"]
    return [(each.get_xdata()[0], each.get_ydata()[0]) for each in found]


def test_runs_that_differ_in_the_rate_alone_are_one_line(tmp_path):
    frame = load(
        tmp_path,
        [
            *rated("ewc-frozen", EWC, default=0.01),
            *rated("ewc-frozen-strength=3.0", {0.1: 0.5, 1.0: 0.25, 3.0: 0.75}),
            *rated("si-frozen", {0.1: 0.5, 1.0: 0.25}),  # two are no line
            run("ncm", [[0.9]], lr=0.01),
        ],
    )
    figure = plots.learning_rate_figure(frame)
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    assert lines(axes) == [
        ([1e-05, 0.001, 0.01, 0.1], [12.5, 50, 75, 25]),
        ([0.1, 1.0, 3.0], [50, 25, 75]),
    ]
    assert rings(axes) == [(0.01, 75)]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["EWC", "EWC, strength 3", "default rate"]


def test_a_point_is_the_mean_of_finished_runs_and_a_bar_their_interval(tmp_path):
    rates = {0.001: 0.5, 0.01: 0.75, 0.1: 0.25}
    frame = load(
        tmp_path,
        [
            *rated("ewc", rates, default=0.01),
            *rated("ewc", {0.01: 0.25}, default=0.01, order="random:1"),
            *rated("ewc", {0.01: 0.5}, default=0.01, order="random:2"),
            *rated("ewc", {0.1: 1.0}, seed=1, status="failed"),
            *rated("ewc", {1.0: 1.0}, seed=1, status="failed"),
        ],
    )
    (axes,) = plots.learning_rate_figure(frame).axes
    assert lines(axes) == [([0.001, 0.01, 0.1], [50, 50, 25])]
    (bar,) = axes.collections
    (segment,) = bar.get_segments()
    assert np.asarray(segment).tolist() == [
        [0.01, 25],
        [0.01, 75],
    ]  # three orders: each alone is in the interval


def test_each_scenario_has_a_panel_with_the_methods_that_have_lines_there(tmp_path):
    frame = load(
        tmp_path,
        [
            *rated("ewc", EWC, scenario="alpha"),
            *rated("si", EWC, scenario="beta"),
            *rated("ewc", {0.1: 0.5}, scenario="beta"),
            *rated("ewc", {0.1: 0.5}, scenario="gamma"),
        ],
    )
    axes = plots.learning_rate_figure(frame).axes
    assert [one.get_title() for one in axes] == ["Scenario alpha", "Scenario beta"]
    assert [len(lines(one)) for one in axes] == [1, 1]
    assert axes[0].get_xlim() == axes[1].get_xlim()
    assert axes[0].get_lines()[0].get_color() != axes[1].get_lines()[0].get_color()


def test_joint_training_keeps_its_name_and_looks(tmp_path):
    frame = load(tmp_path, rated("finetune-frozen", EWC, default=0.01, stream="-joint"))
    figure = plots.learning_rate_figure(frame)
    assert figure.legends[0].get_texts()[0].get_text() == "Fine-tuning, joint"
    assert [each.get_linestyle() for each in figure.axes[0].get_lines()] == ["None", "--"]


@pytest.mark.parametrize(
    ("tuned", "rates", "drawn"),
    [([], [0.1, 0.2, 0.3], True), ([], [0.1, 0.2], False), (["lr"], [0.1, 0.2, 0.3], False)],
)
def test_it_is_made_where_a_method_has_three_rates_that_no_search_chose(tmp_path, tuned, rates, drawn):
    scores = dict.fromkeys(rates, 0.5)
    contents = [
        one for seed, lr in enumerate(scores) for one in rated("ewc", {lr: 0.5}, seed=seed, tuned=tuned)
    ]
    frame = load(tmp_path, [*contents, run("ncm", [[0.9]])])
    assert ("learning_rate" in dict(gallery(frame))) == drawn
    assert len(with_rates(frame)) == (3 if drawn else 0)
    texts = [text.get_text() for text in plots.learning_rate_figure(frame).texts]
    assert texts == ([] if drawn else ["no method has 3 learning rates"])


def test_methods_look_as_they_do_among_all_results(tmp_path):
    contents = [
        *rated("ewc-a=1", EWC, scenario="alpha"),
        *rated("ewc-b=2", EWC, scenario="alpha"),
        *rated("ewc-b=2", EWC, scenario="beta"),
    ]
    frame = load(tmp_path, contents)
    every = plots.learning_rate_figure(frame).axes
    part = plots.learning_rate_figure(frame[frame["scenario"] == "beta"], whole=frame).axes

    def look(axes):
        each = axes.get_lines()[-1]
        return each.get_color(), each.get_marker(), each.get_fillstyle()

    assert look(part[0]) == look(every[1])
