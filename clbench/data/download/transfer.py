"""One file over HTTP: resumed where it was cut off, checked by its git hash, whole or absent."""

from __future__ import annotations

import hashlib
from pathlib import Path

import httpx
from tqdm import tqdm

from clbench.core.errors import UserError

ATTEMPTS = 3
"""How often a transfer that is cut off is taken up before the command gives up."""
TIMEOUT = 30.0
"""Seconds without a byte."""
CHUNK = 1 << 16


def download(url: str, target: Path, blob_sha1: str, *, progress: bool = False) -> None:
    """Fetches ``url`` to ``target``, unless it is there.

    What has come is kept beside it under another name until it is whole: a later call goes on from there.

    Args:
        url: Where the file is.
        target: Where it goes.
        blob_sha1: The SHA-1 that git gives the file.
        progress: Whether to show a progress bar.

    Raises:
        UserError: It cannot be fetched, or is another file than the declared one.
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
                reason = " ".join(str(error).split()) or type(error).__name__
                raise UserError(
                    f"{url} cannot be fetched ({reason}); the same command goes on from here"
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
            return  # all of it is there: its hash will tell
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
    """The SHA-1 that git gives the content of a file."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
