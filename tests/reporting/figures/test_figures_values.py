"""What figures show: their numbers against numbers by hand, and against naive computations."""

import doctest
import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from support.figure_results import load, run

import clbench.reporting as plots
from clbench.core.metrics import forgetting
from clbench.reporting.figures import curves, keys, labels, matrices, pareto, phases, ranks
from clbench.reporting.figures.curves import forgetting_by_experience
from clbench.reporting.figures.gallery import gallery
from clbench.reporting.figures.styles import LineStyle

# Two seeds of one method, by hand.
FIRST = [[0.75, 0.25, 0.0], [0.5, 1.0, 0.0], [0.25, 0.75, 1.0]]
SECOND = [[1.0, 0.0, 0.0], [1.0, 0.5, 0.0], [0.5, 0.75, 0.5]]


def streams(**more):
    return [run("ewc-frozen", FIRST, seed=0, **more), run("ewc-frozen", SECOND, seed=1, **more)]


def lines_of(axes, color):
    return [line for line in axes.get_lines() if line.get_color() == color]


def edges(band):
    """The lower and the upper edge of a band, from left to right."""
    points = pd.DataFrame(band.get_paths()[0].vertices, columns=["x", "y"]).groupby("x")["y"]
    return points.min().to_list(), points.max().to_list()


# Curves


def test_stream_accuracy_is_the_mean_over_runs_in_percent(tmp_path):
    frame = load(tmp_path, [*streams(), run("finetune-full-joint", [[0.8, 0.6, 1.0]])])
    (axes,) = plots.stream_accuracy_figure(frame).axes
    joint, ewc = axes.get_lines()
    # (0.75 + 0.25 + 0) / 3 and 1 / 3; 0.5 and 0.5; 2 / 3 and 1.75 / 3
    assert list(ewc.get_ydata()) == pytest.approx([100 / 3, 50, 100 * (2 + 1.75) / 6])
    assert list(ewc.get_xdata()) == [1, 2, 3]
    assert list(joint.get_ydata()) == pytest.approx([80, 80, 80])
    assert (joint.get_linestyle(), ewc.get_linestyle()) == ("--", "-")
    assert not axes.collections  # two runs have no band
    third = load(tmp_path / "third", [*streams(), run("ewc-frozen", FIRST, seed=2)])
    (axes,) = plots.stream_accuracy_figure(third).axes
    color = axes.get_lines()[0].get_color()
    assert [to_hex(band.get_facecolor()[0]).upper() for band in axes.collections] == [color]


def test_bands_are_the_bootstrap_interval_of_the_mean(tmp_path):
    generator = np.random.default_rng(3)
    curves_of = generator.random((6, 2))
    frame = load(tmp_path, [run("ewc", [[a, 0.0], [b, b]], seed=i) for i, (a, b) in enumerate(curves_of)])
    (axes,) = plots.stream_accuracy_figure(frame).axes
    low, high = edges(axes.collections[0])
    # One order of experiences, so runs are drawn one by one: a loop over samples, with chance of its own.
    values = 100 * np.stack([curves_of[:, 0] / 2, curves_of[:, 1]], axis=1)
    means = [values[generator.integers(6, size=6)].mean(axis=0) for _ in range(20_000)]
    expected = np.quantile(means, [0.025, 0.975], axis=0)
    assert low == pytest.approx(expected[0], abs=1.0)
    assert high == pytest.approx(expected[1], abs=1.0)


def test_a_band_spans_the_runs_where_there_are_three_orders(tmp_path):
    orders = {0: FIRST, "random:1": SECOND, "random:2": FIRST}
    frame = load(tmp_path, [run("ewc-frozen", rows, order=order) for order, rows in orders.items()])
    (axes,) = plots.stream_accuracy_figure(frame).axes
    low, high = edges(axes.collections[0])
    # Each of three orders alone is a 27th of the samples, so all are within the 95 %.
    assert low == pytest.approx([100 / 3, 50, 175 / 3])
    assert high == pytest.approx([100 / 3, 50, 200 / 3])


def test_unfinished_runs_are_not_drawn(tmp_path):
    frame = load(tmp_path, [*streams(), run("ewc-frozen", [[0.0, 0.0, 0.0]], seed=2, status="running")])
    (axes,) = plots.stream_accuracy_figure(frame).axes
    assert axes.get_lines()[0].get_ydata()[0] == pytest.approx(100 / 3)


def test_forgetting_by_hand_and_as_the_metric():
    # experience 1: max(0.75, 0.5) - 0.25; experience 2: 1 - 0.75
    assert forgetting_by_experience(FIRST) == [0.5, 0.25]
    assert forgetting_by_experience(SECOND) == [0.5, -0.25]
    assert forgetting_by_experience([[0.5, 0.5]]) == []
    for matrix in (FIRST, SECOND, np.random.default_rng(0).random((7, 7)).tolist()):
        assert np.mean(forgetting_by_experience(matrix)) == pytest.approx(forgetting(matrix))


def test_forgetting_is_drawn_in_points_and_not_for_joint_training(tmp_path):
    frame = load(tmp_path, [*streams(), run("finetune-full-joint", [[0.8, 0.6, 1.0]])])
    figure = plots.forgetting_figure(frame)
    (axes,) = figure.axes
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["EWC, frozen"]
    ewc, zero = axes.get_lines()
    assert list(ewc.get_xdata()) == [1, 2]
    assert list(ewc.get_ydata()) == [50, 0]
    assert list(zero.get_ydata()) == [0, 0]


def test_forgetting_of_one_experience_is_not_defined(tmp_path):
    (axes,) = plots.forgetting_figure(load(tmp_path, [run("ncm", [[0.5]])])).axes
    assert [text.get_text() for text in axes.texts] == ["not defined:\nno experience comes after another"]


def test_many_methods_are_divided_by_kind_and_the_others_stay_in_sight(tmp_path):
    methods = ["finetune", "l2", "ewc", "si", "mas", "lwf", "replay", "der", "derpp", "agem", "ncm"]
    frame = load(tmp_path, [run(method, FIRST) for method in methods])
    axes = plots.stream_accuracy_figure(frame).axes
    assert [one.get_title() for one in axes] == ["naive, penalties", "rehearsal, prototypes"]
    for one in axes:
        assert len(one.get_lines()) == len(methods)
    assert sum(len(lines_of(one, "#d4d4d4")) for one in axes) == len(methods)


# Matrices


def drawn(axes):
    """The image of a heat map, and the text in each cell by row and column, counted from 1."""
    cells = {(round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in axes.texts}
    return axes.images[0].get_array().filled(math.nan), cells


def test_heat_maps_hold_the_mean_matrix_and_write_it(tmp_path):
    joint = run("finetune-full-joint", [[0.8, 0.6, 1.0]])
    figure = plots.accuracy_matrix_figure(load(tmp_path, [*streams(), joint]))
    upper, lower, bar = figure.axes
    values, cells = drawn(lower)
    assert values == pytest.approx(np.array([[87.5, 12.5, 0], [75, 75, 0], [37.5, 75, 75]]))
    assert cells[1, 1] == "88"
    assert cells[3, 1] == "38"
    assert cells[2, 3] == "0"
    values, cells = drawn(upper)
    assert np.isnan(values[:2]).all()
    assert values[2] == pytest.approx([80, 60, 100])
    assert cells == {(3, 1): "80", (3, 2): "60", (3, 3): "100"}
    assert upper.images[0].get_clim() == lower.images[0].get_clim() == (0, 100)
    assert (bar.get_ylim(), bar.get_ylabel()) == ((0, 100), "Accuracy (%)")
    # Row 1 is on top.
    assert lower.get_ylim()[0] > lower.get_ylim()[1]


def test_heat_maps_of_long_streams_have_no_numbers(tmp_path):
    (axes, _) = plots.accuracy_matrix_figure(load(tmp_path, [run("ncm", np.eye(26).tolist())])).axes
    assert not axes.texts
    assert axes.images[0].get_array().shape == (26, 26)


def test_numbers_in_cells_stand_out_from_their_color(tmp_path):
    matrix = np.linspace(0, 1, 49).reshape(7, 7)
    axes, _ = plots.accuracy_matrix_figure(load(tmp_path, [run("ncm", matrix.tolist())])).axes
    image = axes.images[0]
    for text in axes.texts:
        column, row = (round(each) - 1 for each in text.get_position())
        ground = _luminance(image.cmap(image.norm(100 * matrix[row, column])))
        ink = {"white": 1.0, "black": 0.0}[text.get_color()]
        assert (max(ground, ink) + 0.05) / (min(ground, ink) + 0.05) > 4.5  # what WCAG asks of text


def _luminance(color):
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color[:3]]
    return float(np.dot(parts, [0.2126, 0.7152, 0.0722]))


# Keys


def keyed(method, seed=0, *, dead=(90, 80), joint=False):
    told = [
        {"keys_in_use": 10, "dead_keys": dead[0], "perplexity": 3.5, "overlap": []},
        {
            "keys_in_use": 20 + 4 * seed,
            "dead_keys": dead[1],
            "perplexity": 4.5,
            "overlap": [0.2 + 0.2 * seed],
        },
    ]
    told = told[:1] if joint else told
    accuracy = [[0.5, 0.5]] if joint else [[0.5, 0.0], [0.5, 0.5]]
    return run(method, accuracy, seed=seed, diagnostics=told)


def test_key_use_is_a_line_per_method_with_keys(tmp_path):
    contents = [keyed("dkvb"), keyed("dkvb", 1), keyed("dkvb-random"), run("ncm", [[0.5, 0.0], [0.5, 0.5]])]
    figure = plots.key_use_figure(load(tmp_path, contents))
    assert [axes.get_title() for axes in figure.axes] == list(keys.USE.values())
    for axes, expected in zip(figure.axes, ([10, 22], [90, 80], [3.5, 4.5]), strict=True):
        first, _ = axes.get_lines()
        assert list(first.get_ydata()) == expected
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["DKVB", "DKVB (random keys)"]


def test_joint_training_uses_keys_for_the_whole_stream(tmp_path):
    frame = load(tmp_path, [keyed("dkvb"), keyed("dkvb-joint", joint=True)])
    joint, _ = plots.key_use_figure(frame).axes[0].get_lines()
    assert list(joint.get_ydata()) == [10, 10]
    first, second, _ = plots.key_overlap_figure(frame).axes
    assert [text.get_text() for text in first.texts] == ["no earlier experience"]
    assert [text.get_text() for text in second.texts] == ["20"]


def test_key_overlap_is_the_mean_below_the_diagonal(tmp_path):
    axes, _ = plots.key_overlap_figure(load(tmp_path, [keyed("dkvb"), keyed("dkvb", 1)])).axes
    values, cells = drawn(axes)
    assert np.isnan(values[np.triu_indices(2)]).all()
    assert values[1, 0] == pytest.approx(30)
    assert cells == {(2, 1): "30"}


def test_results_without_keys_have_no_figures_of_keys(tmp_path):
    frame = load(tmp_path, streams())
    assert not [name for name, _ in gallery(frame) if "key" in name]
    assert plots.key_use_figure(frame).texts[0].get_text() == "no run tells how it uses keys"


# Ranks


RANKS = pd.DataFrame(
    {
        "method": ["ewc", "ncm", "si", "mas"],
        "mean": [2.25, 1.5, math.nan, 2.0],
        "low": [2.0, 1.25, math.nan, math.nan],
        "high": [3.0, 1.75, math.nan, math.nan],
        "n": 4,
    }
)


def test_ranks_are_points_on_intervals_the_best_first():
    (axes,) = plots.rank_figure(RANKS, "Rank by accuracy").axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["ncm", "mas", "ewc", "si"]
    bars = {
        line.get_ydata()[0]: list(line.get_xdata()) for line in axes.get_lines() if len(line.get_xdata()) > 1
    }
    assert bars == {0: [1.25, 1.75], 2: [2.0, 3.0]}
    means = {
        line.get_label(): list(line.get_xydata()[0])
        for line in axes.get_lines()
        if len(line.get_xdata()) == 1
    }
    assert means == {"ncm": [1.5, 0], "mas": [2.0, 1], "ewc": [2.25, 2]}
    assert [text.get_text() for text in axes.texts] == ["1.50", "2.00", "2.25"]
    assert axes.get_xlabel() == "Rank by accuracy, n = 4"
    assert axes.yaxis_inverted()


def test_measures_of_which_more_is_better_are_turned_and_different_numbers_of_values_named():
    (axes,) = plots.rank_figure(RANKS.assign(n=[4, 4, 0, 3]), "Accuracy", best="high").axes
    names = [tick.get_text() for tick in axes.get_yticklabels()]
    assert names == ["ewc (n = 4)", "mas (n = 3)", "ncm (n = 4)", "si (n = 0)"]
    assert axes.get_xlabel() == "Accuracy"


def test_ranks_take_the_looks_of_all_results():
    looks = {name: LineStyle("#123456", "o", False) for name in RANKS["method"]}
    (axes,) = plots.rank_figure(RANKS, looks=looks).axes
    assert {line.get_color() for line in axes.get_lines()} == {"#123456"}


@pytest.mark.parametrize(
    ("ranks_given", "reason"),
    [
        (RANKS.drop(columns="low"), "no column low"),
        (pd.concat([RANKS, RANKS[:1]]), "more than one row of ewc"),
    ],
)
def test_ranks_that_are_none_are_refused(ranks_given, reason):
    with pytest.raises(ValueError, match=reason):
        plots.rank_figure(ranks_given)


def test_ranks_of_nothing_say_so():
    assert plots.rank_figure(RANKS[:0]).texts[0].get_text() == "no methods to rank"


@pytest.mark.parametrize("module", [curves, labels, pareto, phases, ranks])
def test_the_examples_in_the_docstrings_are_right(module):
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed


def test_the_mean_of_no_matrix_is_none():
    assert matrices.mean_matrix([], 3) is None
