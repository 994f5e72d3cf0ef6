"""How methods look: each its own way, the same everywhere, also in gray and to color-blind readers."""

import tomllib
from importlib.metadata import entry_points
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.figure_results import load, run

import clbench.reporting as plots
from clbench.core.types import FAMILIES
from clbench.reporting.figures.phases import PHASES
from clbench.reporting.figures.styles import line_styles

PYPROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
BASELINES = list(PYPROJECT["project"]["entry-points"]["clbench.baselines"])
TUNINGS = ("full", "frozen", "adapter", "lora", "prompt")
PROTOTYPES = ("ncm", "knn", "slda", "fecam", "ranpac", "loranpac", "acil", "air")
LANGUAGE = ("frozenlm", "knnlm", "dkvbcounts", "dkvbvalues")
ONE_TUNING = ("adapterhat", "bcl", "ctr", "classic", "l2p", "progprompt", "olora", "inflora", "osf")
NO_TUNING = (*PROTOTYPES, *LANGUAGE, *ONE_TUNING, "dkvb")
INITIALIZATIONS = ("oracle", "random", "generic", "incremental")
SUITE = [
    *(f"{name}-{tuning}" for name in BASELINES if name not in NO_TUNING for tuning in TUNINGS),
    *(name for name in BASELINES if name in NO_TUNING and name != "dkvb"),
    *(f"dkvb-{decoder}-{start}" for decoder in ("np", "p") for start in INITIALIZATIONS),
    *(f"finetune-{tuning}-{how}" for tuning in TUNINGS for how in ("joint", "single")),
]


def looks_of(names):
    kinds = ["joint" if name.endswith("-joint") else "sequential" for name in names]
    return line_styles(pd.DataFrame({"method": names, "stream": kinds}))


def linear(color):
    """The three channels of ``#RRGGBB``, proportional to light."""
    parts = np.array([int(color[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lightness(light):
    """CIE L*, 0 (black) to 100 (white), of linear channels."""
    y = light @ [0.2126, 0.7152, 0.0722]
    return 116 * np.cbrt(y) - 16 if y > 0.008856 else 903.3 * y


def test_the_suite_is_what_this_file_takes_it_for():
    installed = {each.name for each in entry_points(group="clbench.baselines")}
    assert installed == set(BASELINES)
    for each in entry_points(group="clbench.baselines"):
        assert (len(each.load().info.tunings) > 1) == (each.name not in NO_TUNING), each.name


def test_every_baseline_has_a_kind():
    looks = looks_of(SUITE)
    assert {look.kind for look in looks.values()} == set(FAMILIES) - {"other"}
    assert [FAMILIES.index(look.kind) for look in looks.values() if not look.joint] == sorted(
        FAMILIES.index(look.kind) for look in looks.values() if not look.joint
    )
    assert all(look.joint for look in list(looks.values())[: len(TUNINGS)])


def test_no_two_methods_of_the_suite_look_the_same_even_in_grey():
    looks = looks_of(SUITE)
    assert list(looks_of(SUITE[::-1])) == list(looks)
    for (one, a), (other, b) in combinations(looks.items(), 2):
        if (a.marker, a.fill) == (b.marker, b.fill):
            assert abs(lightness(linear(a.color)) - lightness(linear(b.color))) > 10, (one, other)


def test_no_method_is_too_pale_for_paper():
    for method, look in looks_of(SUITE).items():
        assert lightness(linear(look.color)) < 75, method


@pytest.mark.parametrize("size", [1, 2, 10])
def test_a_method_of_the_suite_looks_the_same_whatever_else_is_drawn(size):
    whole = looks_of(SUITE)
    generator = np.random.default_rng(size)
    for _ in range(20):
        few = [SUITE[place] for place in generator.choice(len(SUITE), size, replace=False)]
        assert looks_of(few) == {method: look for method, look in whole.items() if method in few}


def test_a_look_is_kept_in_all_figures(tmp_path):
    matrix = [[0.5, 0.0], [0.5, 0.5]]
    told = [{"keys_in_use": 1, "dead_keys": 1, "perplexity": 1.0, "overlap": [0.5] * i} for i in range(2)]
    costs = {"seconds": {"total": 1.0}}
    contents = [
        run("dkvb-mine", matrix, diagnostics=told, costs=costs),
        run("ewc-frozen", matrix, costs=costs),
        run("mine-1", matrix, costs=costs),
        run("mine-2", matrix, costs=costs),
    ]
    frame = load(tmp_path, contents)
    shown_as = dict(zip(frame["method"], frame["name"], strict=True))
    looks = {shown_as[method]: look for method, look in line_styles(frame).items()}
    few = frame[frame["method"].isin(["dkvb-mine", "mine-2"])]
    draw = (
        plots.stream_accuracy_figure,
        plots.forgetting_figure,
        plots.accuracy_cost_figure,
        plots.key_use_figure,
    )
    for each in draw:
        figure = each(few, whole=frame)
        names = [text.get_text() for text in figure.legends[0].get_texts()]
        for name, handle in zip(names, figure.legends[0].legend_handles, strict=True):
            if name in looks:
                shown = handle.get_color(), handle.get_marker()
                assert shown == (looks[name].color, looks[name].marker)
        assert shown_as["dkvb-mine"] in names


def test_many_unknown_methods_look_different():
    names = [f"{family}-{i}" for family in ("dkvb", "ewc", "other", "mine", "x") for i in range(50)]
    looks = looks_of(names)
    assert len({(look.color, look.marker, look.fill) for look in looks.values()}) == len(names)


def test_neighboring_phases_differ_in_lightness_or_hatching():
    phases = list(PHASES.values())
    # A phase may take no time, so each can stand beside each.
    for (_, color, hatch), (_, other, lines) in combinations(phases, 2):
        if hatch == lines:
            assert abs(lightness(linear(color)) - lightness(linear(other))) > 15


# How colors arrive where one kind of cones is missing (linear RGB; Machado, Oliveira and Fernandes, 2009).
MISSING = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}


@pytest.mark.parametrize("kind", MISSING)
def test_kinds_of_methods_are_told_apart_by_color_blind_readers(kind):
    names = ["finetune-frozen", "dkvb-np-oracle", "ewc-frozen", "replay-frozen", "ncm", "owm-frozen"]
    seen = {
        name: _lab(np.clip(np.array(MISSING[kind]) @ linear(look.color), 0, 1))
        for name, look in looks_of(names).items()
    }
    for one, other in combinations(names, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 15, (one, other)


def _lab(light):
    """CIE L*a*b* of linear sRGB channels."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.cbrt(np.array(to_xyz) @ light / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])
