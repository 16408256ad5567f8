"""The verifier takes the tar of an evidence bundle as it came, and nothing that only looks like one."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from clients import verifier
from tests.audit_kit import Log, leaves

if TYPE_CHECKING:
    from pathlib import Path


def packed(tmp_path: Path, **more: bytes) -> Path:
    """A bundle of two entries, and what else is given, as a tar file."""
    made = Log(leaves(300)).export(tmp_path / "log", proven=(3, 299))
    file = tmp_path / "bundle.tar"
    with tarfile.open(file, "w") as tar:
        for path in sorted(made.rglob("*")):
            if path.is_file() and "tile" not in path.parts:
                tar.add(path, path.relative_to(made).as_posix())
        for name, data in more.items():
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return file


def test_a_tar_is_checked_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verifier.main([str(packed(tmp_path))]) == 0
    assert "Proven by themselves: 3, 299." in capsys.readouterr().out


@pytest.mark.parametrize("name", ["__etc__passwd", "entries__..__x.json", "vkeys.txt", "entries__x.json"])
def test_a_member_of_another_name_is_refused(tmp_path: Path, name: str) -> None:
    with (
        pytest.raises(verifier.DoesNotHold, match="not of an evidence bundle"),
        verifier.opened(packed(tmp_path, **{name: b"{}"})),
    ):
        pass


def test_a_link_and_a_giant_are_refused(tmp_path: Path) -> None:
    giant, link = tarfile.TarInfo("vkeys"), tarfile.TarInfo("checkpoint")
    giant.size = (1 << 20) + 1
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    for number, (member, data) in enumerate(((giant, bytes(giant.size)), (link, b""))):
        file = tmp_path / f"{number}.tar"
        with tarfile.open(file, "w") as tar:
            tar.addfile(member, io.BytesIO(data))
        with pytest.raises(verifier.DoesNotHold, match="not of an evidence bundle"), verifier.opened(file):
            pass


def test_what_would_fill_a_disk_is_refused(tmp_path: Path) -> None:
    """More members than any bundle has, and one that says that it is larger than what is there of it."""
    with verifier.opened(packed(tmp_path), most=6):
        pass
    sparse = tarfile.TarInfo("entries/1.json")
    sparse.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(sparse.tobuf(tarfile.GNU_FORMAT))
    header[483:495] = b"%011o\0" % (1 << 20)
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + 8 * 32 + sum(header[156:]))
    (tmp_path / "sparse.tar").write_bytes(bytes(header) + bytes(1024))
    for name, most in (("bundle.tar", 5), ("sparse.tar", 6)):
        with (
            pytest.raises(verifier.DoesNotHold, match="not of an evidence bundle"),
            verifier.opened(tmp_path / name, most=most),
        ):
            pass


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize("size", [10, -512])
def test_headers_that_make_no_sense_are_no_bundle(tmp_path: Path, kind: bytes, size: int) -> None:
    """Headers about headers, deeper than Python goes, and such as are less than nothing long."""
    odd = tarfile.TarInfo("vkeys")
    odd.type, odd.size = kind, size
    (tmp_path / "odd.tar").write_bytes((odd.tobuf(tarfile.GNU_FORMAT) + b"10 a=bcde\n".ljust(512, b"\0")) * 2_000)
    with pytest.raises(verifier.DoesNotHold, match="is not a tar file"), verifier.opened(tmp_path / "odd.tar"):
        pass


def test_what_broke_off_is_no_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = packed(tmp_path).read_bytes()
    for size in (0, 100, 700, len(whole) // 2, len(whole) // 2 + 100):
        (tmp_path / "cut.tar").write_bytes(whole[:size])
        assert verifier.main([str(tmp_path / "cut.tar")]) == 1
    assert capsys.readouterr().err.count("It does not hold.") == 5
