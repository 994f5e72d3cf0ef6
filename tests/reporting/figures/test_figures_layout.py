"""Figures as pages: legible, nothing over something else, safe whatever the names, always the same."""

import warnings
from itertools import combinations

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.text import Text
from support.figure_results import load, run

import clbench.reporting as plots
from clbench.reporting import gallery, save
from clbench.reporting.figures.gallery import PLOTS

HOSTILE = [
    "$\\frac{$",
    "_hidden",
    "<img onerror=alert(1)>|",
    "A" * 80,
    "A" * 79 + "B",
    "\u202eevil\x1b[2J\nnext",
    "\u540d\u524d",
    "\u65b9\u6cd5",
    "dkvb-$x$",
    "\x1b",
]
ORDINARY = ["finetune-full-joint", "ncm", "ewc-frozen", "ewc-full", "dkvb-np-oracle", "dkvb-np-random"]
CROWD = [
    f"{family}-{tuning}"
    for family in ("ewc", "si", "mas", "l2", "replay", "der")
    for tuning in ("full", "lora", "frozen")
]


def stream(method, stages, *, seed=0, scenario="alpha", title="Topics of news, class-incremental", **more):
    """A finished run with everything that is ever drawn."""
    generator = np.random.default_rng([seed, stages])
    accuracy = generator.random((stages, stages)).tolist()
    seconds = dict(
        zip(("encode", "keys", "train", "consolidate", "evaluate"), generator.random(5), strict=True)
    )
    told = [
        {"keys_in_use": 10 + i, "dead_keys": 9000 - i, "perplexity": 50.0 + i, "overlap": [0.5] * i}
        for i in range(stages)
    ]
    return run(
        method,
        accuracy[-1:] if method.endswith("-joint") else accuracy,
        seed=seed,
        scenario=scenario,
        title=title,
        diagnostics=told if "dkvb" in method else [],
        costs={
            "seconds": seconds | {"total": sum(seconds.values())},
            "flops": {"algorithm": float(generator.integers(1, 10**12))},
            "carried_bytes": {"total": float(generator.integers(0, 10**6))},
        },
        **more,
    )


CASES = {
    "ordinary": [stream(method, 4, seed=seed) for method in ORDINARY for seed in (0, 1)],
    "hostile": [stream(method, 4, title="$\\beta{ <b>" + "\u540d" * 3) for method in HOSTILE],
    "crowd": [stream(method, 7, seed=i) for i, method in enumerate(CROWD)],
    "long": [stream(method, 26, seed=seed) for method in ORDINARY[:5] for seed in (0, 1)],
    "scenarios": [
        stream(
            method, 4 + place, scenario=name, title=f"A rather long title of the scenario {name}, multi-head"
        )
        for place, name in enumerate(("alpha", "beta", "gamma", "delta", "epsilon"))
        for method in ORDINARY
    ],
    "rates": [
        stream(f"{method}-lr={lr}", 4, scenario=name, title=f"A long title of the scenario {name}", lr=lr)
        for name in ("alpha", "beta")
        for method in (*ORDINARY[1:4], *HOSTILE[:3])
        for lr in (0.003, 0.03, 1.0)
    ],
    "wide letters": [
        stream("ncm", 4, scenario=name, title="BANKING77, class-incremental, 7 x 11 intents, single-head")
        for name in ("alpha", "beta", "gamma")
    ],
    "one": [stream("ncm", 4)],
    "one experience": [stream("ncm", 1), stream("dkvb", 1)],
    "failed": [run(method, [[0.5, 0.0]], status="failed") for method in ORDINARY],
}


@pytest.fixture(scope="module", params=CASES)
def figures(request, tmp_path_factory):
    frame = load(tmp_path_factory.mktemp("runs"), CASES[request.param])
    made = dict(gallery(frame))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # such as a glyph that the font lacks, or a layout without room
        for figure in made.values():
            figure.draw_without_rendering()
    return made


def texts(figure):
    """All text of a figure that is drawn: not the numbers of axes outside of what they show."""
    beyond = set()
    for axes in figure.findobj(Axes):
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low <= tick.get_loc() <= high:
                    beyond |= {tick.label1, tick.label2}
    every = figure.findobj(lambda each: isinstance(each, Text) and each.get_visible() and each not in beyond)
    return [text for text in every if text.get_text().strip()]


def shrunk(box, points=0.5):
    return box.padded(-points) if min(box.width, box.height) > 2 * points else box


def test_no_text_leaves_the_page(figures):
    for name, figure in figures.items():
        page = figure.bbox.padded(1)
        for text in texts(figure):
            box = text.get_window_extent()
            assert page.x0 <= box.x0 <= box.x1 <= page.x1, (name, text)
            assert page.y0 <= box.y0 <= box.y1 <= page.y1, (name, text)


def test_no_text_stands_on_another(figures):
    for name, figure in figures.items():
        boxes = [(text.get_text(), shrunk(text.get_window_extent())) for text in texts(figure)]
        for (one, box), (other, where) in combinations(boxes, 2):
            assert not box.overlaps(where), (name, one, other)


def test_legends_and_titles_cover_no_panel(figures):
    for name, figure in figures.items():
        above = [text for text in figure.findobj(Text) if text in (figure._suptitle, *_titles(figure))]
        boxes = [text.get_window_extent() for text in above if text.get_text()]
        boxes += [legend.get_window_extent() for legend in figure.legends]
        for box in boxes:
            assert not any(shrunk(box).overlaps(axes.get_window_extent()) for axes in figure.axes), name


def _titles(figure):
    return [axes.title for axes in figure.axes] + [part._suptitle for part in figure.subfigs]


def test_text_is_large_enough_to_read_and_figures_fit_a_page(figures):
    for name, figure in figures.items():
        assert min(text.get_fontsize() for text in texts(figure)) >= 7, name
        width, height = figure.get_size_inches()
        assert width <= 7, name
        assert height <= 10, name


def test_no_name_is_parsed_as_a_formula(tmp_path):
    # As a notebook draws them: with settings that parse formulas, and some of these names are wrong ones.
    for name, figure in gallery(load(tmp_path, CASES["hostile"])):
        figure.draw_without_rendering()
        dollars = [text for text in texts(figure) if "$" in text.get_text()]
        assert dollars, name
        assert not any(text.get_parse_math() for text in dollars), name


@pytest.mark.parametrize("kind", ["svg", "pdf"])
def test_hostile_names_are_drawn_and_stay_apart(tmp_path, kind):
    frame = load(tmp_path / "runs", CASES["hostile"])
    figure = plots.stream_accuracy_figure(frame)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(set(names)) == len(HOSTILE)
    assert {"$\\frac{$", "_hidden", "<img onerror=alert(1)>|", "DKVB ($x$)", "�"} <= set(names)
    (path,) = [path for path in save(figure, tmp_path / "figure") if path.suffix == f".{kind}"]
    content = path.read_bytes()
    assert b"<img" not in content
    assert b"\x1b[2J" not in content


def test_hostile_names_do_not_leave_the_folder(tmp_path):
    contents = [
        stream("ncm", 4, scenario=name) for name in ("../../up", "a/b", "a\\b", "a:b", "..", "x" * 300)
    ]
    names = [name for name, _ in gallery(load(tmp_path, contents))]
    assert len(set(names)) == len(names)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-") for name in names)
    assert max(map(len, names)) < 150


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.name)
def test_the_same_results_give_the_same_bytes_whatever_the_users_settings(tmp_path, plot):
    contents = CASES["ordinary"] + CASES["rates"]
    first = save(plot.draw(load(tmp_path / "a", contents)), tmp_path / "first")
    theirs = {"font.size": 20, "svg.hashsalt": None, "axes.grid": False, "text.parse_math": True}
    with matplotlib.rc_context(theirs):
        second = save(plot.draw(load(tmp_path / "b", contents[::-1])), tmp_path / "second")
    assert [path.suffix for path in first] == [".svg", ".pdf"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_files_tell_neither_date_nor_version(tmp_path):
    svg, pdf = save(plots.stream_accuracy_figure(load(tmp_path, CASES["one"])), tmp_path / "figure")
    assert b"<dc:date>" not in svg.read_bytes()
    assert matplotlib.__version__.encode() not in svg.read_bytes()
    assert b"CreationDate" not in pdf.read_bytes()
    assert b"/Type3" not in pdf.read_bytes().replace(b" ", b"")


def test_a_large_figure_becomes_one_per_scenario(tmp_path):
    names = [name for name, _ in gallery(load(tmp_path, CASES["scenarios"]))]
    assert "stream_accuracy" in names
    assert [name for name in names if name.startswith("accuracy_cost")] == [
        f"accuracy_cost-{scenario}-tiny" for scenario in ("alpha", "beta", "delta", "epsilon", "gamma")
    ]


def test_encoders_have_panels_of_their_own(tmp_path):
    frame = load(tmp_path, [stream("ncm", 4, title="One"), stream("ncm", 4, title="One", encoder="large")])
    axes = plots.stream_accuracy_figure(frame).axes
    assert [one.get_title() for one in axes] == ["One\nencoder large", "One\nencoder tiny"]


def test_nothing_to_draw_is_an_error_and_all_failed_is_said(tmp_path):
    frame = load(tmp_path, CASES["failed"])
    with pytest.raises(ValueError, match="no runs"):
        plots.stream_accuracy_figure(frame[:0])
    (axes,) = plots.stream_accuracy_figure(frame).axes
    assert [text.get_text() for text in axes.texts] == ["no finished run"]
    shown = [text.get_text() for text in plots.stream_accuracy_figure(frame).legends[0].get_texts()]
    assert all(text.endswith("(not finished)") for text in shown)


def test_of_many_methods_the_most_accurate_have_a_heat_map(tmp_path):
    scores = {f"m{i:02}": (7 * i % 20) / 20 for i in range(20)}
    runs = load(tmp_path, [run(name, [[score, 0.0], [score, score]]) for name, score in scores.items()])
    figure = plots.accuracy_matrix_figure(runs)
    titles = {axes.get_title() for part in figure.subfigs for axes in part.axes} - {""}
    assert titles == set(sorted(scores, key=scores.__getitem__)[-16:])
    assert "the 16 most accurate of 20 methods" in figure.subfigs[0].get_suptitle()


def test_a_stream_of_thousands_of_experiences_has_no_heat_map(tmp_path):
    runs = load(tmp_path, [run("finetune-full-joint", [[0.5] * 5000])])
    figure = plots.accuracy_matrix_figure(runs)
    assert [text.get_text() for text in figure.subfigs[0].axes[0].texts] == ["5,000 experiences"]
