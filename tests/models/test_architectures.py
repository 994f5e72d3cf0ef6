"""Every architecture of the table in the documentation, with every tuning."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch
import transformers
from support.architectures import ARCHITECTURES, HIDDEN, TEXTS, save
from support.committed_reports import ROOT

from clbench.core.batch import Batch, pack, padded
from clbench.core.types import TUNINGS
from clbench.models.adapters import Adapter
from clbench.models.classifier import TextClassifier
from clbench.models.context import RunContext
from clbench.models.encoder import load_encoder, token_states
from clbench.models.feature_cache import FeatureCache
from clbench.models.frozen_prefix import FrozenPrefix

LIMIT, SIZE, RANK, PROMPT = 20, 5, 3, 4
TRAINED = [tuning for tuning in TUNINGS if tuning != "frozen"]
every = pytest.mark.parametrize("name", ARCHITECTURES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("encoders")

    def saved(name: str):
        path = root / ARCHITECTURES[name].config
        return path if path.is_dir() else save(name, path)

    return saved


def by_hand(name: str, path) -> list[torch.Tensor]:
    """The states of each text, by the classes of transformers and without padding."""
    kind = ARCHITECTURES[name].config.removesuffix("Config")
    model_class = getattr(transformers, "T5EncoderModel" if kind == "T5" else f"{kind}Model")
    model = model_class.from_pretrained(path).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    tokenizer.truncation_side = "right"
    takes = inspect.signature(model.forward).parameters
    out = []
    for text in TEXTS:
        inputs = tokenizer(text, truncation=True, max_length=LIMIT, return_tensors="pt")
        with torch.no_grad():
            found = model(**{key: value for key, value in inputs.items() if key in takes})
        out.append(found.last_hidden_state[0])
    return out


@every
def test_frozen_features_are_those_of_transformers_pooled(name, folder, tmp_path):
    encoder, states = load_encoder(str(folder(name))), by_hand(name, folder(name))
    assert len({len(each) for each in states}) > 2
    assert max(len(each) for each in states) <= LIMIT
    wanted = {
        "mean": [each.mean(0, keepdim=True) for each in states],
        "cls": [each[:1] for each in states],
        "last": [each[-1:] for each in states],
        "states": states,
    }
    cache = FeatureCache(tmp_path, progress=False)
    for pooling, values in wanted.items():
        rows, flops = cache.features(encoder, TEXTS, [None] * len(TEXTS), LIMIT, FrozenPrefix(pooling))
        for own, value in zip(rows, values, strict=True):
            np.testing.assert_allclose(own, value.numpy(), atol=2e-5, rtol=0)
        assert (flops > 0).all()


@every
def test_padding_does_not_reach_the_states_of_tokens(name, folder):
    encoder = load_encoder(str(folder(name)))
    rows, mask = padded(*pack(list(encoder.tokenize(TEXTS, [None] * len(TEXTS), LIMIT))))
    states = encoder.frozen_states(rows, mask)
    noise = torch.where(mask.unsqueeze(-1), rows, torch.tensor([7, 0], dtype=rows.dtype))
    torch.testing.assert_close(encoder.frozen_states(noise, mask)[mask], states[mask], atol=1e-5, rtol=0)


def a_batch(encoder) -> Batch:
    rows, lengths = pack(list(encoder.tokenize(TEXTS, [None] * len(TEXTS), LIMIT)))
    count = len(TEXTS)
    mask = torch.ones(count, 3, dtype=torch.bool)
    return Batch(rows, lengths, torch.arange(count) % 3, mask, torch.zeros(count, dtype=torch.long), False)


@every
@pytest.mark.parametrize("tuning", TRAINED)
def test_what_the_tuning_names_is_trained_and_nothing_else(name, tuning, folder):
    encoder, kind = load_encoder(str(folder(name))), ARCHITECTURES[name]
    context = RunContext(
        encoder, 3, 1, max_tokens=LIMIT, tuning=tuning, adapter_size=SIZE, lora_rank=RANK,
        prompt_length=PROMPT, seed=1,
    )  # fmt: skip
    network, batch = TextClassifier(context).eval(), a_batch(encoder)
    rows, mask = batch.padded()
    with torch.no_grad():
        start = token_states(network.encoder, rows, mask)[mask]
        torch.testing.assert_close(start, encoder.frozen_states(rows, mask)[mask], atol=0, rtol=0)
    before = {key: value.detach().clone() for key, value in network.named_parameters()}
    optimizer = torch.optim.SGD([each for each in network.parameters() if each.requires_grad], lr=0.05)
    for _ in range(2):  # with adapters and LoRA, half of the gradients are zero at first
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(batch), batch.targets).backward()
        optimizer.step()
    changed = {key for key, value in network.named_parameters() if not torch.equal(value, before[key])}
    trainable = {key for key, value in network.named_parameters() if value.requires_grad}
    assert changed <= trainable
    encoders = {key for key in trainable if not key.startswith("head.")}
    if tuning == "full":
        assert trainable == before.keys()
        assert len(changed & encoders) > 0.8 * len(
            encoders
        )  # some have no gradient: keys have no use for a bias
        return
    assert changed == trainable
    if tuning == "prompt":
        assert encoders == {"prompt"}
        assert network.prompt.shape == (PROMPT, kind.sizes.get("embedding_size", HIDDEN))
        return
    part = "adapter" if tuning == "adapter" else "lora_"
    assert all(part in key for key in encoders)
    if tuning == "adapter":
        found = [key for key, module in network.named_modules() if isinstance(module, Adapter)]
        assert len(found) == 2 * kind.layers
        assert all(any(f".{place}.adapter" in key for key in found) for place in kind.places)
        assert sum(network.get_parameter(key).numel() for key in encoders) == len(found) * (
            2 * HIDDEN * SIZE + HIDDEN + SIZE
        )
    else:
        names = {key.partition(".lora_")[0].rpartition(".")[2] for key in encoders}
        assert names == set(kind.targets)
        assert len(encoders) == 2 * len(kind.targets) * kind.layers


def embedded(model, ids: torch.Tensor, prompt: torch.Tensor) -> torch.Tensor:
    """The states of one text behind a prompt, from embeddings put together by hand, without padding."""
    words = torch.stack([model.get_input_embeddings()(token) for token in ids])
    out = model(inputs_embeds=torch.cat([prompt, words])[None])
    return out.last_hidden_state[0, len(prompt) :]


@every
def test_a_prompt_comes_before_the_embeddings_of_each_text(name, folder):
    encoder = load_encoder(str(folder(name)))
    context = RunContext(encoder, 3, 1, max_tokens=LIMIT, tuning="prompt", prompt_length=PROMPT, seed=1)
    network, batch = TextClassifier(context).eval(), a_batch(encoder)
    rows, mask = batch.padded()
    with torch.no_grad():
        found = network.states(network.encoder, batch, rows, mask)
        plain = encoder.frozen_states(rows, mask)
        for at, length in enumerate(batch.lengths.tolist()):
            alone = embedded(encoder.frozen(), rows[at, :length, 0].long(), network.prompt)
            torch.testing.assert_close(found[at, :length], alone, atol=1e-5, rtol=0)
            assert not torch.allclose(found[at, :length], plain[at, :length], atol=1e-2)


def table() -> str:
    """The table of the documentation."""
    lines = [
        "| Architecture | Frozen | Full | Prompt | Adapters after | LoRA on |",
        "|---|---|---|---|---|---|",
    ]
    for name, kind in ARCHITECTURES.items():
        places, targets = (", ".join(f"`{each}`" for each in names) for names in (kind.places, kind.targets))
        lines.append(f"| {name} | yes | yes | yes | {places} | {targets} |")
    return "\n".join(lines)


def test_the_documentation_has_the_table_of_what_is_tested_here():
    page = (ROOT / "docs" / "encoders.md").read_text(encoding="utf-8")
    assert table() in page, f"docs/encoders.md should have:\n{table()}"
