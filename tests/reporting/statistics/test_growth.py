"""Growth with the number of experiences, against made-up laws."""

import math

import pandas as pd
import pytest

from clbench.reporting.figures.growth import growth_figure
from clbench.reporting.statistics.growth import by_length, exponent, growth_table, growth_text, per_doubling


def runs(scenario, length, method="a", seed=0, seconds=0.0, status="done", accuracy=0.9):
    """A run whose learning takes so long in all, of which encoding and evaluation are no part."""
    each = {"keys": seconds / length / 2, "train": seconds / length / 2, "evaluate": 100.0, "encode": 100.0}
    return {
        "scenario": scenario, "encoder": "minilm", "method": method, "name": method,
        "order": "0", "seed": seed,
        "stream": "sequential", "status": status, "title": scenario, "competes": True,
        "metrics.average_accuracy": accuracy, "metrics.forgetting": 0.1 * math.log2(length),
        "costs.carried_bytes.total": 7.0 * length**2, "experiences": [{"seconds": each}] * length,
        "config": {"baseline": "baselines.ncm", "method": method}, "provenance": {},
    }  # fmt: skip


def frame(*more):
    laws = [
        runs(
            f"one-{length}",
            length,
            seed=seed,
            seconds=3 * length**0.5,
            accuracy=0.9 - 0.05 * math.log2(length) + d,
        )
        for length in (10, 20, 80)
        for seed, d in ((0, -0.01), (1, 0.01))
    ]
    return pd.DataFrame([*laws, *more])


def test_a_fit_finds_the_law():
    assert exponent([1, 3, 50], [2 * each**-0.7 for each in (1, 3, 50)]) == pytest.approx(-0.7)
    assert math.isnan(exponent([1, 2, 3], [1, 0, 1]))
    assert per_doubling([2, 8, 32], [5, 9, 13]) == pytest.approx(2)


def test_the_table_has_the_laws_of_streams_of_three_lengths_and_no_others():
    others = [
        runs("two-10", 10),
        runs("two-20", 20),
        runs("one-40", 40, method="b"),
        runs("one-160", 160, status="failed"),
    ]
    table = growth_table(frame(*others))
    assert table["method"].tolist() == ["a"]
    (row,) = table.to_dict("records")
    assert (row["stream_name"], row["lengths"]) == ("one", "10, 20, 80")
    assert row["accuracy"] == pytest.approx(-0.05)
    assert row["forgetting"] == pytest.approx(0.1)
    assert row["seconds"] == pytest.approx(0.5)
    assert row["carried"] == pytest.approx(2)
    text = growth_text(frame(*others))
    assert "one, minilm, T = 10, 20, 80" in text
    assert "accuracy  -5.0  forgetting +10.0 points  seconds T^0.50  carried T^2.00" in text


def test_a_stream_without_a_number_is_one_of_the_lengths():
    made = pd.DataFrame([runs("cil", 15), runs("cil-30", 30), runs("cil-75", 75), runs("dil", 5)])
    assert sorted(by_length(made)["length"]) == [15, 30, 75]
    assert growth_text(made[:2]) == ""


def test_a_figure_has_a_panel_for_each_measure_of_each_stream():
    figure = growth_figure(frame())
    axes = [axes for part in figure.subfigs for axes in part.axes]
    assert len(axes) == 4
    for at, (least, most) in enumerate([(0, 100), (0, 100), (0, 1), (600, 50000)]):
        (line,) = axes[at].lines
        assert line.get_xdata().tolist() == [10, 20, 80]
        assert all(least < each < most for each in line.get_ydata())
    assert axes[2].lines[0].get_ydata()[0] == pytest.approx(3 * 10**0.5 / 10)


def test_seconds_on_a_gpu_and_on_a_processor_have_no_law():
    made = frame(*(runs(f"one-{length}", length, method="b", seconds=length) for length in (10, 20, 80)))
    made["provenance"] = [{"machine": {"gpu": "GPU"} if place == 0 else {"processor": "CPU"}}
                          for place in range(len(made))]  # fmt: skip
    found = growth_table(made).set_index("method")
    assert math.isnan(found.loc["a", "seconds"])
    assert found.loc["a", "carried"] == pytest.approx(2)
    assert found.loc["b", "seconds"] == pytest.approx(1)
