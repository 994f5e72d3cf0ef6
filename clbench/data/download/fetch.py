"""Downloads datasets and writes them as the JSON lines that scenarios read (``clbench data fetch``)."""

from __future__ import annotations

from pathlib import Path

from clbench.core.io import cache_dir, remove_leftovers
from clbench.data.download.convert import CONVERTERS
from clbench.data.download.places import ORIGINALS
from clbench.data.download.transfer import download
from clbench.data.formats import write_lines

GITHUB = "https://raw.githubusercontent.com"
WIKIPEDIA = ("wikimedia/wikipedia", "20231101.simple")
LEAST_WORDS = 30
"""The minimum number of words of an article of Simple Wikipedia."""


def fetch(dataset: str, data_dir: Path, *, server: str = GITHUB, progress: bool = False) -> list[Path]:
    """Downloads the original files of a dataset, converts them, and writes a file per split.

    Original files stay in the cache folder: a second call downloads only missing files.

    Args:
        dataset: A key of ``ORIGINALS``.
        data_dir: The folder of all datasets.
        server: The base URL of repositories: ``<server>/<repository>/<commit>/<path>``.
        progress: Whether to show progress bars.

    Returns:
        The files written.

    Raises:
        UserError: A file cannot be downloaded, is larger or has another hash than declared, or has a
            malformed line.
    """
    original = ORIGINALS[dataset]
    files = {}
    for path, blob_sha1 in original.files.items():
        files[path] = cache_dir() / "originals" / original.repository / original.commit / path
        url = f"{server}/{original.repository}/{original.commit}/{path}"
        download(url, files[path], blob_sha1, most_bytes=original.most_bytes, progress=progress)
    splits = CONVERTERS[dataset](files)
    remove_leftovers(data_dir / dataset)
    return [write_lines(data_dir / dataset / f"{name}.jsonl.gz", rows) for name, rows in splits.items()]


def fetch_wikipedia(data_dir: Path, repository: str = WIKIPEDIA[0]) -> list[Path]:
    """Downloads Simple Wikipedia from the Hugging Face Hub as the unlabeled corpus ``wiki``.

    Args:
        data_dir: The folder of all datasets.
        repository: The dataset on the Hub, or a local folder in the same layout.

    Returns:
        The file written.
    """
    from datasets import load_dataset

    articles = load_dataset(repository, WIKIPEDIA[1], split="train")
    texts = (" ".join(article["text"].split()) for article in articles)
    rows = ({"text": text} for text in texts if text.count(" ") >= LEAST_WORDS - 1)
    return [write_lines(data_dir / "wiki" / "train.jsonl.gz", rows)]
