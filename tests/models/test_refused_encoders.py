"""Encoders that cannot be used: one line that says why, before anything is written."""

import json
from pathlib import Path

import pytest
import transformers
from safetensors.torch import load_file
from support.architectures import save

from clbench.cli import main
from clbench.core.errors import UserError
from clbench.models import tiny
from clbench.models.encoder import load_encoder


def larger_tokenizer(folder: Path) -> str:
    tokenizer = tiny.tokenizer()
    tokenizer.add_tokens(["beyond"])
    tokenizer.save_pretrained(folder)
    size = len(tiny.vocabulary())
    return f"the tokenizer has ids up to {size} and the model embeddings for {size}"


def only_a_pickle(folder: Path) -> str:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    return "lacks model.safetensors; the pickle pytorch_model.bin is not read: save them"


def in_several_files(folder: Path) -> str:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    (folder / "model.safetensors.index.json").write_text("{}")
    return "lacks model.safetensors; weights in several files are not read"


def no_tokenizer(folder: Path) -> str:
    (folder / "tokenizer.json").unlink()
    return "lacks tokenizer.json"


def a_slow_tokenizer(folder: Path) -> str:
    (folder / "tokenizer.json").unlink()
    (folder / "spiece.model").write_bytes(b"pieces")
    return "lacks tokenizer.json; spiece.model alone is not read: save a fast tokenizer"


def a_broken_tokenizer(folder: Path) -> str:
    (folder / "tokenizer.json").write_text("{")
    return "the tokenizer cannot be read"


def another_kind(name: str, **sizes: object):
    def made(folder: Path) -> str:
        config = getattr(transformers, f"{name}Config")(**sizes)
        config.save_pretrained(folder)
        return {
            "Bart": "type 'bart' is an encoder-decoder; only the encoder of T5",
            "ViT": "type 'vit' is not a model of text alone",
            "CLIP": "type 'clip' is not a model of text alone",
        }[name]

    return made


CASES = {
    "larger tokenizer": larger_tokenizer,
    "pickle": only_a_pickle,
    "several files": in_several_files,
    "no tokenizer": no_tokenizer,
    "slow tokenizer": a_slow_tokenizer,
    "broken tokenizer": a_broken_tokenizer,
    "encoder-decoder": another_kind("Bart"),
    "images": another_kind("ViT"),
    "text and images": another_kind("CLIP"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_folder_that_cannot_work_is_refused_before_anything_is_written(case, bert, tmp_path, capsys):
    reason = CASES[case](bert)
    line = refused(str(bert), tmp_path, capsys)
    assert reason in line
    assert str(bert) in line


def refused(encoder: str, tmp_path: Path, capsys) -> str:
    """The one line on standard error of a run that exits with 2 and writes nothing."""
    results = tmp_path / "results"
    words = ["--scenario", "pydocs-cil", "--baseline", "ncm", "--encoder", encoder, "--results", str(results)]
    assert main(["run", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert not results.exists()
    return err


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (
            "someone/some-model",
            "is no folder here; a model of the hub is downloaded first (hf download someone/",
        ),
        ("FacebookAI/roberta-base", "has the name 'roberta-base' here: --encoder roberta-base"),
        ("gpt2", "unknown encoder 'gpt2'"),
        ("./no/such/folder", "encoder directory no/such/folder does not exist"),
    ],
)
def test_a_hub_id_is_refused_as_one(name, reason, tmp_path, capsys):
    assert reason in refused(name, tmp_path, capsys)


def test_a_length_beyond_the_positions_is_refused_before_anything_is_written(tmp_path, capsys):
    folder = save("RoBERTa", tmp_path / "roberta")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({**json.loads((folder / "tokenizer_config.json").read_text()), "model_max_length": 10**9})
    )
    encoder = load_encoder(str(folder))
    (row,) = encoder.tokenize(["the market " * 30], [None], 64)  # 66 positions, of which 2 are of padding
    assert len(row) == 64
    with pytest.raises(UserError, match="reads at most 64 tokens"):
        encoder.check_length(65)
    words = ["--scenario", "pydocs-cil", "--baseline", "ncm", "--encoder", str(folder), "--max-tokens", "65"]
    assert main(["run", *words, "--results", str(tmp_path / "results")]) == 2
    assert "at most 64 tokens" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_the_encoder_of_a_whole_t5_is_read_without_its_decoder(tmp_path):
    folder = save("T5, encoder part", tmp_path / "t5")
    stored = load_file(folder / "model.safetensors")
    assert any(name.startswith("decoder.") for name in stored)
    model = load_encoder(str(folder)).model()
    assert not any("decoder" in name for name, _ in model.named_parameters())
