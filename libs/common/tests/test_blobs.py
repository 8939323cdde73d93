"""The local blob store: whole or absent, and nothing outside its folder."""

import tempfile
from pathlib import Path

import pytest

from common.blobs import BadBlobKey, BlobMissing, LocalBlobs, asset_key, exists, open_blobs, put_file, take_file


@pytest.fixture
def store(tmp_path):
    return LocalBlobs(tmp_path / "blobs")


async def test_what_is_put_is_read_back_whole_and_in_parts(store, tmp_path):
    data = bytes(range(256)) * 4096
    await store.put_bytes("snapshots/one", data)
    source = tmp_path / "source"
    source.write_bytes(data)
    await put_file(store, "uploads/two", source)
    for key in ("snapshots/one", "uploads/two"):
        assert await store.get_bytes(key) == data
        assert b"".join([part async for part in store.stream(key, 100, 700_000)]) == data[100:700_000]
        assert await store.size(key) == len(data)
    assert await store.list_keys("uploads") == ["uploads/two"]


async def test_files_are_taken_over_and_take_the_place_of_those_before(store, tmp_path):
    for number in range(2):
        sources = {}
        for name in ("three", "four"):
            sources[f"uploads/{name}"] = tmp_path / name
            (tmp_path / name).write_bytes(f"{name} {number}".encode())
        await store.take_files(sources)
        assert not any(source.exists() for source in sources.values())
    assert await store.get_bytes("uploads/three") == b"three 1"
    assert sorted(path.name for path in (tmp_path / "blobs/uploads").iterdir()) == ["four", "three"]


async def test_a_file_of_another_disk_is_copied(store, tmp_path):
    here = tmp_path / "here"
    here.write_bytes(b"here")
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as other:
        other.write(b"other")
        other.flush()
        await store.take_files({"uploads/there": Path(other.name), "uploads/here": here})
        await take_file(store, "uploads/again", Path(other.name))
    assert [await store.get_bytes(f"uploads/{name}") for name in ("there", "again", "here")] == [
        b"other",
        b"other",
        b"here",
    ]


async def test_the_sizes_of_many_are_asked_at_once(store):
    await store.put_bytes("assets/aa/one", b"1")
    await store.put_bytes("assets/bb/four", b"1234")
    keys = ["assets/aa/one", "assets/aa/none", "assets/bb/four"]
    assert await store.sizes(keys) == [1, None, 4]
    assert await store.sizes([]) == []


async def test_a_missing_blob_is_said_so(store):
    with pytest.raises(BlobMissing):
        await store.get_bytes("assets/aa/aaaa")
    with pytest.raises(BlobMissing):
        _ = [part async for part in store.stream("assets/aa/aaaa")]
    assert not await exists(store, "assets/aa/aaaa")
    await store.delete("assets/aa/aaaa")


@pytest.mark.parametrize("key", ["../x", "/etc/passwd", "assets/../../x", "assets", "assets/a\0b", "Assets/x", ""])
async def test_no_key_leads_out_of_the_store(store, key):
    with pytest.raises(BadBlobKey):
        await store.put_bytes(key, b"")


async def test_a_failed_put_leaves_nothing(store, tmp_path):
    with pytest.raises(FileNotFoundError):
        await store.put_files({"uploads/a": tmp_path / "missing"})
    assert await store.list_keys("uploads") == []
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []


def test_addresses(tmp_path):
    assert asset_key("abcd") == "assets/ab/abcd"
    assert isinstance(open_blobs(tmp_path.as_uri()), LocalBlobs)
    with pytest.raises(ValueError, match="file:// or s3://"):
        open_blobs("ftp://x")
