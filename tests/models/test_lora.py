"""LoRA starts as the identity, trains what it should and leaves the rest alone."""

import pytest
import torch
from transformers import AutoModel, DistilBertConfig, MambaConfig, RobertaConfig

from clbench.core.errors import UserError
from clbench.models import tiny
from clbench.models.classifier import TextClassifier
from clbench.models.context import RunContext
from clbench.models.encoder import load_encoder, token_states
from clbench.models.lora import add_lora

ROWS = torch.tensor([[[2, 0], [80, 0], [90, 0], [3, 0]]])
MASK = torch.ones(1, 4, dtype=torch.bool)


def test_it_starts_as_the_identity_bit_for_bit_and_the_update_is_alpha_over_rank_b_a():
    model, plain = tiny.model(), tiny.model()
    before = token_states(plain, ROWS, MASK)
    add_lora(model, 4, torch.Generator().manual_seed(0))
    assert torch.equal(token_states(model, ROWS, MASK), before)
    names = [name for name, each in model.named_parameters() if each.requires_grad]
    assert all("lora_" in name for name in names)
    assert sum(model.get_parameter(name).numel() for name in names) == 4 * 2 * 32 * 4  # 4 L D rank
    query = model.encoder.layer[0].attention.self.query
    a, b = query.lora_A["default"].weight, query.lora_B["default"].weight
    with torch.no_grad():
        b.normal_()
    x = torch.randn(5, 32)
    expected = plain.encoder.layer[0].attention.self.query(x) + 2.0 * x @ a.T @ b.T
    torch.testing.assert_close(query(x), expected)


def test_the_seed_decides_the_weights_and_the_global_state_is_left_alone():
    states, drawn = [], []
    for seed in (0, 0, 1):
        torch.manual_seed(7)
        model = tiny.model()
        add_lora(model, 4, torch.Generator().manual_seed(seed))
        states.append(model.encoder.layer[1].attention.self.value.lora_A["default"].weight)
        drawn.append(float(torch.rand(1)))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])
    assert len(set(drawn)) == 1


def test_training_changes_no_frozen_weight():
    context = RunContext(load_encoder("tiny"), columns=3, experiences=1, max_tokens=16, tuning="lora", lr=0.1)
    network = TextClassifier(context)
    frozen = {name: each.clone() for name, each in network.named_parameters() if not each.requires_grad}
    assert len(frozen) > 20
    optimizer = torch.optim.AdamW([each for each in network.parameters() if each.requires_grad], lr=0.1)
    states = token_states(network.encoder, ROWS, MASK)
    for _ in range(3):
        optimizer.zero_grad()
        token_states(network.encoder, ROWS, MASK).square().sum().backward()
        optimizer.step()
    assert not torch.allclose(token_states(network.encoder, ROWS, MASK), states)
    for name, each in frozen.items():
        assert torch.equal(network.get_parameter(name), each)


SMALL = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "hidden_size": 32}
CONFIGS = {
    "roberta": RobertaConfig(vocab_size=100, **SMALL),
    "distilbert": DistilBertConfig(vocab_size=100, n_layers=2, n_heads=2, hidden_dim=64, dim=32),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_each_architecture_has_its_query_and_value_projections(name):
    model = AutoModel.from_config(CONFIGS[name])
    add_lora(model, 4)
    assert sum(each.numel() for each in model.parameters() if each.requires_grad) == 4 * 2 * 32 * 4


def test_what_it_does_not_know_is_refused():
    model = tiny.model()
    with pytest.raises(UserError, match="rank 1"):
        add_lora(model, 0)
    mamba = AutoModel.from_config(
        MambaConfig(vocab_size=10, hidden_size=8, num_hidden_layers=1, state_size=4)
    )
    with pytest.raises(UserError, match=r"^LoRA: no linear layers of attention in type 'mamba'$"):
        add_lora(mamba, 4)
