"""Soft prompts: where they go, what trains, and what cannot have them."""

import pytest
import torch
from support.formula_parts import context, fit, of_texts
from support.language_runs import language_run
from transformers import AutoModel, CanineConfig

from baselines.finetune import Finetune
from clbench.core.batch import pack, padded
from clbench.core.errors import UserError
from clbench.engine.continuations import greedy
from clbench.models import tiny
from clbench.models.classifier import TextClassifier
from clbench.models.encoder import load_encoder, token_states
from clbench.models.prompts import add_prompt, random_embeddings

WORDS = ["the oil price", "a bank", "question about one function", "film"]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_positions_and_segments_of_a_pair_are_those_of_bert_with_a_longer_first_text():
    encoder, model = load_encoder("tiny"), tiny.model()
    rows, mask = padded(*pack(list(encoder.tokenize(["oil price"], ["a film"], 16))))
    assert rows[0, :, 1].unique().tolist() == [0, 1]
    prompt = torch.randn(3, 32, generator=generator())
    parts, length = model.embeddings, rows.shape[1]
    words = torch.cat([prompt, parts.word_embeddings(rows[0, :, 0].long())])
    segments = torch.cat([torch.zeros(3, dtype=torch.long), rows[0, :, 1].long()])
    by_hand = words + parts.position_embeddings.weight[: length + 3] + parts.token_type_embeddings(segments)
    states = model.encoder(parts.LayerNorm(by_hand)[None]).last_hidden_state[0, 3:]
    with torch.no_grad():
        found = token_states(model, rows, mask, prompt)[0]
        torch.testing.assert_close(found, states, atol=1e-5, rtol=0)
        rows[..., 1] = 0
        assert not torch.allclose(token_states(model, rows, mask, prompt)[0], states, atol=1e-3)


def test_a_prompt_starts_at_embeddings_of_tokens_from_its_generator():
    model = tiny.model()
    prompt = add_prompt(model, 5, 16, generator(1))
    table = model.get_input_embeddings().weight
    assert all((row == table).all(1).any() for row in prompt)
    assert torch.equal(prompt, random_embeddings(tiny.model(), 5, generator(1)))
    assert not torch.equal(prompt, random_embeddings(tiny.model(), 5, generator(2)))
    assert not any(each.requires_grad for each in model.parameters())


def test_no_weight_of_the_encoder_changes_and_the_prompt_is_learned():
    torch.manual_seed(0)
    learner = Finetune(context(tuning="prompt", prompt_length=4, lr=0.02))
    start = {name: weight.detach().clone() for name, weight in learner.named_parameters()}
    batch = of_texts(learner.context.encoder, WORDS, [0, 1, 2, 0])
    fit(learner, [batch] * 30)
    learner.eval()
    assert learner(batch).argmax(1).tolist() == [0, 1, 2, 0]
    moved = {name for name, weight in learner.named_parameters() if not torch.equal(weight, start[name])}
    assert moved == {"network.prompt", "network.head.weight", "network.head.bias"}
    pretrained = learner.context.encoder.model().state_dict()
    for name, weight in learner.network.encoder.state_dict().items():
        assert torch.equal(weight, pretrained[name]), name


def test_what_cannot_have_a_prompt_is_refused():
    with pytest.raises(UserError, match=r"^max_tokens 505: with 10 vectors .* at most 502 tokens$"):
        TextClassifier(context(tuning="prompt", max_tokens=505))
    TextClassifier(context(tuning="prompt", max_tokens=502))
    canine = AutoModel.from_config(
        CanineConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    )
    with pytest.raises(UserError, match=r"^prompts: an encoder of type 'canine' does not take embeddings"):
        add_prompt(canine, 4, 16, generator())


class Shifted(torch.nn.Module):
    """An encoder whose states do not follow from embeddings alone."""

    def __init__(self):
        super().__init__()
        self.inner = tiny.model()
        self.config = self.inner.config

    def get_input_embeddings(self):
        return self.inner.get_input_embeddings()

    def forward(self, input_ids=None, inputs_embeds=None, **rest):
        out = self.inner(input_ids=input_ids, inputs_embeds=inputs_embeds, **rest)
        if input_ids is not None:
            out.last_hidden_state = out.last_hidden_state + input_ids.unsqueeze(-1)
        return out


def test_an_encoder_that_needs_its_token_ids_is_refused():
    with pytest.raises(UserError, match="does not take embeddings"):
        add_prompt(Shifted(), 4, 16, generator())


@pytest.mark.parametrize(
    ("length", "name"), [(None, "finetune-prompt-float32"), (3, "finetune-prompt-prompt_length=3-float32")]
)
def test_another_length_is_part_of_the_method_s_name(length, name, tmp_path):
    run = language_run(tmp_path, "finetune", tuning="prompt", prompt_length=length)
    assert run.result.config["method"] == name
    assert run.result.config["prompt_length"] == len(run.learner.network.prompt) == (length or 10)
    plain = language_run(tmp_path, "finetune", tuning="lora")
    assert "prompt_length" not in plain.result.config


def test_a_language_model_goes_on_from_its_prompt(tmp_path):
    network = language_run(tmp_path, "finetune", tuning="prompt", prompt_length=3).learner.network.eval()
    ids = torch.randint(3, 20, (2, 5), generator=generator())
    found = greedy(network, ids, 4)
    for _ in range(4):  # all of the text anew, in place of a cache
        rows = torch.stack([ids, torch.zeros_like(ids)], 2)
        states = token_states(network.model, rows, torch.ones_like(ids, dtype=torch.bool), network.prompt)
        ids = torch.cat([ids, network.output(states[:, -1]).argmax(1, keepdim=True)], 1)
    assert found.tolist() == ids[:, 5:].tolist()
    with torch.no_grad():
        network.prompt.mul_(-3)
    assert greedy(network, ids[:, :5], 4).tolist() != found.tolist()
