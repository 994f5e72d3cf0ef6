"""Orders of experiences and of classes: declared, published, and drawn with a seed."""

import hashlib
import itertools

import pytest

from clbench.core.errors import UserError
from clbench.core.scenario import Part, Scenario
from clbench.data.orders import arrange, divided, group_name, shuffled
from clbench.data.scenarios import SCENARIOS


def made(sizes: list[int], **facts: object) -> Scenario:
    labels = [f"c{at}" for at in range(sum(sizes))]
    return Scenario("made", "", "class", divided(labels, sizes, "d"), False, "folder", **facts)  # type: ignore[arg-type]


def content(parts: tuple[Part, ...]) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(part.labels) for part in parts)


def test_an_order_that_there_is_not_is_refused():
    for name, known in (("dsc-dil", "0 to 19 (published)"), ("r8-cil", "0 (as declared)")):
        for order in ("20", "x", "-1", "random:", "random:x", "random:10000", "classes:1", "²"):
            with pytest.raises(UserError) as error:
                arrange(SCENARIOS[name], order)
            assert f"unknown order '{order}' of scenario '{name}'; known: {known} and random:SEED" in str(
                error.value
            )


def test_drawn_orders_are_all_different_and_none_is_the_declared_one():
    scenario = made([1] * 4)
    found = [content(arrange(scenario, order)) for order in ("0", *(f"random:{seed}" for seed in range(23)))]
    assert set(found) == {
        tuple(frozenset([label]) for label in order) for order in itertools.permutations(scenario.columns)
    }
    with pytest.raises(UserError, match="has no further order 'random:23'; use random:0 to random:22"):
        arrange(scenario, "random:23")
    with pytest.raises(UserError, match="has no further order 'random:0'; use the numbered ones"):
        arrange(made([3]), "random:0")


def test_no_drawn_order_is_a_published_one():
    with pytest.raises(UserError, match="no further order"):
        arrange(SCENARIOS["glue4-til"], "random:0")  # all 24 are published


def test_orders_of_classes_keep_the_sizes_of_the_experiences():
    scenario = made([2, 1, 1])
    count = 4 * 3 - 1  # {2 of 4}, then an order of the other two; one of them is declared
    found = [arrange(scenario, f"classes:{seed}") for seed in range(count)]
    assert all([len(part.labels) for part in parts] == [2, 1, 1] for parts in found)
    assert len({content(parts) for parts in found} | {content(scenario.parts)}) == count + 1
    with pytest.raises(UserError, match="no further order"):
        arrange(scenario, f"classes:{count}")


def test_only_groups_of_classes_of_one_dataset_can_be_regrouped():
    for name in ("r8-cil", "r52-cil-reference", "dsc-dil", "glue4-til", "r8-iid"):
        with pytest.raises(UserError, match="unknown order"):
            arrange(SCENARIOS[name], "classes:0")
    assert len(arrange(SCENARIOS["r52-cil"], "classes:0")) == 26


def test_an_order_is_drawn_by_a_hash_that_is_written_down():
    names = [f"n{at}" for at in range(50)]
    expected = sorted(
        names, key=lambda name: hashlib.blake2b(f"7.0/{name}".encode(), digest_size=16).digest()
    )
    assert list(shuffled(names, 7)) == expected
    assert [part.name for part in arrange(made([1] * 5), "random:3")] == ["c0", "c1", "c3", "c4", "c2"]


def test_published_orders_of_classes_have_numbers():
    orders = (("c0", "c2", "c1", "c3"), ("c3", "c2", "c1", "c0"))
    scenario = made([3, 1], class_orders=orders)
    assert [part.labels for part in arrange(scenario, 1)] == [("c3", "c2", "c1"), ("c0",)]
    assert content(arrange(scenario, "classes:0")) not in {content(arrange(scenario, at)) for at in (0, 1)}
    with pytest.raises(UserError, match=r"0 to 1 \(published\)"):
        arrange(scenario, 2)
    with pytest.raises(ValueError, match="other classes"):
        made([3, 1], class_orders=(("c0", "c1"),))


def test_experiences_have_short_names():
    assert group_name(["a", "b", "c"]) == "a+b+c"
    assert group_name(list("abcdefghij")) == "a+9 more"
