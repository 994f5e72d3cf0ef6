"""Streams whose experiences come again with other texts, and streams whose texts are transformed."""

import math

import pytest
from support.own_data import KEYS, declared

from clbench.core.drift import Drift
from clbench.data.drift import drifted
from clbench.data.scenarios import SCENARIOS
from clbench.data.scenarios.orders import DSC_ORDERS
from clbench.data.stream import load_stream

TEXTS = [" ".join(f"word{'abcdefghij'[(at * each) % 10]}ing" for at in range(30)) for each in range(1, 9)]


def texts_of(experience, split="train"):
    return list(experience.splits[split]["text"])


def test_nothing_is_changed_without_a_strength():
    for text in (*TEXTS, "", "a  b", "ünï-cödé 7"):
        assert drifted(text, Drift(seed=5)) == text


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_truncation_leaves_the_first_words(share):
    for text in (*TEXTS, "one"):
        words = text.split(" ")
        kept = max(1, math.ceil(len(words) * (1 - share)))
        assert drifted(text, Drift(truncation=share)) == " ".join(words[:kept])


@pytest.mark.parametrize("share", [0.2, 0.7, 1.0])
def test_so_many_words_are_in_capitals_and_stay_so_as_the_strength_grows(share):
    loud = total = 0
    for text in TEXTS:
        weak, strong = (drifted(text, Drift(casing=each)).split(" ") for each in (share / 2, share))
        assert [each.lower() for each in strong] == text.split(" ")
        assert all(two.isupper() for one, two in zip(weak, strong, strict=True) if one.isupper())
        loud += sum(each.isupper() for each in strong)
        total += len(strong)
    assert loud / total == pytest.approx(share, abs=0.1)


def distance(one, two):
    """Edits of one letter, or exchanges of two neighbors, from one word to another (Damerau-Levenshtein)."""
    rows = [[at + other for other in range(len(two) + 1)] for at in range(len(one) + 1)]
    for i in range(1, len(one) + 1):
        for j in range(1, len(two) + 1):
            same = one[i - 1] == two[j - 1]
            rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (not same))
            if i > 1 and j > 1 and one[i - 1] == two[j - 2] and one[i - 2] == two[j - 1]:
                rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
    return rows[-1][-1]


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_so_many_letters_are_mistyped_and_every_word_stays(share):
    wrong = letters = 0
    for text in TEXTS:
        out = drifted(text, Drift(typos=share)).split(" ")
        assert len(out) == len(text.split(" "))
        wrong += sum(distance(one, two) for one, two in zip(text.split(" "), out, strict=True))
        letters += len(text.replace(" ", ""))
    assert wrong / letters == pytest.approx(share, abs=0.25 * share)
    assert drifted("a b c", Drift(typos=1.0)).count(" ") == 2


def test_the_seed_decides_and_nothing_else():
    one = [drifted(text, Drift(0.2, 0.3, 0.1, seed=1)) for text in TEXTS]
    assert one == [drifted(text, Drift(0.2, 0.3, 0.1, seed=1)) for text in reversed(TEXTS)][::-1]
    assert all(
        text != drifted(other, Drift(0.2, 0.3, 0.1, seed=2)) for text, other in zip(one, TEXTS, strict=True)
    )


def test_a_stream_of_ones_own_drifts_from_none_to_all(tickets):
    plain = declared(tickets, f"data: tickets\n{KEYS}")
    scenario = declared(tickets, f"data: tickets\n{KEYS}drift: {{casing: 1, truncation: 0.6, seed: 4}}\n")
    before, stream = (load_stream(each, each.protocol) for each in (plain, scenario))
    assert stream.fingerprint != before.fingerprint
    for at, (one, two) in enumerate(zip(before.experiences, stream.experiences, strict=True)):
        drift = Drift(0, at / 3, 0.6 * at / 3, seed=4)
        for split in ("train", "validation", "test"):
            expected = [drifted(text, drift) for text in texts_of(one, split)]
            assert texts_of(two, split) == expected
    assert texts_of(stream.experiences[0]) == texts_of(before.experiences[0])
    assert all(text.isupper() for text in texts_of(stream.experiences[3]))
    moved = load_stream(scenario, scenario.protocol, order="random:0")
    by_name = {each.name: texts_of(each) for each in moved.experiences}
    assert by_name == {each.name: texts_of(each) for each in stream.experiences}


@pytest.mark.parametrize("kind", ["class", "domain"])
def test_each_visit_of_an_experience_has_other_texts_and_all_of_them_the_whole(kind, tickets):
    plain = declared(tickets, f"data: tickets\nkind: {kind}\n{KEYS}")
    scenario = declared(tickets, f"data: tickets\nkind: {kind}\n{KEYS}visits: 2\n")
    before, stream = (load_stream(each, each.protocol) for each in (plain, scenario))
    names = [each.name for each in before.experiences]
    assert [each.name for each in stream.experiences] == [*names, *(f"{name}-2" for name in names)]
    for at, whole in enumerate(before.experiences):
        visits = stream.experiences[at], stream.experiences[at + len(names)]
        for split in ("train", "test"):
            parts = [set(texts_of(each, split)) for each in visits]
            if split == "test":
                assert parts[0] | parts[1] == set(texts_of(whole, split))
            assert not parts[0] & parts[1]
            assert abs(len(parts[0]) - len(parts[1])) <= 4  # one for each label
        assert visits[0].columns == visits[1].columns == whole.columns


def test_reviews_come_in_the_published_orders_one_after_the_other():
    parts = SCENARIOS["dsc-dil-50"].parts
    assert [part.domain for part in parts] == [name for order in DSC_ORDERS[:5] for name in order]
    assert [part.share for part in parts] == [(at // 10, 5) for at in range(50)]
    assert len({part.name for part in parts}) == 50


def test_streams_that_drift_have_each_class_and_another_share_in_each_experience():
    for name, most in (("typos", 0.3), ("casing", 1.0), ("truncation", 0.7)):
        parts = SCENARIOS[f"drift-{name}"].parts
        assert [getattr(part.drift, name) for part in parts] == pytest.approx(
            [most * at / 9 for at in range(10)]
        )
        assert [part.share for part in parts] == [(at, 10) for at in range(10)]
        assert all(len(part.labels) == 150 for part in parts)
