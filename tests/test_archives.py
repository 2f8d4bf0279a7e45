"""Archives are unpacked whole or not at all; hostile ones leave nothing."""

import gzip
import io
import stat
import tarfile
import zipfile

import pytest

from tensorgrad.datasets.archives import unpack
from tests.data_files import tar_of, zip_of

FILES = {"a.txt": b"one\ntwo\n", "deep/er/b.txt": b"three\n" * 1000}


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tgz", "tar.bz2", "tar.xz", "zip"])
def test_an_archive_is_unpacked(tmp_path, ending):
    if ending == "zip":
        data = zip_of(FILES)
    else:
        kind = {"tar": "", "tgz": "gz"}.get(ending, ending.partition(".")[2])
        data = tar_of(FILES, mode=f"w:{kind}")
    (tmp_path / f"x.{ending}").write_bytes(data)
    unpack(tmp_path / f"x.{ending}", tmp_path / "x")
    for name, content in FILES.items():
        assert (tmp_path / "x" / name).read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x", f"x.{ending}"]
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "x").stat().st_mode == (tmp_path / "plain").stat().st_mode
    unpack(tmp_path / f"x.{ending}", tmp_path / "x")  # as another process might, meanwhile


def special(kind, name="link", target="/etc/passwd"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.type = kind
        info.linkname = target
        tar.addfile(info)
    return out.getvalue()


def zip_link():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return out.getvalue()


def claims(size):
    """A tar whose one member says that it is so large."""
    info = tarfile.TarInfo("a")
    info.size = size
    return gzip.compress(info.tobuf() + b"x" * 512)


HOSTILE = {
    "above.tar": (tar_of({"../../out.txt": b"x"}, mode="w"), "a place outside"),
    "above.zip": (zip_of({"a/../../out.txt": b"x"}), "a place outside"),
    "absolute.tar.gz": (tar_of({"/tmp/out.txt": b"x"}), "a place outside"),
    "drive.zip": (zip_of({"C:out.txt": b"x"}), "a place outside"),
    "windows.tar.gz": (tar_of({"..\\out.txt": b"x"}), "a place outside"),
    "symlink.tar.gz": (special(tarfile.SYMTYPE), "a link or device at 'link'"),
    "hardlink.tar.gz": (special(tarfile.LNKTYPE), "a link or device"),
    "device.tar.gz": (special(tarfile.CHRTYPE), "a link or device"),
    "fifo.tar.gz": (special(tarfile.FIFOTYPE), "a link or device"),
    "symlink.zip": (zip_link(), "a link or device"),
    "bomb.zip": (zip_of({"a": bytes(4 << 20)}), "more than 1048576 bytes"),
    "bomb.tar.gz": (tar_of({"a": bytes(4 << 20)}), "more than 1048576 bytes"),
    "claim.tar.gz": (claims(1 << 40), "more than 1048576 bytes"),
    "cut.tar.gz": (tar_of(FILES)[:-40], "an intact archive"),
    "cut.zip": (zip_of(FILES)[:-40], "an intact archive"),
    "short.tar": (tar_of(FILES, mode="w")[:1800], "an intact archive"),
    "text.zip": (b"no archive", "an intact archive"),
    "text.tar.gz": (b"no archive", "an intact archive"),
    "twice.tar": (tar_of({"a": b"x", "./a": b"y"}, mode="w"), "an intact archive"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_leaves_nothing(tmp_path, name):
    data, message = HOSTILE[name]
    folder = tmp_path / "in" / "side"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(data)
    with pytest.raises(ValueError, match=rf"^unpack: (?s:.*){message}(?s:.*) in .*{name}"):
        unpack(folder / name, folder / "x")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [name]
    assert not (folder / "x").exists()
