from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    OPTConfig,
    OPTModel,
    PreTrainedModel,
    RobertaConfig,
    RobertaModel,
)

from clbench.core.errors import UserError
from clbench.models.adapters import Adapter, add_adapters

HIDDEN, INNER, LAYERS, SIZE = 16, 24, 3, 5
SHAPE = {
    "vocab_size": 50,
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "intermediate_size": INNER,
    "max_position_embeddings": 20,
}
BERTS: dict[str, Callable[[], PreTrainedModel]] = {
    "bert": lambda: BertModel(BertConfig(**SHAPE), add_pooling_layer=False),
    "roberta": lambda: RobertaModel(RobertaConfig(**SHAPE), add_pooling_layer=False),
    "distilbert": lambda: DistilBertModel(
        DistilBertConfig(
            vocab_size=50,
            dim=HIDDEN,
            n_layers=LAYERS,
            n_heads=2,
            hidden_dim=INNER,
            max_position_embeddings=20,
        )
    ),
}
every_type = pytest.mark.parametrize("model_type", BERTS)
every_placement = pytest.mark.parametrize("placement", ["houlsby", "pfeiffer"])
# By hand: down has D*m weights and m biases, up has m*D weights and D biases.
ONE_ADAPTER = HIDDEN * SIZE + SIZE + SIZE * HIDDEN + HIDDEN
ADAPTERS = {"houlsby": 2 * LAYERS, "pfeiffer": LAYERS}


def build(model_type: str) -> PreTrainedModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return BERTS[model_type]().eval()


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def outputs(model: PreTrainedModel) -> torch.Tensor:
    ids = torch.arange(2, 26).view(4, 6)
    mask = torch.ones_like(ids)
    mask[0, 4:] = 0
    return model(input_ids=ids, attention_mask=mask).last_hidden_state


def stir(model: PreTrainedModel) -> None:
    """Gives every adapter random weights."""
    source = generator(7)
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.5, generator=source)


@every_type
@every_placement
def test_adapters_start_as_the_identity_bit_for_bit(model_type: str, placement):
    model = build(model_type)
    before = outputs(model)
    add_adapters(model, SIZE, placement, generator())
    assert torch.equal(outputs(model), before)
    stir(model)
    assert not torch.allclose(outputs(model), before, atol=1e-2)


@every_type
@every_placement
def test_only_the_adapters_train_and_their_number_is_that_of_the_formula(model_type: str, placement):
    model = build(model_type)
    total = sum(p.numel() for p in model.parameters())
    add_adapters(model, SIZE, placement, generator())
    trainable = {name: p.numel() for name, p in model.named_parameters() if p.requires_grad}
    assert sum(trainable.values()) == ADAPTERS[placement] * ONE_ADAPTER
    assert all(".adapter." in name for name in trainable)
    assert sum(p.numel() for p in model.parameters()) == total + ADAPTERS[placement] * ONE_ADAPTER
    adapters = [name for name, module in model.named_modules() if isinstance(module, Adapter)]
    places = {name.partition("layer.0.")[2].removesuffix(".adapter") for name in adapters}
    after_attention, after_feed_forward = (
        ("attention.out_lin", "ffn.lin2")
        if model_type == "distilbert"
        else ("attention.output.dense", "output.dense")
    )
    assert places - {""} == {after_feed_forward} | ({after_attention} if placement == "houlsby" else set())


def test_an_adapter_is_a_bottleneck_with_a_skip_connection():
    adapter = Adapter(HIDDEN, SIZE, generator())
    torch.nn.init.normal_(adapter.up.weight, generator=generator(2))
    torch.nn.init.normal_(adapter.up.bias, generator=generator(3))
    states = torch.randn(2, 3, HIDDEN, generator=generator(4))
    inner = F.gelu(states @ adapter.down.weight.T + adapter.down.bias)
    expected = states + inner @ adapter.up.weight.T + adapter.up.bias
    torch.testing.assert_close(adapter(states), expected)


@every_placement
def test_adapters_act_before_the_residual_connection_and_the_layer_norm(placement):
    model = build("bert")
    add_adapters(model, SIZE, placement, generator())
    stir(model)
    output = model.encoder.layer[0].output
    states = torch.randn(2, 3, INNER, generator=generator(2))
    residual = torch.randn(2, 3, HIDDEN, generator=generator(3))
    projected = F.linear(states, output.dense.linear.weight, output.dense.linear.bias)
    expected = output.LayerNorm(output.dense.adapter(projected) + residual)
    torch.testing.assert_close(output(states, residual), expected)


@every_type
@every_placement
def test_a_step_changes_every_adapter_and_no_frozen_weight(model_type: str, placement):
    model = build(model_type)
    add_adapters(model, SIZE, placement, generator())
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    for _ in range(2):  # the gradient of `down` is zero while `up` is
        optimizer.zero_grad()
        outputs(model).pow(3).sum().backward()
        optimizer.step()
    for name, parameter in model.named_parameters():
        changed = not torch.equal(parameter, before[name])
        assert changed == (".adapter." in name), name
        assert (parameter.grad is not None and bool(parameter.grad.any())) == (".adapter." in name), name


def test_the_weights_come_from_the_generator_alone():
    def weights(seed: int, global_seed: int) -> torch.Tensor:
        model = build("bert")
        torch.manual_seed(global_seed)
        state = torch.get_rng_state()
        add_adapters(model, SIZE, generator=generator(seed))
        assert torch.equal(torch.get_rng_state(), state)
        return torch.cat([m.down.weight for m in model.modules() if isinstance(m, Adapter)]).detach()

    one = weights(1, 10)
    assert torch.equal(one, weights(1, 20))
    assert not torch.equal(one, weights(2, 10))
    assert len(one.unique(dim=0)) == len(one)  # no two adapters start alike
    assert one.abs().max() <= 0.02
    assert one.std() == pytest.approx(0.0088, rel=0.1)  # of a normal cut at two standard deviations of 0.01


def test_adapters_have_the_dtype_of_the_layer():
    model = build("bert").to(torch.float64)
    add_adapters(model, SIZE, generator=generator())
    assert {p.dtype for p in model.parameters()} == {torch.float64}


def test_an_unknown_architecture_is_refused_by_its_type():
    config = OPTConfig(
        vocab_size=10, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, ffn_dim=8,
        word_embed_proj_dim=8, pad_token_id=0, bos_token_id=1, eos_token_id=2, max_position_embeddings=8,
    )  # fmt: skip
    model = OPTModel(config)
    with pytest.raises(UserError, match=r"^adapters: no layers with known projections .* type 'opt'; tuning"):
        add_adapters(model)
    assert all(p.requires_grad for p in model.parameters())


def test_an_empty_bottleneck_is_refused():
    with pytest.raises(UserError, match=r"^adapter size 0: "):
        add_adapters(build("bert"), 0)
