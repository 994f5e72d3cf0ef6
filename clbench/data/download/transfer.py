"""Downloads one file over HTTP: resumes after an interruption and checks size, hosts and git hash."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from tqdm import tqdm

from clbench.core.errors import UserError, message

ATTEMPTS = 3
"""How many times a transfer is tried before the command gives up."""
TIMEOUT = 30.0
"""Seconds without ``LEAST`` bytes after which a transfer counts as interrupted."""
LEAST = 1024
HOSTS = ("raw.githubusercontent.com", "media.githubusercontent.com", "github.com")
"""The hosts that an answer may redirect to, by HTTPS, besides the one that was asked."""
REDIRECTS = 5
"""The most of them that are followed."""


def download(url: str, target: Path, blob_sha1: str, *, most_bytes: int, progress: bool = False) -> None:
    """Downloads ``url`` to ``target``, unless that file exists already.

    A partial download is kept next to ``target`` under another name; a later call resumes it. Links in the
    place of the two files are replaced, and never written through.

    Args:
        url: The address of the file.
        target: The path to write to.
        blob_sha1: The expected SHA-1 of the file as a git blob.
        most_bytes: What the file may have at most.
        progress: Whether to show a progress bar.

    Raises:
        UserError: The file cannot be downloaded, is too large, is elsewhere, or has another hash.
    """
    part = target.with_name(f".{target.name}.part")
    for path in (target, part):
        if path.is_symlink():
            path.unlink()
    if target.exists() and git_blob_sha1(target) == blob_sha1:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(ATTEMPTS):
        try:
            _transfer(url, part, most_bytes, progress)
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


def _transfer(url: str, part: Path, most_bytes: int, progress: bool) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with _answer(url, headers) as response:
        if have and response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # the partial file is complete; its hash is checked next
        response.raise_for_status()
        goes_on = response.status_code == httpx.codes.PARTIAL_CONTENT
        start = have if goes_on else 0
        length = response.headers.get("Content-Length")
        size = start + int(length) if length else None
        if size is not None and size > most_bytes:
            raise _too_large(url, most_bytes, part)
        bar = tqdm(
            total=size, initial=start, unit="B", unit_scale=True,
            desc=url.rpartition("/")[2], leave=False, disable=not progress,
        )  # fmt: skip
        with _opened(part, append=goes_on) as file, bar:
            for chunk in _in_time(response):
                start += len(chunk)
                if start > most_bytes:
                    raise _too_large(url, most_bytes, part)
                os.write(file, chunk)
                bar.update(len(chunk))


@contextmanager
def _answer(url: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
    """The answer to a request, redirected between the hosts that are allowed alone."""
    asked, at = urlsplit(url), url
    for _ in range(REDIRECTS + 1):
        with httpx.stream("GET", at, headers=headers, timeout=TIMEOUT, follow_redirects=False) as response:
            if response.next_request is None:
                yield response
                return
            there = response.next_request.url
        same = (there.scheme, there.netloc.decode()) == (asked.scheme, asked.netloc)
        if not same and (there.scheme != "https" or there.host not in HOSTS):
            raise UserError(f"{url} redirects to {there.scheme}://{there.host}, which is not allowed")
        at = str(there)
    raise UserError(f"{url} redirects more than {REDIRECTS} times")


def _in_time(response: httpx.Response) -> Iterator[bytes]:
    """The content as it arrives, as long as some of it arrives in every ``TIMEOUT`` seconds."""
    since, arrived = time.monotonic(), 0
    for chunk in response.iter_raw():
        arrived += len(chunk)
        if (now := time.monotonic()) - since > TIMEOUT:
            if arrived < LEAST:
                raise httpx.ReadTimeout(f"{arrived} bytes in {now - since:.0f} s")
            since, arrived = now, 0
        yield chunk


@contextmanager
def _opened(part: Path, *, append: bool) -> Iterator[int]:
    """The partial file; what is a link by now is an error."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | (os.O_APPEND if append else os.O_TRUNC)
    file = os.open(part, flags, 0o666)
    try:
        yield file
    finally:
        os.close(file)


def _too_large(url: str, most_bytes: int, part: Path) -> UserError:
    part.unlink(missing_ok=True)
    return UserError(f"{url} is larger than the declared {most_bytes / 2**20:g} MiB")


def git_blob_sha1(path: Path) -> str:
    """The SHA-1 of the content of a file as a git blob."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: digest).hexdigest()
