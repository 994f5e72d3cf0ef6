"""L2P and Progressive Prompts: what they compute, what trains and what stays."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from support.formula_parts import Texts, context, experience, fit, of_texts
from torch.distributions import Categorical

from baselines.l2p import L2P
from baselines.progprompt import ProgPrompt
from clbench.core.errors import UserError

WORDS = ["the oil price", "a bank", "question about one function", "film"]


def made(method, **options):
    arguments = {name: options.pop(name) for name in ("pool", "top", "strength", "gates") if name in options}
    given = {"tuning": "prompt", "prompt_length": 2, "experiences": 3, "task_aware": True}
    return method(context(**(given | options)), **arguments)


def of_experience(learner, index: int, columns=(0, 1, 2)):
    """A batch of an experience that owns some columns."""
    targets = [columns[at % len(columns)] for at in range(len(WORDS))]
    batch = of_texts(learner.context.encoder, WORDS, targets)
    batch.experience.fill_(index)
    batch.class_mask[:] = False
    batch.class_mask[:, list(columns)] = True
    return batch


def alone(learner, words: str, prompt: torch.Tensor) -> torch.Tensor:
    """Logits of one text behind vectors, from BERT's own call on embeddings."""
    encoder = learner.context.encoder
    ids = torch.from_numpy(encoder.tokenize([words], [None], 16)[0][:, 0].copy()).long()
    model = encoder.model()
    inputs = torch.cat([prompt, model.get_input_embeddings()(ids)])[None]
    states = model(inputs_embeds=inputs).last_hidden_state[0, len(prompt) :]
    return learner.network.head(states.mean(0))


def queries(encoder) -> list[torch.Tensor]:
    table = encoder.model().get_input_embeddings().weight
    rows = [encoder.tokenize([each], [None], 16)[0][:, 0] for each in WORDS]
    return [sum(table[int(token)] for token in ids) / len(ids) for ids in rows]


def nearest(learner, query) -> list[tuple[float, int]]:
    found = [
        (float((query @ key / query.norm() / key.norm()).detach()), at)
        for at, key in enumerate(learner.network.keys)
    ]
    return sorted(found, reverse=True)[: learner.network.top]


def test_each_text_chooses_the_prompts_of_the_nearest_keys():
    learner = made(L2P, pool=6, top=2).eval()
    network = learner.network
    torch.nn.init.normal_(network.keys, generator=torch.Generator().manual_seed(0))
    batch = of_experience(learner, 0)
    with torch.no_grad():
        logits, chosen = learner(batch), []
        for at, query in enumerate(queries(learner.context.encoder)):
            chosen.append([place for _, place in nearest(learner, query)])
            prompt = torch.cat([network.prompts[place] for place in chosen[-1]])
            torch.testing.assert_close(logits[at], alone(learner, WORDS[at], prompt), atol=1e-5, rtol=0)
    assert len({tuple(each) for each in chosen}) > 1


def test_the_loss_of_l2p_has_half_the_mean_cosine():
    learner = made(L2P, pool=6, top=2).eval()
    torch.nn.init.normal_(learner.network.keys, generator=torch.Generator().manual_seed(0))
    batch = of_experience(learner, 0, (0, 2))
    cosines = [value for query in queries(learner.context.encoder) for value, _ in nearest(learner, query)]
    logits = learner(batch)
    plain = F.cross_entropy(logits[:, [0, 2]], torch.tensor([0, 1, 0, 1]))
    torch.testing.assert_close(learner.loss(batch), plain - 0.5 * sum(cosines) / len(cosines))
    learner.begin_experience(experience(0, 0, 2), Texts(batch))
    everywhere = dataclasses.replace(batch, class_mask=torch.ones_like(batch.class_mask))
    torch.testing.assert_close(learner.loss(everywhere), learner.loss(batch))  # its own columns alone


def test_a_pool_starts_at_embeddings_and_keys_at_their_means():
    learner = made(L2P, pool=4, top=2)
    table = learner.context.encoder.model().get_input_embeddings().weight
    for prompt, key in zip(learner.network.prompts, learner.network.keys, strict=True):
        assert all((row == table).all(1).any() for row in prompt)
        torch.testing.assert_close(key, prompt.mean(0))
    with pytest.raises(UserError, match="cannot choose 5 of 4"):
        made(L2P, pool=4, top=5)
    assert L2P.info.prompt_length == 5


def test_the_queries_of_l2p_never_move_and_prompts_that_none_chooses_get_no_gradient():
    learner = made(L2P, pool=6, top=2)
    batch = of_experience(learner, 0)
    learner.loss(batch).backward()
    chosen = set(learner.network.choose(*batch.padded())[1].flatten().tolist())
    for at, gradient in enumerate(learner.network.prompts.grad):
        assert bool(gradient.any()) == (at in chosen)
    assert learner.network.encoder.get_input_embeddings().weight.grad is None


def test_prompts_of_all_experiences_so_far_come_before_a_text_the_newest_first():
    learner = made(ProgPrompt).eval()
    batch = of_experience(learner, 0)
    batch.experience[:] = torch.tensor([1, 0, 2, 1])  # of several experiences at once
    prompts = learner.network.prompts
    with torch.no_grad():
        logits = learner(batch)
        for at, (words, each) in enumerate(zip(WORDS, (1, 0, 2, 1), strict=True)):
            before = torch.cat([prompts[place] for place in range(each, -1, -1)])
            torch.testing.assert_close(logits[at], alone(learner, words, before), atol=1e-5, rtol=0)


def test_earlier_prompts_and_columns_and_their_logits_stay_bit_for_bit():
    torch.manual_seed(0)
    learner = made(ProgPrompt, lr=0.02, columns=3)
    first, second = of_experience(learner, 0, (0, 1)), of_experience(learner, 1, (2,))
    second = dataclasses.replace(second, class_mask=torch.ones_like(second.class_mask))
    learner.begin_experience(experience(0, 0, 1), Texts(first))
    start = [each.detach().clone() for each in learner.network.prompts]
    fit(learner, [first] * 10)
    learner.eval()
    before, weights = learner(first).detach(), learner.network.head.weight.detach().clone()
    prompts = [each.detach().clone() for each in learner.network.prompts]
    assert not torch.equal(prompts[0], start[0])
    learner.begin_experience(experience(1, 1, 2), Texts(second))
    fit(learner, [second] * 10)
    learner.eval()
    assert torch.equal(learner.network.prompts[0], prompts[0])
    assert not torch.equal(learner.network.prompts[1], prompts[1])
    assert torch.equal(learner.network.prompts[2], start[2])
    assert torch.equal(learner.network.head.weight[0], weights[0])
    assert not torch.equal(learner.network.head.weight[1:], weights[1:])
    assert torch.equal(learner(first)[:, 0].detach(), before[:, 0])


@pytest.mark.parametrize("gates", ["last_id", "ent_id"])
def test_without_task_ids_a_text_has_the_prompts_of_the_last_experience_or_of_least_entropy(gates):
    learner = made(ProgPrompt, task_aware=False, gates=gates).eval()
    batch = of_experience(learner, 2)
    for at in (0, 1):
        learner.begin_experience(experience(at, 0, 1, 2), Texts(batch))
    with torch.no_grad():
        learner.network.prompts[0].mul_(3)
        each = [
            learner.network(dataclasses.replace(batch, experience=batch.experience * 0 + at)) for at in (0, 1)
        ]
        found = learner(batch)
    for text in range(len(WORDS)):
        best = min(each, key=lambda logits: float(Categorical(logits=logits[text]).entropy()))
        assert torch.equal(found[text], (each[1] if gates == "last_id" else best)[text])


def test_prompts_of_all_experiences_must_fit_the_encoder():
    with pytest.raises(UserError, match=r"with 600 vectors of prompts .* at most 0 tokens"):
        made(ProgPrompt, experiences=300)


def test_an_experience_of_one_class_is_learned_against_all_columns():
    learner = made(L2P, strength=0.0, task_aware=False).eval()
    batch = dataclasses.replace(
        of_experience(learner, 0, (1,)), class_mask=torch.ones(len(WORDS), 3, dtype=torch.bool)
    )
    learner.begin_experience(experience(0, 1), Texts(batch))
    torch.testing.assert_close(learner.loss(batch), F.cross_entropy(learner(batch), batch.targets))
    assert learner.loss(batch) > 0.1
    learner.begin_experience(experience(1, 1, 2), Texts(batch))
    torch.testing.assert_close(learner.loss(batch), F.cross_entropy(learner(batch)[:, 1:], batch.targets - 1))
