"""Unpacks archives safely: nothing leaves the folder, links and special files are left out (and
refused where kernel files belong), and every size has a limit."""
from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

from grader.display import display_name
from grader.errors import SubmissionError, blame
from litter import is_litter

NAME_BYTES, PATH_BYTES = 255, 1000
HEADER_BYTES = 1 << 20  # of an archive between two members
PIECE = 1 << 16
SPECIAL = "device, pipe or other special file"
DECOMPRESSORS: Sequence[tuple[bytes, Callable[..., object]]] = (
    (b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open)
)
DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError,
    OSError, ValueError, NotImplementedError, RuntimeError, KeyError, IndexError,
)


@dataclass(frozen=True)
class Sizes:
    """How large a submission may be: the allowed files, each of them, all together; then the
    archive that they come in."""

    files: int = 2000
    file_bytes: int = 1 << 20
    total_bytes: int = 16 << 20
    archive_bytes: int = 100 << 20
    archive_files: int = 20000
    unpacked_bytes: int = 1 << 30
    depth: int = 24
    seconds: float = 120.0  # for git


class _Unpacker:
    """Writes an archive's members into an empty folder, within limits."""

    def __init__(self, folder: Path, sizes: Sizes) -> None:
        self.folder, self.sizes = folder, sizes
        self.files = self.bytes = 0

    def takes(self, name: str, size: int) -> Path | None:
        """Returns where a file goes; None if it is left out."""
        path = self.safe_path(name)
        if path is None:
            return None
        self.files += 1
        self.bytes += size
        if self.files > self.sizes.archive_files:
            raise SubmissionError(f"the archive holds more than {self.sizes.archive_files} files")
        if self.bytes > self.sizes.unpacked_bytes:
            raise SubmissionError(
                f"the archive's files have more than {self.sizes.unpacked_bytes >> 20} MiB"
            )
        return path

    def safe_path(self, name: str) -> Path | None:
        """Returns where a member of this name goes; None if it is left out;
        SubmissionError if it would leave the folder."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        is_absolute = name.startswith("/") or re.match(r"[A-Za-z]:[\\/]", name)
        if is_absolute or ".." in parts or "\0" in name:
            raise SubmissionError(
                f"the archive has the path {display_name(name)!r}, which leads out of it"
            )
        if not parts or is_litter("/".join(parts)):
            return None
        longest = max(len(os.fsencode(part)) for part in parts)
        too_long = longest > NAME_BYTES or len(os.fsencode(name)) > PATH_BYTES
        if len(parts) > self.sizes.depth or too_long:
            raise SubmissionError(
                f"the archive has a path that is too long or too deep: {display_name(name)}"
            )
        return self.folder.joinpath(*parts)

    def special(self, name: str, kind: str) -> None:
        """Leaves out a link or a special file; SubmissionError where kernel sources belong."""
        path = self.safe_path(name)
        if path is not None and "kernel" in path.relative_to(self.folder).parts:
            raise SubmissionError(
                f"{display_name(name)} is a {kind}: only files and folders can be handed in"
            )

    def write(self, path: Path, data: BinaryIO, size: int) -> None:
        """Writes a file of this size, as the archive declares it."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                path.unlink()  # archives may hold a file twice: the last one counts
            output = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        except (FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError):
            raise SubmissionError(
                f"the archive has {display_name(path.name)} both as a file and as a folder"
            ) from None
        except OSError as error:
            raise blame(error, "the submission cannot be unpacked") from None
        with os.fdopen(output, "wb") as file:
            # A hole instead, which `collect` finds too large if it is wanted.
            if size > self.sizes.file_bytes:
                os.ftruncate(output, self.sizes.file_bytes + 1)
                return
            while size > 0:
                piece = data.read(min(PIECE, size))
                if not piece:
                    raise EOFError(f"it ends within {display_name(path.name)}")
                size -= len(piece)
                _store(file, piece)
            if data.read(1):
                raise ValueError(f"{display_name(path.name)} is longer than the archive says")


def _store(file: IO[bytes], piece: bytes) -> None:
    """Writes; if that fails, the archive is not to blame."""
    try:
        file.write(piece)
        file.flush()
    except OSError as error:
        raise blame(error, "the submission cannot be unpacked") from None


def unpack(archive: Path, name: str, folder: Path, sizes: Sizes) -> None:
    """Unpacks a tar (also gz, bz2, xz) or zip archive into an empty folder; messages call it by the
    name."""
    unpacker, shown = _Unpacker(folder, sizes), display_name(name)
    try:
        size = archive.stat().st_size
        if size > sizes.archive_bytes:
            raise SubmissionError(
                f"{shown} has {size >> 20} MiB; {sizes.archive_bytes >> 20} are allowed"
            )
        with archive.open("rb") as file:
            magic = file.read(8)
            file.seek(0)
            if magic.startswith(b"PK"):
                _unpack_zip(file, unpacker)
            else:
                opener = next(
                    (opener for start, opener in DECOMPRESSORS if magic.startswith(start)), None
                )
                _unpack_tar(cast(BinaryIO, opener(file, "rb")) if opener else file, unpacker)
    except DAMAGE as error:
        raise blame(
            error, f"{shown} is damaged, or not a tar (.gz, .bz2, .xz) or zip archive"
        ) from None


class _Measured:
    """A stream that raises SubmissionError when more is read than allowed: in all, or between two
    members."""

    def __init__(self, stream: BinaryIO, most: int) -> None:
        self.stream, self.left, self.step_left = stream, most, HEADER_BYTES

    def expect(self, size: int) -> None:
        """Allows for a member of this many bytes."""
        self.step_left = size + HEADER_BYTES

    def read(self, size: int = -1) -> bytes:
        """Reads."""
        data = self.stream.read(size)
        self.left -= len(data)
        self.step_left -= len(data)
        if self.left < 0 or self.step_left < 0:
            raise SubmissionError("the archive unpacks to far more than a source tree needs")
        return data


def _unpack_tar(stream: BinaryIO, unpacker: _Unpacker) -> None:
    """Unpacks a tar archive."""
    measured = _Measured(stream, unpacker.sizes.unpacked_bytes)
    count = 0
    with tarfile.open(fileobj=cast(BinaryIO, measured), mode="r|", errors="surrogateescape") as tar:
        for member in tar:
            count += 1
            if count > 5 * unpacker.sizes.archive_files:
                raise SubmissionError(f"the archive has more than {count - 1} members")
            measured.expect(member.size)
            tar.members = []  # type: ignore[attr-defined]  # they would pile up
            if member.isdir():
                continue
            if not member.isreg():
                unpacker.special(
                    member.name, "link" if member.issym() or member.islnk() else SPECIAL
                )
                continue
            path = unpacker.takes(member.name, member.size)
            data = tar.extractfile(member) if path is not None else None
            if path is not None and data is not None:
                unpacker.write(path, cast(BinaryIO, data), member.size)


def _unpack_zip(file: BinaryIO, unpacker: _Unpacker) -> None:
    """Unpacks a zip archive."""
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if len(members) > 5 * unpacker.sizes.archive_files:
            raise SubmissionError(
                f"the archive has more than {5 * unpacker.sizes.archive_files} members"
            )
        for member in members:
            name = member.filename.replace("\\", "/")
            mode = member.external_attr >> 16
            if name.endswith("/") or stat.S_ISDIR(mode):
                continue
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                unpacker.special(name, "link" if stat.S_ISLNK(mode) else "special file")
                continue
            if member.flag_bits & 1:
                raise SubmissionError("the zip archive is encrypted: hand it in without a password")
            path = unpacker.takes(name, member.file_size)
            if path is not None:
                with archive.open(member) as data:
                    unpacker.write(path, cast(BinaryIO, data), member.file_size)
