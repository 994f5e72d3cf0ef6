"""Fetching one file over HTTP from a local server: resumed, checked, whole or absent."""

import pytest
from support.file_server import blob_sha1

from clbench.core.errors import UserError
from clbench.data.download import transfer
from clbench.data.download.transfer import download, git_blob_sha1

CONTENT = bytes(range(256)) * 4000
SHA1 = blob_sha1(CONTENT)


def test_a_file_is_fetched_once(server, tmp_path):
    server.files["/x"] = CONTENT
    for _ in range(2):
        download(f"{server.url}/x", tmp_path / "x", SHA1)
    assert (tmp_path / "x").read_bytes() == CONTENT
    assert server.asked == [None]
    assert git_blob_sha1(tmp_path / "x") == SHA1


def test_a_transfer_that_is_cut_off_is_taken_up_where_it_ended(server, tmp_path):
    server.files["/x"] = CONTENT
    server.cut = [300_000, 200_000]
    download(f"{server.url}/x", tmp_path / "x", SHA1)
    assert (tmp_path / "x").read_bytes() == CONTENT
    starts = [int(asked.removeprefix("bytes=").rstrip("-")) for asked in server.asked[1:]]
    assert 0 < starts[0] <= 300_000
    assert starts[0] < starts[1] <= 500_000


def test_a_second_call_goes_on(server, tmp_path):
    server.files["/x"] = CONTENT
    server.cut = [100_000] * transfer.ATTEMPTS
    with pytest.raises(UserError, match="again to resume"):
        download(f"{server.url}/x", tmp_path / "x", SHA1)
    assert not (tmp_path / "x").exists()
    download(f"{server.url}/x", tmp_path / "x", SHA1)
    assert (tmp_path / "x").read_bytes() == CONTENT
    assert server.asked[-1] is not None


def test_a_server_without_ranges_is_read_from_the_start(server, tmp_path):
    server.files["/x"] = CONTENT
    server.ranges = False
    server.cut = [100_000]
    download(f"{server.url}/x", tmp_path / "x", SHA1)
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_a_part_that_is_whole_already_is_taken(server, tmp_path):
    server.files["/x"] = CONTENT
    (tmp_path / ".x.part").write_bytes(CONTENT)
    download(f"{server.url}/x", tmp_path / "x", SHA1)
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_another_file_is_refused_and_not_kept(server, tmp_path):
    server.files["/x"] = CONTENT + b"!"
    with pytest.raises(UserError, match=f"should be {SHA1}"):
        download(f"{server.url}/x", tmp_path / "x", SHA1)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_there_is_named(server, tmp_path):
    with pytest.raises(UserError, match="/none: the server answers 404"):
        download(f"{server.url}/none", tmp_path / "x", SHA1)
    assert list(tmp_path.iterdir()) == []
