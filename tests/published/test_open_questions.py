"""The sentences on open questions have the numbers of the result files, in their order."""

import re
from collections.abc import Iterator

import pandas as pd
from support.committed_reports import values
from support.page_sections import sentences

from clbench.reporting.statistics.growth import growth_table

ACCURACY, CARRIED = "metrics.average_accuracy", "costs.carried_bytes.total"
DKVB, SEARCHED = "dkvb-np-random", "dkvb-np-random-{}stored=selected-optimizer=adagrad-lr=2.0"
MOVING = "dkvb-np-incremental"
FEW_KEYS = ("keys=1024-", "keys=256-", "keys=64-")
EIGHT_BITS = f"{DKVB}-key_dtype=int8-value_dtype=bfloat16-stored=selected"


def by_method(name: str) -> pd.DataFrame:
    return values(name).set_index(["scenario", "method"])


def numbers(text: str) -> list[str]:
    """The numbers with one decimal."""
    return re.findall(r"\d+\.\d(?!\d)", text)


def of_memory(runs: pd.DataFrame) -> Iterator[float]:
    accuracy, carried = 100 * runs[ACCURACY], runs[CARRIED] / 2**20
    clinc, long, r8 = "clinc150-cil", "clinc150-cil-75", "r8-cil"

    def both(scenario: str, *methods: str) -> Iterator[float]:
        for method in methods:
            yield accuracy[scenario, method]
            yield carried[scenario, method]

    yield from both(clinc, "ncm", "slda", "acil", DKVB, SEARCHED.format(""))
    yield from both(r8, EIGHT_BITS, "replay-frozen-capacity=1024", "fecam")
    yield from both(clinc, EIGHT_BITS)
    for scenario in (clinc, r8):
        yield from (carried[scenario, each] for each in (f"{DKVB}-stored=selected", DKVB))
    few = [f"{DKVB}-{each}stored=selected" for each in FEW_KEYS]
    for column in (accuracy, carried):
        yield from (column[clinc, each] for each in few)
    yield from (accuracy[clinc, SEARCHED.format(each)] for each in FEW_KEYS)
    assert f"{accuracy[clinc, DKVB]:.1f}" == f"{accuracy[long, DKVB]:.1f}"
    yield accuracy[long, DKVB]
    yield from (
        accuracy[clinc, SEARCHED.format(each)] - accuracy[long, SEARCHED.format(each)]
        for each in ("", "keys=1024-")
    )
    for capacity in (256, 4096):
        yield from (accuracy[each, f"replay-frozen-capacity={capacity}"] for each in (clinc, long))


def test_the_sentences_on_memory_have_the_numbers_of_the_runs():
    wanted = [f"{each:.1f}" for each in of_memory(by_method("memory"))]
    assert numbers(sentences("open-questions", "Memory")) == wanted


def test_no_size_of_dkvb_is_on_the_front_of_clinc150():
    runs = by_method("memory").loc["clinc150-cil"]
    dkvb = runs.index.str.startswith("dkvb")
    for _, run in runs[dkvb].iterrows():
        cheaper = runs[~dkvb & (runs[CARRIED] <= run[CARRIED]) & (runs[ACCURACY] >= run[ACCURACY])]
        assert len(cheaper)


def of_long_streams(runs: pd.DataFrame) -> Iterator[float]:
    accuracy = 100 * runs[ACCURACY]
    ends = ("clinc150-cil", "clinc150-cil-150")
    doubling = growth_table(values("long_streams")).set_index(["stream_name", "method"])
    yield from (accuracy[each, DKVB] for each in ends)
    yield from (accuracy[ends[1], each] for each in ("ncm", "slda", "ranpac"))
    yield from (accuracy[each, MOVING] for each in ends)
    yield -100 * doubling.loc[("clinc150-cil", MOVING), "accuracy"]
    yield from (accuracy[each, f"{MOVING}-strategy=frozen"] for each in ends)
    for method in ("ewc-frozen", "replay-frozen-capacity=256", "finetune-frozen"):
        yield from (accuracy[each, method] for each in ends)
    yield from (accuracy[f"dsc-dil-{each}", DKVB] for each in (20, 50, 100))
    yield from (accuracy[each, DKVB] for each in ("20ng-dil", "20ng-dil-16"))


def test_the_sentences_on_long_streams_have_the_numbers_of_the_runs():
    wanted = [f"{each:.1f}" for each in of_long_streams(by_method("long_streams"))]
    assert numbers(sentences("open-questions", "Long streams")) == wanted


def test_what_is_carried_does_not_grow_and_prototypes_do_not_depend_on_the_length():
    table = growth_table(values("long_streams"))
    assert (table["carried"].abs() < 0.005).all()
    clinc = table[(table["stream_name"] == "clinc150-cil") & table["method"].isin(["ncm", "slda"])]
    assert (clinc["accuracy"].abs() < 5e-4).all()


def of_moving_keys(runs: pd.DataFrame) -> Iterator[float]:
    accuracy, seconds = 100 * runs[ACCURACY], runs["costs.seconds.keys"]
    still, typos, cut, domains, encoder = (
        f"drift-{each}" for each in ("none", "typos", "truncation", "domains", "encoder")
    )
    stay, ema = (f"{MOVING}-strategy={each}" for each in ("frozen", "ema"))
    few, few_ema = (f"{MOVING}-keys=256-strategy={each}" for each in ("frozen", "ema"))
    for method in (stay, MOVING, DKVB):
        yield from (accuracy[each, method] for each in (typos, cut, domains, encoder))
    harden, grow, normalize = (
        f"{MOVING}-strategy={each}" for each in ("harden", "grow-growth=1024", "normalize")
    )
    yield from (accuracy[typos, each] for each in (harden, grow, normalize, stay, "finetune-frozen"))
    yield from (accuracy[still, each] for each in (ema, stay))
    yield from (accuracy[typos, each] for each in (ema, stay))
    yield from (accuracy[each, method] for each in (still, typos) for method in (few_ema, few))
    yield from (accuracy[typos, f"{MOVING}{each}"] for each in ("-moved=carry", ""))
    for scenario in (typos, domains):
        yield from (accuracy[scenario, each] for each in (f"{ema}-moved=carry", ema))
    yield from (accuracy[still, each] for each in (MOVING, stay))
    yield from (seconds[still, each] for each in (MOVING, grow, stay))


def test_the_sentences_on_keys_that_move_have_the_numbers_of_the_runs():
    wanted = [f"{each:.1f}" for each in of_moving_keys(by_method("dynamic_keys"))]
    assert numbers(sentences("open-questions", "Keys that move")) == wanted


def test_rules_for_keys_that_nothing_selects_find_none_to_move():
    accuracy = by_method("dynamic_keys")[ACCURACY].unstack()
    for rule in ("cvq", "unused"):
        change = accuracy[f"{MOVING}-strategy={rule}"] - accuracy[f"{MOVING}-strategy=frozen"]
        assert (change.abs() < 5e-4).all()
