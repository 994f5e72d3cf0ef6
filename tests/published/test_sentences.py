"""What the pages say about tables has the numbers of the result files."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.committed_reports import ROOT, main, single_head, values
from support.page_sections import sentences

from clbench.core.result import RunResult
from clbench.reporting.publish.published import FIGURES


def by_encoder() -> pd.DataFrame:
    frame = values("encoders")
    return frame.assign(scenario=frame["encoder"] + " " + frame["scenario"])


def rates() -> pd.DataFrame:
    """The runs by scenario, and all of them again as one scenario: its means are those of both."""
    frame = values("rates")
    return pd.concat([frame, frame.assign(scenario="both")])


SAID = {
    ("measured-results", "Amazon reviews, 20 Newsgroups and GLUE"): (main, {
        "20ng-cil": ("dkvb-np-oracle", "dkvb-np-generic", "finetune-frozen-joint", "replay-frozen",
                     "finetune-frozen", "hat-adapter", "replay-full", "l2p"),
        "dsc-dil": ("dkvb-p-oracle", "dkvb-p-generic", "dkvb-np-generic", "dkvb-np-oracle",
                    "finetune-frozen-joint", "hat-frozen-cnn", "owm-frozen-cnn", "finetune-frozen-cnn",
                    "l2p", "olora", "finetune-full"),
    }),
    ("measured-results", "Encoders that train"): (main, {
        "20ng-cil": ("finetune-full", "finetune-full-joint", "hat-adapter", "finetune-adapter", "olora",
                     "finetune-lora"),
        "dsc-dil": ("finetune-full", "finetune-full-joint", "olora", "finetune-lora"),
        "glue4-til": ("finetune-full-joint", "replay-full", "finetune-adapter", "finetune-lora", "l2p",
                      "finetune-frozen"),
    }),
    ("measured-results", "Reuters R8, single-head"): (single_head, {
        "r8-cil": ("finetune-frozen",),
        "20ng-cil-single": ("dkvb-np-oracle", "ranpac", "dkvb-np-random", "ncm", "finetune-frozen-joint",
                            "dkvb-np-incremental"),
        "r52-cil": ("dkvb-np-random", "dkvb-np-oracle", "slda", "ncm", "dkvb-np-incremental"),
    }),
    ("measured-results", "Learning rates of encoders that train"): (rates, {
        "both": ("adapterhat", "finetune-adapter", "finetune-adapter-lr=0.0003", "bcl", "ctr-lr=0.0003",
                 "osf", "finetune-full-lr=3e-05", "replay-full-lr=3e-05", "olora", "inflora", "finetune-lora",
                 "finetune-prompt", "l2p", "progprompt"),
        "dsc-dil": ("classic", "finetune-adapter"),
        "20ng-cil": ("finetune-full-lr=0.0003",),
    }),
    ("findings", "Where the methods stand"): (lambda: values("full"), {
        "20ng-cil-single": ("fecam", "ranpac-dimensions=10000-ridge=1000.0", "knn", "finetune-frozen-joint",
                            "finetune-frozen", "ewc-frozen", "lwf-frozen", "l2-frozen", "mas-frozen",
                            "replay-frozen-capacity=256", "si-frozen", "owm-frozen", "dkvb-np-random",
                            "ncm", "dkvb-np-oracle", "dkvb-np-random-trained_rows=1000"),
        "r8-cil": ("fecam", "ewc-frozen", "finetune-frozen", "finetune-frozen-joint", "slda",
                   "dkvb-np-random", "ncm", "dkvb-np-oracle"),
        "clinc150-cil": ("fecam", "ranpac-dimensions=10000-ridge=1000.0", "finetune-frozen-joint",
                         "finetune-frozen", "ewc-frozen", "si-frozen", "owm-frozen", "seqstar-frozen",
                         "replay-frozen-capacity=256", "dkvb-np-random", "ncm", "dkvb-np-oracle"),
        "banking77-cil": ("fecam", "ranpac-dimensions=10000-ridge=1000.0", "finetune-frozen", "ewc-frozen",
                          "si-frozen", "owm-frozen", "seqstar-frozen", "replay-frozen-capacity=256",
                          "dkvb-np-random", "ncm", "dkvb-np-oracle"),
        "dsc-dil": ("fecam", "ranpac-dimensions=10000-ridge=1000.0", "ranpac", "knn",
                    "finetune-frozen-joint", "finetune-frozen", "lwf-frozen", "ewc-frozen", "mas-frozen",
                    "owm-frozen", "si-frozen", "dkvb-np-random", "ncm", "dkvb-np-oracle",
                    "dkvb-np-random-trained_rows=1000"),
        "r52-cil": ("air", "fecam-shared", "slda", "ncm", "ranpac", "acil", "seqstar-frozen",
                    "finetune-frozen-joint", "dkvb-np-random", "dkvb-np-oracle",
                    "dkvb-np-random-trained_rows=1000"),
        "20ng-cil": ("knn", "finetune-frozen-joint", "dkvb-np-oracle", "dkvb-np-random", "fecam",
                     "finetune-frozen"),
        "glue4-til": ("dkvb-np-oracle", "dkvb-np-random", "owm-frozen", "ranpac", "finetune-frozen-joint"),
        "hwu64-cil": ("dkvb-np-random", "ncm", "dkvb-np-oracle", "dkvb-np-random-trained_rows=1000"),
    }),
    ("findings", "What keys cost"): (single_head, {
        "20ng-cil-single": ("dkvb-np-random", "dkvb-np-oracle", "dkvb-np-generic", "dkvb-np-incremental"),
        "r8-cil": ("dkvb-np-random", "dkvb-np-oracle", "dkvb-np-generic", "dkvb-np-incremental"),
        "r52-cil": ("dkvb-np-random", "dkvb-np-oracle", "dkvb-np-generic", "dkvb-np-incremental"),
    }),
    ("findings", "A second encoder"): (by_encoder, {
        "minilm 20ng-cil": ("dkvb-np-random", "slda"),
        "minilm 20ng-cil-single": ("dkvb-np-random", "ranpac"),
        "minilm clinc150-cil": ("dkvb-np-random", "slda", "ranpac", "ncm"),
        "minilm dsc-dil": ("dkvb-np-random", "slda", "ranpac", "finetune-frozen-joint"),
        "minilm r8-cil": ("ewc-frozen",),
        "smollm2-135m-instruct-q4 20ng-cil": ("dkvb-np-random", "slda"),
        "smollm2-135m-instruct-q4 20ng-cil-single": ("dkvb-np-random", "ranpac"),
        "smollm2-135m-instruct-q4 clinc150-cil": ("dkvb-np-random", "slda", "ranpac", "ncm"),
        "smollm2-135m-instruct-q4 dsc-dil": ("dkvb-np-random", "slda", "ranpac", "finetune-frozen-joint"),
        "smollm2-135m-instruct-q4 r8-cil": ("ewc-frozen",),
    }),
}  # fmt: skip
"""By page and section, the average accuracies that its sentences name."""


@pytest.mark.parametrize(("page", "section"), SAID)
def test_the_sentences_on_a_table_have_its_numbers(page, section):
    load, named = SAID[page, section]
    means = load().groupby(["scenario", "method"])["metrics.average_accuracy"].mean()
    wanted = {f"{100 * means[scenario, each]:.1f}" for scenario, methods in named.items() for each in methods}
    said = re.findall(r"(?<![\d.])\d+\.\d(?!\d)", sentences(page, section))  # 0.0003 is a learning rate
    assert set(said) == wanted


BIG = "ranpac-dimensions=10000-ridge=1000.0"
IN_SECONDS = ("ncm", "slda", "finetune-frozen", "ewc-frozen", "replay-frozen-capacity=256", "knn", "ranpac",
              BIG, "dkvb-np-random")  # fmt: skip
IN_FLOPS = ("ncm", "ranpac", "finetune-frozen", "dkvb-np-random")
IN_BYTES = ("finetune-frozen", "ewc-frozen", "replay-frozen-capacity=256", "slda", "knn", "ranpac",
            BIG, "dkvb-np-random", "fecam")  # fmt: skip


def costs_on_clinc150() -> Iterator[str]:
    """What methods cost there, in the units and the order of the page, means of three seeds."""
    frame = values("full")
    runs = frame[frame["scenario"] == "clinc150-cil"].groupby("method")
    seconds, encoding = runs["costs.seconds.total"].mean(), runs["costs.seconds.encode"].mean()
    operations = runs["costs.flops.algorithm"].mean() / 1e12
    carried = runs["costs.carried_bytes.total"].mean() / 2**20
    yield f"{encoding['finetune-frozen']:.0f} s"
    yield from (f"{seconds[each] - encoding[each]:.0f} s" for each in IN_SECONDS)
    yield from (f"{operations[each]:.0f} TFLOPs" for each in IN_FLOPS)
    yield from (f"{carried[each]:.{1 if carried[each] < 10 else 0}f} MiB" for each in IN_BYTES)


def costs_of_keys() -> Iterator[str]:
    """What random, oracle and generic keys cost on single-head 20 Newsgroups, means of three seeds."""
    frame = single_head()
    runs = frame[frame["scenario"] == "20ng-cil-single"].groupby("method")
    seconds, operations = runs["costs.seconds.keys"].mean(), runs["costs.flops.algorithm"].mean() / 1e12
    assert seconds["dkvb-np-random"] < 1
    yield f"{seconds['dkvb-np-oracle']:.0f} s"
    yield from (f"{operations[each]:.0f} TFLOPs" for each in ("dkvb-np-oracle", "dkvb-np-random"))
    yield f"{seconds['dkvb-np-generic']:.0f} s"


def test_the_sentences_on_all_streams_have_the_ranks_and_the_orders():
    summary = pd.read_csv(ROOT / "results/full/report/frozen/summary.csv").set_index("method")
    first = summary["rank"].dropna().sort_values()[:5]
    assert [*first.index] == ["dkvb-np-oracle", "fecam", "ranpac", "dkvb-np-random", "acil"]
    frame = values("full")
    reviews = frame[frame["scenario"] == "dsc-dil"].pivot_table(
        "metrics.average_accuracy", "method", "order", aggfunc="mean"
    )
    by_order = [100 * each for name in ("dkvb-np-random", "finetune-frozen") for each in reviews.loc[name]]
    wanted = [f"{each:.1f}" for each in (*first, *by_order, 100 * reviews.loc["slda"].mean())]
    assert re.findall(r"\d+\.\d", sentences("findings", "Over all streams")) == wanted
    assert reviews.loc["slda"].std() == pytest.approx(0, abs=1e-9)


COSTS = {"What methods cost": costs_on_clinc150, "What keys cost": costs_of_keys}


@pytest.mark.parametrize("section", COSTS)
def test_the_sentences_on_costs_have_the_numbers_of_the_runs(section):
    said = re.findall(r"\b[\d.]+\s+(?:s|TFLOPs|MiB)\b", sentences("findings", section))
    assert [" ".join(each.split()) for each in said] == list(COSTS[section]())


LANGUAGE_STREAMS = ("dsc-lm", "20ng-lm")
AVERAGE, FORGETTING, GENERAL = (
    f"metrics.{each}" for each in ("average_bits_per_byte", "forgetting_bits", "general_bits_per_byte")
)
MEMORIES = ("dkvbcounts", "dkvbvalues", "knnlm")
AS_MANY_BYTES = ("dkvbvalues", "knnlm-capacity=2560")
ON_OTHER_TEXT = ("frozenlm", "knnlm", "dkvbvalues", "dkvbcounts", "finetune-lora", "ewc-lora")


def language_result(runs: pd.DataFrame, scenario: str, method: str) -> RunResult:
    return RunResult.read(Path(runs.loc[(scenario, method), "path"]))


def bits(runs: pd.DataFrame, scenario: str, method: str) -> np.ndarray:
    """R[t, i] of a run."""
    return np.array(language_result(runs, scenario, method).language["bits_per_byte"])


def bits_of_language_models(runs: pd.DataFrame) -> Iterator[float]:
    """The bits per byte that the sentences name, in their order."""

    def of(metric: str, *methods: str) -> Iterator[float]:
        yield from (runs.loc[each, metric] for each in itertools.product(LANGUAGE_STREAMS, methods))

    yield max(of(FORGETTING, *MEMORIES))
    yield from of(AVERAGE, *MEMORIES, "frozenlm")
    yield from of(AVERAGE, *AS_MANY_BYTES)
    yield from of(AVERAGE, "finetune-lora")
    yield from (bits(runs, each, "finetune-lora")[0].mean() for each in LANGUAGE_STREAMS)
    yield from of(FORGETTING, "finetune-lora")
    for method in ("replay-lora", "finetune-lora-joint", "ewc-lora", "finetune-full"):
        yield from of(AVERAGE, method)
    yield from (runs.loc[("20ng-lm", each), GENERAL] for each in ON_OTHER_TEXT)
    yield from of(AVERAGE, "dkvbvalues-top_rows=128")
    yield runs.loc[("20ng-lm", "dkvbvalues-top_rows=128"), GENERAL]


def test_the_sentences_on_language_models_have_the_numbers_of_the_runs():
    runs = values("generative").set_index(["scenario", "method"])
    text = sentences("findings", "Language models")
    wanted = [f"{each:.3f}" for each in bits_of_language_models(runs)]
    assert re.findall(r"\d\.\d{3}", text) == wanted

    carried = runs["costs.carried_bytes.total"] / 2**20
    assert len({f"{carried['dsc-lm', each]:.1f}" for each in AS_MANY_BYTES}) == 1
    said = [carried[each] for each in (("dsc-lm", "dkvbvalues"), ("20ng-lm", "knnlm"))]
    full = carried["dsc-lm", "finetune-full"]
    assert re.findall(r"([\d.]+) MiB", text) == [*(f"{each:.1f}" for each in said), f"{full:.0f}"]

    seconds, encoding = runs["costs.seconds.total"]["dsc-lm"], runs["costs.seconds.encode"]["dsc-lm"]
    results = [language_result(runs, each, "finetune-lora") for each in LANGUAGE_STREAMS]
    first, second = (each.experiences[0]["seconds"]["train"] for each in results)
    assert f"{first:.0f} and {second:.0f} s of training" in " ".join(text.split())
    whole = [seconds[each] for each in ("finetune-lora", "dkvbvalues")]
    assert re.findall(r"(\d+) s\b", text) == [f"{each:.0f}" for each in (second, *whole)]
    assert encoding["dkvbvalues"] / seconds["dkvbvalues"] == pytest.approx(0.75, abs=0.03)


def test_memories_of_language_models_lower_the_bits_of_every_domain():
    runs = values("generative").set_index(["scenario", "method"])
    for scenario, method in itertools.product(LANGUAGE_STREAMS, MEMORIES):
        assert (bits(runs, scenario, method)[-1] < bits(runs, scenario, "frozenlm")[-1]).all()


BESIDE_PUBLISHED = {
    "20ng-cil": ("owm-frozen-cnn", "finetune-frozen-cnn", "agem-frozen-cnn", "hat-frozen-cnn",
                 "finetune-full", "finetune-full-joint", "derpp-frozen-cnn"),
    "dsc-dil": ("finetune-adapter", "finetune-full", "derpp-frozen-cnn", "owm-frozen-cnn", "hat-frozen-cnn",
                "finetune-frozen-cnn", "finetune-frozen-cnn-single"),
}  # fmt: skip
ONLY_PUBLISHED = {"20ng-cil": ("adapterhat", "bcl", "ctr")}
REPORTED_BY_A_USER = "87.7"


def test_the_sentences_on_published_figures_have_both():
    means = main().groupby(["scenario", "method"])["metrics.average_accuracy"].mean()
    ours = {f"{100 * means[each, name]:.1f}" for each, names in BESIDE_PUBLISHED.items() for name in names}
    theirs = {
        f"{FIGURES[scenario][name][0]:.1f}"
        for group in (BESIDE_PUBLISHED, ONLY_PUBLISHED)
        for scenario, names in group.items()
        for name in names
    }
    said = re.findall(r"\d+\.\d", sentences("findings", "What published figures say"))
    assert set(said) == ours | theirs | {REPORTED_BY_A_USER}


def test_what_training_the_encoder_gains_is_as_said():
    runs = main()
    frozen = runs["config"].map(lambda each: each["tuning"] == "frozen")
    means = 100 * runs.groupby(["scenario", "method"])["metrics.average_accuracy"].mean()
    trained, others = ({*runs["method"][each]} for each in (~frozen & runs["competes"], frozen))
    assert len(trained) == 7
    gains = means["dsc-dil"][[*trained]] - means["dsc-dil"][[*others]].max()
    said = f"{gains.min():.0f} to {gains.max():.0f} points above all on frozen features"
    assert said in " ".join(sentences("measured-results", "Amazon reviews, 20 Newsgroups and GLUE").split())
    assert (means["20ng-cil"][[*trained]] < means["20ng-cil", "finetune-frozen"]).all()
