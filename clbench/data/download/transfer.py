"""Downloads one file over HTTP: resumes after an interruption and checks the git hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

import httpx
from tqdm import tqdm

from clbench.core.errors import UserError, message

ATTEMPTS = 3
"""How many times a transfer is tried before the command gives up."""
TIMEOUT = 30.0
"""Seconds without received data after which a transfer counts as interrupted."""
CHUNK = 1 << 16


def download(url: str, target: Path, blob_sha1: str, *, progress: bool = False) -> None:
    """Downloads ``url`` to ``target``, unless that file exists already.

    A partial download is kept next to ``target`` under another name; a later call resumes it.

    Args:
        url: The address of the file.
        target: The path to write to.
        blob_sha1: The expected SHA-1 of the file as a git blob.
        progress: Whether to show a progress bar.

    Raises:
        UserError: The file cannot be downloaded, or has another hash.
    """
    if target.exists() and git_blob_sha1(target) == blob_sha1:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    for attempt in range(ATTEMPTS):
        try:
            _transfer(url, part, progress)
            break
        except httpx.HTTPStatusError as error:
            raise UserError(f"{url}: the server answers {error.response.status_code}") from error
        except httpx.HTTPError as error:
            if attempt == ATTEMPTS - 1:
                raise UserError(
                    f"{url} cannot be fetched ({message(error)}); run the same command again to resume"
                ) from error
    found = git_blob_sha1(part)
    if found != blob_sha1:
        part.unlink()
        raise UserError(f"{url} is not the declared file: its git hash is {found} and should be {blob_sha1}")
    part.replace(target)


def _transfer(url: str, part: Path, progress: bool) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with httpx.stream("GET", url, headers=headers, timeout=TIMEOUT, follow_redirects=True) as response:
        if have and response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # the partial file is complete; its hash is checked next
        response.raise_for_status()
        goes_on = response.status_code == httpx.codes.PARTIAL_CONTENT
        start = have if goes_on else 0
        length = response.headers.get("Content-Length")
        bar = tqdm(
            total=start + int(length) if length else None, initial=start, unit="B", unit_scale=True,
            desc=url.rpartition("/")[2], leave=False, disable=not progress,
        )  # fmt: skip
        with part.open("ab" if goes_on else "wb") as file, bar:
            for chunk in response.iter_bytes(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))


def git_blob_sha1(path: Path) -> str:
    """The SHA-1 of the content of a file as a git blob."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: digest).hexdigest()
