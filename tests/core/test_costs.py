"""Floating point operations, against counts by hand and torch's own counter."""

import json
from contextlib import suppress

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from clbench.core.costs import Cost, FlopCounter, Meter
from clbench.engine.build import prepare
from clbench.engine.loop import execute
from clbench.engine.parser import parse_run
from clbench.methods.dkvb.codebook import nearest_keys
from clbench.models.encoder import load_encoder

SIZE = 32  # of the tiny encoder's hidden vectors
CLASSES = 4
TRAIN, TEST = 6, 2  # texts per class


def counted(work):
    with FlopCounter() as counter:
        work()
    return counter.total


def test_products_of_matrices_count_two_operations_per_multiplication_and_addition():
    rows, weight = torch.ones(3, 5), torch.ones(7, 5, requires_grad=True)
    assert counted(lambda: rows @ weight.T) == 2 * 3 * 5 * 7
    # Backward there is one product more, for the weight alone: the rows have no gradient.
    assert counted(lambda: (rows @ weight.T).sum().backward()) == 2 * 2 * 3 * 5 * 7
    with torch.inference_mode():
        assert counted(lambda: torch.nn.functional.linear(rows, weight)) == 2 * 3 * 5 * 7


def test_what_is_entered_twice_is_counted_by_both():
    with FlopCounter() as outer:
        inner = counted(lambda: torch.ones(2, 3) @ torch.ones(3, 4))
    assert outer.total == inner == 2 * 2 * 3 * 4


def test_a_transformer_counts_as_torch_counts_it():
    model = load_encoder("tiny").model()
    tokens = torch.randint(5, 50, (2, 9), generator=torch.Generator().manual_seed(0))

    def work():
        model(input_ids=tokens, attention_mask=torch.ones_like(tokens)).last_hidden_state.sum().backward()

    with torch.nn.attention.sdpa_kernel(
        torch.nn.attention.SDPBackend.MATH
    ):  # torch's table has no other on CPUs
        with FlopCounterMode(display=False) as reference:
            work()
        assert counted(work) == reference.get_total_flops() > 0


def test_fused_attention_on_the_cpu_counts_as_its_two_products():
    query, key, value = torch.ones(3, 2, 4, 7, 8)  # (B, H, T, d) of each
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.FLASH_ATTENTION):
        flops = counted(lambda: torch.nn.functional.scaled_dot_product_attention(query, key, value))
    assert flops == 2 * (2 * 4) * (2 * 7 * 7 * 8)


def test_a_search_for_keys_counts_its_inner_products():
    queries, keys = torch.rand(10, 3), torch.rand(20, 3)
    assert counted(lambda: nearest_keys(queries, keys)) == 2 * 10 * 20 * 3


@pytest.fixture
def data(tmp_path):
    """Texts of equal length, so that padding has no part in it: 15 words and 2 special tokens, cut to 16."""
    folder = tmp_path / "data" / "four"
    folder.mkdir(parents=True)
    words = ("oil", "grain", "ship", "bank")
    for split, size in (("train", TRAIN), ("test", TEST)):
        texts = [f"{word} {split} {at} " + "the " * 12 for word in words for at in range(size)]
        rows = [{"text": text, "label": text.split()[0]} for text in texts]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder.parent / "four.yaml").write_text(
        "kind: class\ndata: four\nclasses_per_experience: 1\n"
        "protocol: {epochs: 3, batch_size: 2, max_tokens: 16, validation_share: 0}\n"
    )
    return folder.parent


def run(data, name, *options, stop=None):
    line = ["--scenario", str(data / "four.yaml"), "--encoder", "tiny", "--precision", "float32", *options]
    config = parse_run([*line, "--data-dir", str(data), "--results", str(data.parent / name)])

    def on_stage(stage, _):
        if stage == stop:
            raise KeyboardInterrupt

    return execute(prepare(config), on_stage=on_stage).to_json()


LINEAR = ("--baseline", "finetune", "--tuning", "frozen")
DKVB = (
    *("--baseline", "dkvb", "--baseline.heads", "4", "--baseline.keys", "8"),
    *("--baseline.initialization", "oracle"),
)


def encoding_of(text_tokens):
    encoder = load_encoder("tiny", "float32")
    rows = torch.ones(1, text_tokens, 2, dtype=torch.int32)
    with (
        FlopCounterMode(display=False) as reference,
        torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
    ):
        encoder.frozen_states(rows, torch.ones(1, text_tokens, dtype=torch.bool))
    return reference.get_total_flops()


def test_a_linear_layer_on_frozen_features_counts_as_by_hand(data, monkeypatch):
    monkeypatch.setenv("CLBENCH_CACHE", str(data.parent / "cache"))
    flops = run(data, "runs", *LINEAR)["costs"]["flops"]
    layer = 2 * SIZE * CLASSES  # of one text, forward; backward it is as much again
    train, evaluate = (
        3 * CLASSES * TRAIN,
        (1 + CLASSES) * CLASSES * TEST,
    )  # texts read, the untrained learner's too
    encode = encoding_of(16)
    assert flops["phases"] == {
        "encode": {"algorithm": 0, "spent": CLASSES * (TRAIN + TEST) * encode},
        "keys": {"algorithm": 0, "spent": 0},
        "train": {"algorithm": train * (2 * layer + encode), "spent": train * 2 * layer},
        "validate": {"algorithm": 0, "spent": 0},
        "consolidate": {"algorithm": 0, "spent": 0},
        "evaluate": {"algorithm": evaluate * (layer + encode), "spent": evaluate * layer},
    }
    assert flops["spent"] == sum(phase["spent"] for phase in flops["phases"].values())
    assert flops["algorithm"] == sum(phase["algorithm"] for phase in flops["phases"].values())


@pytest.mark.parametrize("method", [LINEAR, DKVB, ("--baseline", "ewc", "--tuning", "frozen")])
def test_operations_do_not_depend_on_the_cache_or_on_a_stop(method, data, monkeypatch):
    monkeypatch.setenv("CLBENCH_CACHE", str(data.parent / "cache"))
    cold = run(data, "cold", *method)
    warm = run(data, "warm", *method)
    assert warm["costs"]["flops"] == cold["costs"]["flops"]
    assert [each["flops"] for each in warm["experiences"]] == [each["flops"] for each in cold["experiences"]]
    with pytest.raises(KeyboardInterrupt):
        run(data, "stopped", *method, stop=1)
    assert run(data, "stopped", *method)["costs"]["flops"] == cold["costs"]["flops"]


@pytest.mark.parametrize("method", [LINEAR, DKVB])
def test_the_algorithm_counts_what_is_computed_where_nothing_is_kept(method, data, monkeypatch):
    """Without a cache each text goes through the encoder each time that it is read."""
    monkeypatch.setenv("CLBENCH_CACHE", str(data.parent / "cache"))
    kept = run(data, "kept", *method)["costs"]["flops"]
    anew = run(data, "anew", *method, "--cache-features", "false")["costs"]["flops"]
    assert anew["algorithm"] == anew["spent"]
    assert kept["algorithm"] == anew["algorithm"] > kept["spent"]


def test_costs_add_up():
    assert Cost(3.0, 2, 1) + Cost(0.5, 1, 4) - Cost(1.0, 1, 1) == Cost(2.5, 2, 4)


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until a test moves it."""
    now = [100.0]
    monkeypatch.setattr("clbench.core.costs.clock", lambda: now[0])

    def wait(seconds):
        now[0] += seconds

    return wait


def work():
    torch.ones(1, 2) @ torch.ones(2, 3)  # 12 operations


def test_a_phase_pauses_the_one_around_it(clock):
    meter = Meter()
    with meter.phase("train"):
        clock(1)
        work()
        with meter.phase("encode"):
            clock(10)
            work()
            work()
        clock(2)
    clock(100)
    with meter.phase("train"):
        clock(4)
    assert meter.costs["train"] == Cost(7.0, 12)
    assert meter.costs["encode"] == Cost(10.0, 24)
    assert meter.costs["keys"] == Cost()


def test_what_is_apart_is_in_no_phase_and_charges_go_to_the_innermost_account(clock):
    meter = Meter()
    with meter.phase("keys"):
        clock(1)
        with meter.apart() as outer:
            clock(5)
            work()
            meter.charge(Cost(prefix_flops=7))
            with meter.phase("encode"):
                clock(20)
        meter.charge(Cost(0.5, 3, 2))
    meter.charge(Cost(1000.0))  # no account is open
    assert outer.cost == Cost(5.0, 12, 7)
    assert meter.costs["keys"] == Cost(1.5, 3, 2)
    assert meter.costs["encode"] == Cost(20.0)


def test_a_phase_that_fails_is_charged_and_closed(clock):
    meter = Meter()
    with suppress(ValueError), meter.phase("train"):
        clock(3)
        raise ValueError("broken")
    clock(50)
    with meter.phase("evaluate"):
        clock(1)
    assert meter.costs["train"] == Cost(3.0)
    assert meter.costs["evaluate"] == Cost(1.0)


def test_the_wall_clock_goes_on_from_before_a_stop(clock):
    meter = Meter()
    clock(30)
    meter.start()
    meter.earlier = 8.0
    clock(2)
    assert meter.wall == 10.0
