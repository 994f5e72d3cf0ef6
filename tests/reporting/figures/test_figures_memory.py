"""The figure of accuracy against bytes carried: which methods it shows, and its Pareto front, by hand."""

import numpy as np
import pytest
from support.figure_results import load, run

from clbench.reporting.figures.gallery import gallery
from clbench.reporting.figures.memory import LEAST, memory_figure, with_sizes


def carrying(method, accuracy, carried, **more):
    return run(method, [[accuracy]], costs={"carried_bytes": {"total": carried}}, **more)


SIZES = [
    carrying("replay-frozen-capacity=64", 0.3, 1024),
    carrying("replay-frozen-capacity=256", 0.5, 4096),
    carrying("replay-frozen-capacity=1024", 0.6, 16384),
    carrying("ncm", 0.55, 2048),
]


def points(axes):
    return {
        line.get_color(): sorted(zip(line.get_xdata(), line.get_ydata(), strict=True))
        for line in axes.get_lines()
        if line.get_label() != "Pareto front"
    }


def test_points_and_front_by_hand(tmp_path):
    more = [carrying("finetune-frozen-joint", 0.9, 100), carrying("slda", 0.5, None)]
    axes, beside = memory_figure(load(tmp_path, [*SIZES, *more])).axes
    ncm, replay = sorted(points(axes).values(), key=len)
    assert np.array(replay) == pytest.approx(np.array([(1024, 30), (4096, 50), (16384, 60)]))
    assert np.array(ncm) == pytest.approx(np.array([(2048, 55)]))
    (front,) = [line for line in axes.get_lines() if line.get_label() == "Pareto front"]
    # 256 texts are more bytes than class means, and worse.
    found = list(zip(front.get_xdata(), front.get_ydata(), strict=True))
    assert np.array(found) == pytest.approx(np.array([(1024, 30), (2048, 55), (16384, 60)]))
    assert [text.get_text() for text in axes.texts] == ["1", "2", "3"]
    assert beside.texts[0].get_text().splitlines() == [
        "1  30.0 %, 1.0 KiB: Replay, capacity 64",
        "2  55.0 %, 2.0 KiB: NCM",
        "3  60.0 %, 16.0 KiB: Replay, capacity 1024",
    ]


def test_what_is_far_behind_is_below_the_axis_and_named(tmp_path):
    far = [carrying("knn", 0.1, 512), carrying("agem-frozen", 0.2, 8192)]
    axes, beside = memory_figure(load(tmp_path, [*SIZES, *far])).axes
    assert axes.get_ylim()[0] == pytest.approx(60 - 30)
    *_, last = beside.texts[0].get_text().splitlines()
    assert last == "Below: A-GEM 20.0 %"
    assert beside.texts[0].get_text().startswith("1  10.0 %, 512 B: kNN")  # on the front


def test_a_point_is_the_mean_of_the_seeds(tmp_path):
    frame = load(tmp_path, [*SIZES, carrying("ncm", 0.65, 2048, seed=1)])
    (ncm,) = (each for each in points(memory_figure(frame).axes[0]).values() if len(each) == 1)
    assert np.array(ncm) == pytest.approx(np.array([(2048, 60)]))


def test_scenarios_without_three_sizes_of_a_baseline_are_left_out(tmp_path):
    beta = [{**each, "config": {**each["config"], "scenario": "beta"}} for each in SIZES]
    equal = carrying("replay-frozen-capacity=64", 0.3, 4096, scenario="beta")
    frame = load(tmp_path, [*SIZES, equal, *beta[1:]])
    assert set(with_sizes(frame)["scenario"]) == {"alpha"}
    stems = [stem for stem, _ in gallery(frame)]
    assert "memory" in stems
    tunings = [carrying(f"ewc-{each}", 0.3, len(each), tuning=each) for each in ("full", "frozen", "adapter")]
    assert with_sizes(load(tmp_path / "tunings", tunings)).empty
    few = load(tmp_path / "few", SIZES[:2])
    assert with_sizes(few).empty
    assert "memory" not in [stem for stem, _ in gallery(few)]
    assert memory_figure(few).texts[0].get_text() == f"no memory is there in {LEAST} sizes"
