"""Fetching one file over HTTP from a local server: resumed, checked, whole or absent."""

import pytest
from support.file_server import blob_sha1

from clbench.core.errors import UserError
from clbench.data.download import transfer
from clbench.data.download.transfer import download, git_blob_sha1

CONTENT = bytes(range(256)) * 4000
SHA1 = blob_sha1(CONTENT)
MOST = 2 * len(CONTENT)


def test_a_file_is_fetched_once(server, tmp_path):
    server.files["/x"] = CONTENT
    for _ in range(2):
        download(f"{server.url}/x", tmp_path / "x", SHA1, most_bytes=MOST)
    assert (tmp_path / "x").read_bytes() == CONTENT
    assert server.asked == [None]
    assert git_blob_sha1(tmp_path / "x") == SHA1


def test_a_transfer_that_is_cut_off_is_taken_up_where_it_ended(server, tmp_path):
    server.files["/x"] = CONTENT
    server.cut = [300_000, 200_000]
    download(f"{server.url}/x", tmp_path / "x", SHA1, most_bytes=MOST)
    assert (tmp_path / "x").read_bytes() == CONTENT
    starts = [int(asked.removeprefix("bytes=").rstrip("-")) for asked in server.asked[1:]]
    assert 0 < starts[0] <= 300_000
    assert starts[0] < starts[1] <= 500_000


def test_a_second_call_goes_on(server, tmp_path):
    server.files["/x"] = CONTENT
    server.cut = [100_000] * transfer.ATTEMPTS
    with pytest.raises(UserError, match="again to resume"):
        download(f"{server.url}/x", tmp_path / "x", SHA1, most_bytes=MOST)
    assert not (tmp_path / "x").exists()
    download(f"{server.url}/x", tmp_path / "x", SHA1, most_bytes=MOST)
    assert (tmp_path / "x").read_bytes() == CONTENT
    assert server.asked[-1] is not None


def test_a_server_without_ranges_is_read_from_the_start(server, tmp_path):
    server.files["/x"] = CONTENT
    server.ranges = False
    server.cut = [100_000]
    download(f"{server.url}/x", tmp_path / "x", SHA1, most_bytes=MOST)
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_a_part_that_is_whole_already_is_taken(server, tmp_path):
    server.files["/x"] = CONTENT
    (tmp_path / ".x.part").write_bytes(CONTENT)
    download(f"{server.url}/x", tmp_path / "x", SHA1, most_bytes=MOST)
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_another_file_is_refused_and_not_kept(server, tmp_path):
    server.files["/x"] = CONTENT + b"!"
    with pytest.raises(UserError, match=f"should be {SHA1}"):
        download(f"{server.url}/x", tmp_path / "x", SHA1, most_bytes=MOST)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_there_is_named(server, tmp_path):
    with pytest.raises(UserError, match="/none: the server answers 404"):
        download(f"{server.url}/none", tmp_path / "x", SHA1, most_bytes=MOST)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("declared", [True, False])
def test_a_file_larger_than_declared_is_refused_and_not_kept(declared, server, tmp_path):
    server.files["/x"] = CONTENT
    server.declares_length = declared
    with pytest.raises(UserError, match=r"/x is larger than the declared 0\.5 MiB"):
        download(f"{server.url}/x", tmp_path / "x", SHA1, most_bytes=2**19)
    assert list(tmp_path.iterdir()) == []


def test_a_redirect_on_the_same_host_is_followed(server, tmp_path):
    server.files["/x"] = CONTENT
    server.redirects = {"/old": "/x", "/older": f"{server.url}/old"}
    download(f"{server.url}/older", tmp_path / "x", SHA1, most_bytes=MOST)
    assert (tmp_path / "x").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "place",
    [
        "http://localhost:{port}/x",
        "http://127.0.0.1:1/x",
        "https://raw.githubusercontent.com.evil.org/x",
        "http://raw.githubusercontent.com/x",
        "file:///etc/passwd",
    ],
)
def test_a_redirect_to_another_host_is_refused(place, server, tmp_path):
    server.files["/x"] = CONTENT
    server.redirects = {"/old": place.format(port=server.url.rpartition(":")[2])}
    with pytest.raises(UserError, match="which is not allowed"):
        download(f"{server.url}/old", tmp_path / "x", SHA1, most_bytes=MOST)
    assert server.asked == [None]
    assert list(tmp_path.iterdir()) == []


def test_redirects_in_a_circle_end(server, tmp_path):
    server.redirects = {"/a": "/b", "/b": "/a"}
    with pytest.raises(UserError, match="redirects more than"):
        download(f"{server.url}/a", tmp_path / "x", SHA1, most_bytes=MOST)


def test_a_server_that_sends_next_to_nothing_is_given_up(server, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "TIMEOUT", 0.5)
    server.files["/x"] = CONTENT
    server.drips = True
    with pytest.raises(UserError, match="again to resume"):
        download(f"{server.url}/x", tmp_path / "x", SHA1, most_bytes=MOST)


@pytest.mark.parametrize("name", ["x", ".x.part"])
def test_links_in_the_place_of_a_download_are_not_followed(name, server, tmp_path):
    server.files["/x"] = CONTENT
    (tmp_path / "other").write_bytes(CONTENT[:1000])
    (tmp_path / name).symlink_to("other")
    download(f"{server.url}/x", tmp_path / "x", SHA1, most_bytes=MOST)
    assert (tmp_path / "other").read_bytes() == CONTENT[:1000]
    assert (tmp_path / "x").read_bytes() == CONTENT
    assert not (tmp_path / "x").is_symlink()
