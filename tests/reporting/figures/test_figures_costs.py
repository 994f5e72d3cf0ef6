"""What figures of costs show: points, Pareto fronts and stacked phases, against numbers by hand."""

import math
from itertools import pairwise

import numpy as np
import pytest
from support.figure_results import load, run

import clbench.reporting as plots
from clbench.reporting.figures import costs, phases

# Costs


def costing(method, accuracy, seconds=None, carried=None, **more):
    size = None if carried is None else int(carried)
    given = {"seconds": {"total": seconds}, "carried_bytes": {"total": size}}
    return run(method, [[accuracy]], costs=given, **more)


def points(axes):
    """By method: the mean cost and the mean accuracy."""
    found = {bars.get_label(): bars.lines[0] for bars in axes.containers}
    return {name: (float(line.get_xdata()[0]), float(line.get_ydata()[0])) for name, line in found.items()}


def front(axes):
    (line,) = [line for line in axes.get_lines() if line.get_label() == "Pareto front"]
    return list(zip(line.get_xdata(), line.get_ydata(), strict=True))


def test_costs_by_hand(tmp_path):
    frame = load(
        tmp_path,
        [
            costing("ncm", 0.5, 10, 0),
            costing("ewc", 0.4, 20, 1000),
            costing("replay", 0.7, 20, 500, seed=0),
            costing("replay", 0.9, 40, 500, seed=1),
            costing("finetune-joint", 1.0, 5, 100),
            costing("finetune-single", 0.95, 5, 100, notes=["task-id-oracle"]),
        ],
    )
    seconds, flops, carried = plots.accuracy_cost_figure(frame).axes
    shown = points(seconds)
    assert shown["replay"] == pytest.approx((30, 80))
    assert shown["ncm"] == (10, 50)
    assert len(shown) == 5
    # ncm is fastest, replay best; ewc is worse than both; joint and single would beat all, but do not count.
    assert np.array(front(seconds)) == pytest.approx(np.array([(10, 50), (30, 80)]))
    assert np.array(front(carried)) == pytest.approx(np.array([(0, 50), (500, 80)]))
    assert (seconds.get_xscale(), carried.get_xscale()) == ("log", "symlog")
    assert [text.get_text() for text in flops.texts] == ["no run records it"]
    assert [axes.get_xlabel() for axes in (seconds, flops, carried)] == list(costs.COSTS.values())


def test_bars_of_costs_are_the_interval_of_both(tmp_path):
    frame = load(
        tmp_path,
        [
            costing("ncm", 0.5, 10, 5, order=0),
            costing("ncm", 0.7, 30, 5, order="random:1"),
            costing("ncm", 0.6, 20, 5, order="random:2"),
        ],
    )
    seconds = plots.accuracy_cost_figure(frame).axes[0]
    across, along = (bars.get_segments()[0] for bars in seconds.containers[0].lines[2])
    assert np.array(across) == pytest.approx(np.array([[10, 60], [30, 60]]))
    assert np.array(along) == pytest.approx(np.array([[20, 50], [20, 70]]))


def test_methods_without_a_recorded_cost_are_named(tmp_path):
    frame = load(tmp_path, [costing("ncm", 0.5, 10, 5), costing("ewc", 0.5, 10)])
    assert plots.accuracy_cost_figure(frame).axes[2].get_title() == "without a value: EWC"


def test_seconds_on_a_gpu_and_on_a_processor_have_no_point_and_no_bar(tmp_path):
    frame = load(
        tmp_path, [costing("ncm", 0.5, 10, 5), *(costing("ewc", 0.5, 10, 5, seed=s) for s in (0, 1))]
    )
    machines = [{"gpu": "GPU"}, {"processor": "CPU"}, {"processor": "CPU"}]
    frame["provenance"] = [{"machine": each} for each in machines]
    assert frame["method"].tolist() == ["ewc", "ewc", "ncm"]
    seconds, _, carried = plots.accuracy_cost_figure(frame).axes
    assert seconds.get_title() == "without a value: EWC"
    assert list(points(seconds)) == ["ncm"]
    assert sorted(points(carried)) == ["ewc", "ncm"]
    assert phases.mean_seconds(frame).isna().all(axis=1)["ewc"]


def test_the_pareto_front_is_that_of_comparing_each_with_each():
    generator = np.random.default_rng(0)
    for _ in range(50):
        cost, value = generator.integers(0, 6, size=(2, 12)).astype(float)
        cost[0], value[1] = math.nan, math.nan
        expected = [
            not math.isnan(c + v)
            and not any(
                (other <= c and than > v) or (other < c and than >= v)
                for other, than in zip(cost, value, strict=True)
            )
            for c, v in zip(cost, value, strict=True)
        ]
        assert plots.pareto_front(cost, value).tolist() == expected


def test_a_front_of_unequal_numbers_is_refused():
    with pytest.raises(ValueError, match="shapes"):
        plots.pareto_front([1, 2], [1])


@pytest.mark.parametrize(
    ("low", "high"), [(1, 1), (40, 53), (1e4, 1e4), (3, 4e9), (0.02, 0.9), (1e13, 1.1e13)]
)
def test_axes_of_costs_have_few_round_numbers_that_stand_apart(tmp_path, low, high):
    figure = plots.accuracy_cost_figure(
        load(tmp_path, [costing("ncm", 0.5, low, 0), costing("ewc", 0.5, high, high)])
    )
    figure.draw_without_rendering()
    for axes in (figure.axes[0], figure.axes[2]):
        ticks = [tick for tick in axes.get_xticklabels() if tick.get_text()]
        boxes = sorted((tick.get_window_extent() for tick in ticks), key=lambda box: box.x0)
        assert 1 <= len(ticks) <= 7
        assert all(one.x1 < other.x0 for one, other in pairwise(boxes))


# Phases


def phased(method, seed=0, **seconds):
    return run(method, [[0.5]], seed=seed, costs={"seconds": seconds})


def test_phases_are_stacked_and_the_fastest_is_first(tmp_path):
    frame = load(
        tmp_path,
        [
            phased("ewc", encode=10, keys=0, train=4, consolidate=2, evaluate=1),
            phased("ewc", 1, encode=10, keys=0, train=6, consolidate=4, evaluate=3),
            phased("ncm", encode=10, train=1, evaluate=1),
            run("si", [[0.1]], status="failed"),
        ],
    )
    every, rest = plots.phase_seconds_figure(frame).axes
    assert [tick.get_text() for tick in every.get_yticklabels()] == ["NCM", "EWC", "SI (not finished)"]
    bars = {
        phase.get_label(): {
            round(bar.get_y() + bar.get_height() / 2): (bar.get_x(), bar.get_width()) for bar in phase
        }
        for phase in every.containers
    }
    # What takes no time has no bar.
    assert {name: spans[1] for name, spans in bars.items() if spans} == {
        "encoding": (0, 10),
        "training": (10, 5),
        "consolidation": (15, 3),
        "evaluation": (18, 2),
    }
    assert bars["evaluation"][0] == (11, 1)
    assert [text.get_text().strip() for text in every.texts] == ["12", "20", "without a value"]
    assert [text.get_text().strip() for text in rest.texts] == ["2.0", "10", "without a value"]
    assert "encoding" not in [phase.get_label() for phase in rest.containers]


def test_time_is_without_encoding_where_all_encoders_are_frozen(tmp_path):
    def timed(method, total, encode):
        given = {"seconds": {"total": total, "encode": encode}}
        return run(method, [[0.5]], costs=given)

    frozen = load(tmp_path / "frozen", [timed("ncm", 110, 100), timed("ewc-frozen", 120, 100)])
    seconds = plots.accuracy_cost_figure(frozen).axes[0]
    assert points(seconds) == {"ncm": (10, 50), "ewc-frozen": (20, 50)}
    assert seconds.get_xlabel() == "Time without encoding (s)"
    both = load(tmp_path / "both", [timed("ewc-full", 110, 10), timed("ewc-frozen", 120, 100)])
    seconds = plots.accuracy_cost_figure(both).axes[0]
    assert points(seconds)["ewc-full"] == (110, 50)
    assert seconds.get_xlabel() == "Total time (s)"
