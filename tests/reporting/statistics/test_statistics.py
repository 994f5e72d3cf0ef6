"""Intervals, tests and aggregates, against naive loops, scipy and rliable."""

import doctest
import itertools
import math

import numpy as np
import pytest
from scipy import stats

from clbench.reporting.statistics import across, intervals, simultaneous
from clbench.reporting.statistics.across import interquartile_mean, probability_of_improvement, ranks
from clbench.reporting.statistics.intervals import hierarchical_interval, run_weights
from clbench.reporting.statistics.simultaneous import cliques, rank_test, worse_p


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("module", [across, simultaneous, intervals])
def test_the_examples_in_the_docstrings_are_right(module):
    found = doctest.testmod(module)
    assert found.failed == 0
    assert found.attempted


# Intervals


def naive_interval(values, orders, draws):
    """Orders with replacement, and in each as many of its seeds as it has, with replacement."""
    random = np.random.RandomState(1)
    groups = {name: [v for v, o in zip(values, orders, strict=True) if o == name] for name in orders}
    means = []
    for _ in range(draws):
        drawn = []
        for name in random.choice(sorted(groups), len(groups)):
            drawn += list(random.choice(groups[name], len(groups[name])))
        means.append(np.mean(drawn))
    return np.percentile(means, [2.5, 97.5])


def test_the_interval_is_that_of_a_naive_hierarchical_bootstrap():
    orders = ["a", "a", "a", "b", "c", "c", "d", "d", "d"]
    noise = generator(3).normal(size=9)
    values = np.array([0, 0, 0, 2, 4, 4, 1, 1, 1]) + noise
    found = hierarchical_interval(values, orders, generator(), draws=40_000)
    low, high = naive_interval(values, orders, 20_000)
    assert found.mean[0] == pytest.approx(values.mean())
    assert found.low[0] == pytest.approx(low, abs=0.04)
    assert found.high[0] == pytest.approx(high, abs=0.04)
    # Runs drawn one by one would promise more than 10 % too much, far beyond the tolerance.
    flat = hierarchical_interval(values, list("abcdefghi"), generator(), draws=40_000)
    assert found.high[0] - found.low[0] > 1.1 * (flat.high[0] - flat.low[0])


def test_weights_are_those_of_all_equally_likely_samples():
    # One seed each: of two orders both are drawn half of the time, and each alone a quarter.
    weights = run_weights(["a", "b"], generator(), draws=40_000)
    shares = {row: np.mean((weights == row).all(axis=1)) for row in ((1, 0), (0.5, 0.5), (0, 1))}
    assert list(shares.values()) == pytest.approx([0.25, 0.5, 0.25], abs=0.01)
    # Drawn twice, an order with two seeds and another: a sample is their runs together.
    uneven = run_weights(["a", "a", "b"], generator(), draws=1000)
    assert set(uneven[:, 2].round(6)) == {0.0, round(1 / 3, 6), 1.0}


def test_a_generator_gives_its_interval_and_quantities_are_drawn_together():
    values = generator(1).random((6, 3))
    orders = ["0"] * 3 + ["1"] * 3
    first = hierarchical_interval(values, orders, generator(5))
    again = hierarchical_interval(values, orders, generator(5))
    alone = hierarchical_interval(values[:, 1], orders, generator(5))
    assert (first.low == again.low).all()
    assert first.low[1] == pytest.approx(alone.low[0])


def test_equal_runs_have_no_width_and_one_run_has_no_interval():
    equal = hierarchical_interval([0.1] * 7, ["0"] * 3 + ["1"] * 4, generator())
    assert (equal.low[0], equal.mean[0], equal.high[0], equal.n) == (0.1, 0.1, 0.1, 7)
    one = hierarchical_interval([0.1], ["0"], generator())
    assert (one.mean[0], one.n) == (0.1, 1)
    assert math.isnan(one.low[0])
    with pytest.raises(ValueError, match="orders"):
        hierarchical_interval([0.1, 0.2], ["0"], generator())


# Tests


def test_worse_is_tukeys_test_in_a_block_design():
    values = generator(6).random((4, 5)) + np.array([0, 0.2, 0.5, 0.9, 1.1])
    found = worse_p(values, 4)
    # The residual of the two-way table without interaction, by hand.
    blocks, methods = values.shape
    total = ((values - values.mean()) ** 2).sum()
    between = blocks * ((values.mean(axis=0) - values.mean()) ** 2).sum()
    rows = methods * ((values.mean(axis=1) - values.mean()) ** 2).sum()
    freedom = (blocks - 1) * (methods - 1)
    error = math.sqrt((total - between - rows) / freedom / blocks)
    ranges = (values.mean(axis=0)[4] - values.mean(axis=0)) / error
    expected = stats.studentized_range.sf(ranges[:4], methods, freedom)
    assert found == pytest.approx([*expected, 1.0], abs=0.004)
    assert found.min() < 0.05 < found[3]


def test_equal_methods_are_seldom_told_apart_although_the_runs_choose_the_best():
    draw = generator(7)
    wrong = 0
    for _ in range(600):
        values = draw.normal(size=(3, 10)) + draw.normal(size=(3, 1))
        wrong += (worse_p(values, int(values.mean(axis=0).argmax())) < 0.05).any()
    assert 0.03 < wrong / 600 < 0.07  # paired tests with Holm's correction: about 0.2


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ([0.8, 0.7, 0.6], 0.0),  # 0.1 better each time, but for the rounding of floats
        ([0.9, 0.8, 0.7], 1.0),  # the same
    ],
)
def test_equal_differences_need_no_variance(other, expected):
    assert worse_p(np.stack([[0.9, 0.8, 0.7], other], axis=1), 0).tolist() == [1.0, expected]


def test_two_runs_are_no_test():
    assert np.isnan(worse_p([[0.9, 0.4], [0.8, 0.3]], 0)).all()


def test_intervals_of_three_runs_cover_as_often_as_the_documentation_says():
    draw = generator(8)
    # Columns are other values of the same runs. Of three, the bounds are the extremes: 1 - 2 / 2^3.
    for runs, share in ((3, 0.75), (5, 0.84), (9, 0.89)):
        names = list("abcdefghi"[:runs])
        found = hierarchical_interval(draw.normal(size=(runs, 4000)), names, draw, draws=1500)
        assert np.mean((found.low <= 0) & (found.high >= 0)) == pytest.approx(share, abs=0.02)
    two = hierarchical_interval([0.1, 0.9], list("ab"), draw)
    assert (two.mean[0], math.isnan(two.low[0]), math.isnan(two.high[0])) == (0.5, True, True)


def test_ranks_are_tested_by_friedman_and_nemenyi():
    scores = generator(9).random((6, 5)).round(1)
    found = rank_test(scores)
    assert found.p == pytest.approx(stats.friedmanchisquare(*scores.T).pvalue)
    # Demsar 2006, table 5: 2.728 for five classifiers, 3.164 for ten.
    assert found.distance == pytest.approx(2.728 * math.sqrt(5 * 6 / (6 * 6)), abs=0.001)
    assert rank_test(generator(1).random((4, 10))).distance == pytest.approx(
        3.164 * math.sqrt(10 * 11 / 24), abs=0.001
    )
    assert math.isnan(rank_test(scores[:1]).distance)
    assert math.isnan(rank_test(scores[:, :2]).p)


def test_cliques_are_the_largest_groups_within_the_distance():
    # Demsar 2006, figure 1a in kind: overlapping groups, no group within another.
    assert cliques([1.0, 1.5, 2.2, 3.9], 1.3) == [(0, 2)]
    assert cliques([1.0, 2.0, 3.0], 1.5) == [(0, 1), (1, 2)]
    assert cliques([1.0, 3.0], 1.5) == []


# Aggregates


def naive_middle(scores):
    flat = sorted(score for score in np.ravel(scores) if not math.isnan(score))
    cut = len(flat) // 4
    return sum(flat[cut : len(flat) - cut]) / (len(flat) - 2 * cut)


def naive_improvement(scores, others):
    shares = []
    for task in range(np.shape(scores)[1]):
        left = [x for x in np.asarray(scores)[:, task] if not math.isnan(x)]
        right = [y for y in np.asarray(others)[:, task] if not math.isnan(y)]
        wins = [1.0 if x > y else 0.5 if x == y else 0.0 for x, y in itertools.product(left, right)]
        shares.append(sum(wins) / len(wins))
    return sum(shares) / len(shares)


def naive_bounds(function, tables, draws=4000):
    """Runs with replacement within each task of each table."""
    random = np.random.RandomState(1)
    values = []
    for _ in range(draws):
        drawn = [
            np.stack([random.choice(column, len(column)) for column in np.transpose(table)], axis=1)
            for table in tables
        ]
        values.append(function(*drawn))
    return np.percentile(values, [2.5, 97.5])


@pytest.fixture
def scores():
    return generator(4).random((5, 4)).round(1), generator(5).random((3, 4)).round(1)  # with ties


def test_the_interquartile_mean_is_the_naive_one_with_its_interval(scores):
    found = interquartile_mean(scores[0], generator())
    assert found.value == pytest.approx(naive_middle(scores[0]))
    assert [found.low, found.high] == pytest.approx(naive_bounds(naive_middle, scores[:1]), abs=0.015)


def test_improvement_is_the_naive_one_with_its_interval(scores):
    found = probability_of_improvement(*scores, generator())
    assert found.value == pytest.approx(naive_improvement(*scores))
    assert [found.low, found.high] == pytest.approx(naive_bounds(naive_improvement, scores), abs=0.015)


def test_both_are_those_of_rliable(scores):
    metrics = pytest.importorskip("rliable.metrics")
    for seed in range(5):
        left, right = generator(seed).random((6, 3)).round(1), generator(seed + 9).random((4, 3)).round(1)
        found = interquartile_mean(left, generator(), draws=10)
        assert found.value == pytest.approx(metrics.aggregate_iqm(left))
        better = probability_of_improvement(left, right, generator(), draws=10)
        assert better.value == pytest.approx(metrics.probability_of_improvement(left, right))
    same = probability_of_improvement(left, left, generator(), draws=10)
    assert same.value == metrics.probability_of_improvement(left, left) == 0.5


def test_tasks_may_have_fewer_runs():
    padded = [[0.1, 0.5], [0.7, math.nan], [0.9, math.nan]]
    assert interquartile_mean(padded, generator()).value == pytest.approx((0.5 + 0.7) / 2)
    # Task one: 0.1 beats none of two, 0.7 one, 0.9 both: 3 of 6; task two: 0.5 beats 0.4.
    found = probability_of_improvement(padded, [[0.2, 0.4], [0.8, math.nan]], generator())
    assert found.value == pytest.approx((3 / 6 + 1) / 2)
    assert math.isnan(found.low)  # there is no interval of one run


@pytest.mark.parametrize("empty", [[], [[math.nan, 0.1]], [0.1, 0.2]])
def test_tasks_without_a_run_are_refused(empty):
    with pytest.raises(ValueError, match="runs, tasks"):
        interquartile_mean(empty, generator())
    with pytest.raises(ValueError, match="tasks"):
        probability_of_improvement([[0.1]], [[0.1, 0.2]], generator())


def test_ranks_share_equals():
    assert ranks([0.5, 0.9, 0.5, 0.1]).tolist() == [2.5, 1, 2.5, 4]
