"""What was handed in: fetched, unpacked safely, and reduced to the files that a student may change.

Nothing of a submission is ever executed or followed here: links and special files are left out
(refused where kernel files stand), and so is what editors and file managers leave behind, links or
not (tools/litter.py). git works in a repository of its own without hooks, filters, submodules,
helpers and questions. Every size has a limit.
"""
from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import shutil
import signal
import stat
import struct
import subprocess
import tarfile
import tempfile
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO, Callable, Iterator, List, Optional, Pattern, Sequence, Tuple, cast

from grader.errors import InfraError, SubmissionError
from litter import is_litter


@dataclass(frozen=True)
class Sizes:
    """How large a submission may be: the allowed files together and each, then what they come in."""

    files: int = 2000
    file_bytes: int = 1 << 20
    total_bytes: int = 16 << 20
    archive_bytes: int = 100 << 20
    archive_files: int = 20000
    unpacked_bytes: int = 1 << 30
    depth: int = 24
    seconds: float = 120.0  # for git


@dataclass
class Collected:
    """The allowed files, relative to the folder they were copied to, and what was left out.

    Of the latter folders end in /; copies are allowed files beside the one they were copied from.
    """

    root: Path
    files: List[str] = field(default_factory=list)
    ignored: List[str] = field(default_factory=list)
    copies: List[str] = field(default_factory=list)


SOURCE_KINDS = (".c", ".h", ".S", ".s", ".ld")
NO_SOURCE = re.compile(r"[^\w./+-]")  # characters that the path of a source cannot have
BARE_LAYERS = ("mem", "vm")  # where they are, the folder is kernel/
ROOT_DEPTH = 6  # how deep in a submission the tree may be
WALK_MOST = 200_000  # entries of a directory that are looked at
NAME_BYTES, PATH_BYTES = 255, 1000
HEADER_BYTES = 1 << 20  # of an archive between two members
PIECE = 1 << 16
DECOMPRESSORS: Sequence[Tuple[bytes, Callable[..., object]]] = (
    (b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open)
)
DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError,
    NotImplementedError, RuntimeError, MemoryError, KeyError, IndexError,
)
URL = re.compile(
    r"(?P<url>(?:https?|ssh|git|file)://[^/]*/[^@]*|[\w.-]+@[\w.-]+:[^@]+)(?:@(?P<revision>.+))?", re.DOTALL
)
GIT_OPTIONS = {
    "core.hooksPath": os.devnull, "core.fsmonitor": "false", "credential.helper": "", "submodule.recurse": "false",
    "safe.directory": "*", "protocol.ext.allow": "never", "fetch.recurseSubmodules": "false", "gc.auto": "0",
    "maintenance.auto": "false",
}
GIT_PROTOCOLS = "https:http:ssh:git:file"
OWN_FAULT = re.compile(r"couldn't find remote ref|signal 25|[Ff]ile too large|[Ff]ile size limit")


def fetch(source: str, work: Path, sizes: Sizes = Sizes()) -> Path:
    """Brings a directory, an archive, a git URL or path@revision into the folder `work`;
    returns the tree's root, which has kernel/ or is it.

    A directory is used where it is. SubmissionError names what is wrong with the submission.
    """
    work.mkdir(parents=True, exist_ok=True)
    unpacked = work / "unpacked"
    path = Path(source)
    if path.is_dir():
        return find_root(path, source)
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir()
    if path.is_file():
        unpack(path, unpacked, sizes)
        return find_root(unpacked, source)
    place, _, revision = source.rpartition("@")
    match = URL.fullmatch(source)
    if match:
        unpack_git(match.group("url"), match.group("revision"), work, unpacked, sizes)
    elif place and Path(place).is_dir():
        unpack_git(str(Path(place).absolute()), revision, work, unpacked, sizes)
    else:
        raise SubmissionError(f"{source} is no directory, archive, git URL or git repository with @revision")
    return find_root(unpacked, source)


def find_root(folder: Path, source: str) -> Path:
    """Returns the outermost folder that has kernel/ with sources in it, or is kernel/ itself;
    SubmissionError if there is none, or no single one."""
    level = [folder]
    for _ in range(ROOT_DEPTH):
        found = [place for place in level if has_sources(place / "kernel")]
        found = [place for place in found if (place / "kernel/main.c").is_file()] or found
        found = found or [place for place in level if is_bare_kernel(place)]
        if len(found) > 1:
            names = ", ".join(str(place.relative_to(folder)) for place in sorted(found)[:5])
            raise SubmissionError(f"{source} holds several trees ({names}): hand in one")
        if found:
            return found[0]
        level = [entry for place in level for entry in subfolders(place)][:1000]
    raise SubmissionError(
        f"{source} holds no folder kernel/ with C files in it: hand in the tree, or its folder kernel/"
    )


def is_bare_kernel(folder: Path) -> bool:
    """Says whether a folder is not a tree, but the kernel/ of one, whatever its name."""
    if has_sources(folder / "kernel"):
        return False
    return all(has_sources(folder / layer) for layer in BARE_LAYERS)


def subfolders(folder: Path) -> List[Path]:
    """Returns the folders in a folder that are worth looking into."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [folder / name for name in sorted(names) if not is_litter(name)]


def has_sources(folder: Path) -> bool:
    """Says whether a folder, not reached through a link, has a source at most two levels down."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    places = [folder, *subfolders(folder)]
    names = [name for place in places if os.access(place, os.R_OK) for name in os.listdir(place)]
    return any(name.endswith(SOURCE_KINDS) and not is_litter(name) for name in names)


# ---- Archives ----


class _Unpacker:
    """Writes an archive's members into an empty folder, within limits."""

    def __init__(self, folder: Path, sizes: Sizes) -> None:
        self.folder, self.sizes = folder, sizes
        self.files = self.bytes = 0

    def takes(self, name: str, size: int) -> Optional[Path]:
        """Returns where a file goes; None if it is left out."""
        path = self.safe_path(name)
        if path is None:
            return None
        self.files += 1
        self.bytes += size
        if self.files > self.sizes.archive_files:
            raise SubmissionError(f"the archive holds more than {self.sizes.archive_files} files")
        if self.bytes > self.sizes.unpacked_bytes:
            raise SubmissionError(f"the archive's files have more than {self.sizes.unpacked_bytes >> 20} MiB")
        return path

    def safe_path(self, name: str) -> Optional[Path]:
        """Returns where a member of this name goes; None if it is left out;
        SubmissionError if it would leave the folder."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts or "\0" in name or re.match(r"[A-Za-z]:[\\/]", name):
            raise SubmissionError(f"the archive has the path {printable(name)!r}, which leads out of it")
        if not parts or is_litter("/".join(parts)):
            return None
        too_long = any(len(os.fsencode(part)) > NAME_BYTES for part in parts) or len(os.fsencode(name)) > PATH_BYTES
        if len(parts) > self.sizes.depth or too_long:
            raise SubmissionError(f"the archive has a path that is too long or too deep: {printable(name)[:80]}...")
        return self.folder.joinpath(*parts)

    def special(self, name: str, kind: str) -> None:
        """Leaves out a link or a special file; SubmissionError where a kernel's source stands."""
        path = self.safe_path(name)
        if path is not None and "kernel" in path.relative_to(self.folder).parts:
            raise SubmissionError(f"{printable(name)} is a {kind}: only files and folders can be handed in")

    def write(self, path: Path, data: BinaryIO, size: int) -> None:
        """Writes a file of this size, which the archive promised."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                path.unlink()  # archives may hold a file twice: the last one counts
            output = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        except (FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError):
            raise SubmissionError(f"the archive has {printable(path.name)} both as a file and as a folder") from None
        except OSError as error:
            raise InfraError(f"the submission cannot be unpacked: {error}") from None
        with os.fdopen(output, "wb") as file:
            if size > self.sizes.file_bytes:  # a hole instead, which `collect` finds too large if it is wanted
                os.ftruncate(output, self.sizes.file_bytes + 1)
                return
            while size > 0:
                piece = data.read(min(PIECE, size))
                if not piece:
                    raise EOFError(f"it ends within {printable(path.name)}")
                size -= len(piece)
                _store(file, piece)
            if data.read(1):
                raise ValueError(f"{printable(path.name)} is longer than the archive says")


def _store(file: IO[bytes], piece: bytes) -> None:
    """Writes; not being able to is no fault of the archive."""
    try:
        file.write(piece)
        file.flush()
    except OSError as error:
        raise InfraError(f"the submission cannot be unpacked: {error}") from None


def unpack(archive: Path, folder: Path, sizes: Sizes) -> None:
    """Unpacks a tar (also gz, bz2, xz) or zip archive into an empty folder."""
    size = archive.stat().st_size
    if size > sizes.archive_bytes:
        raise SubmissionError(f"{archive.name} has {size >> 20} MiB; {sizes.archive_bytes >> 20} are allowed")
    unpacker = _Unpacker(folder, sizes)
    try:
        with archive.open("rb") as file:
            magic = file.read(8)
            file.seek(0)
            if magic.startswith(b"PK"):
                _unpack_zip(file, unpacker)
            else:
                opener = next((opener for start, opener in DECOMPRESSORS if magic.startswith(start)), None)
                _unpack_tar(cast(BinaryIO, opener(file, "rb")) if opener else file, unpacker)
    except DAMAGE as error:
        kinds = "a tar (also .gz, .bz2, .xz) or zip archive"
        raise SubmissionError(f"{archive.name} is not {kinds}, or damaged: {error or type(error).__name__}") from None


class _Measured:
    """A stream that ends with SubmissionError when more is read than there may be: in all, and between two members."""

    def __init__(self, stream: BinaryIO, most: int) -> None:
        self.stream, self.left, self.step_left = stream, most, HEADER_BYTES

    def expect(self, size: int) -> None:
        """A member was found that has this many bytes."""
        self.step_left = size + HEADER_BYTES

    def read(self, size: int = -1) -> bytes:
        """Reads."""
        data = self.stream.read(size)
        self.left -= len(data)
        self.step_left -= len(data)
        if self.left < 0 or self.step_left < 0:
            raise SubmissionError("the archive unpacks to far more than a tree has")
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
                    member.name, "link" if member.issym() or member.islnk() else "device, pipe or other special file"
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
            raise SubmissionError(f"the archive has more than {5 * unpacker.sizes.archive_files} members")
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


# ---- git ----


def unpack_git(place: str, revision: Optional[str], work: Path, folder: Path, sizes: Sizes) -> None:
    """Unpacks a revision (the default branch's newest if None) of a repository, a URL or an absolute path,
    into an empty folder."""
    if revision is not None and (revision.startswith("-") or not re.fullmatch(r"[\w./~^@{}+-]+", revision)):
        raise SubmissionError(f"{printable(revision)} cannot be a revision")
    wanted = revision or "HEAD"
    with tempfile.TemporaryDirectory(prefix="git-", dir=work) as temporary:
        git = _Git(Path(temporary), sizes)
        git.run("init", "--quiet", "--bare", "--template=", "repository")
        fetched = git.run("-C", "repository", "fetch", "--quiet", "--depth=1", "--no-tags", place, wanted, refuse=False)
        name = "FETCH_HEAD"
        if fetched:
            everything = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
            if revision is not None:
                fetched = git.run("-C", "repository", "fetch", "--quiet", place, "HEAD", *everything, refuse=False)
            if fetched:
                raise _not_fetched(place, fetched)
            plain = not git.run(
                "-C", "repository", "rev-parse", "--quiet", "--verify", f"{wanted}^{{commit}}", refuse=False
            )
            name = (
                wanted if plain and wanted != "HEAD" and not wanted.startswith("HEAD")
                else wanted.replace("HEAD", "FETCH_HEAD", 1)
            )
        git.run("-C", "repository", "archive", "--format=tar", f"--output={temporary}/tree.tar", f"{name}^{{commit}}")
        unpack(Path(temporary, "tree.tar"), folder, sizes)


def _not_fetched(place: str, complaint: str) -> Exception:
    """Returns the error for a repository that was not to be had: from elsewhere that may be the network's fault, unless
    it is empty or too large."""
    if place.startswith(("/", "file:")) or OWN_FAULT.search(complaint):
        return SubmissionError(f"git cannot fetch {place}: {complaint}")
    return InfraError(f"git cannot fetch {place}; if the address is right try again later: {complaint}")


class _Git:
    """Runs git in a folder of its own, without any configuration but ours."""

    def __init__(self, folder: Path, sizes: Sizes) -> None:
        self.folder, self.sizes = folder, sizes
        settings = folder / "gitconfig"
        sections = [key.rpartition(".") + (value,) for key, value in GIT_OPTIONS.items()]
        settings.write_text("".join(
            f'[{section_header(section)}]\n\t{key} = "{value}"\n' for section, _, key, value in sections
        ))
        self.environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(folder), "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": str(settings), "GIT_ALLOW_PROTOCOL": GIT_PROTOCOLS,
            "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true", "SSH_ASKPASS": "true",
            "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oStrictHostKeyChecking=accept-new", "GIT_ATTR_NOSYSTEM": "1",
        }

    def run(self, *arguments: str, refuse: bool = True) -> str:
        """Runs git; returns "" or its complaint, which is raised as SubmissionError if `refuse`."""
        git = shutil.which("git")
        if git is None:
            raise InfraError("git was not found: run `make setup`")
        blocks = self.sizes.archive_bytes // 512 + 1
        command = ["/bin/sh", "-c", 'ulimit -f "$1" && shift && exec "$@"', "git", str(blocks), git, *arguments]
        process = subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, start_new_session=True,
        )
        errors, complaint = b"", ""
        try:
            _, errors = process.communicate(timeout=self.sizes.seconds)
        except subprocess.TimeoutExpired:
            complaint = f"no end after {self.sizes.seconds:g} s"
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
            process.wait()
        if process.returncode == 0:
            return ""
        lines = errors.decode(errors="replace").strip().splitlines()
        complaint = complaint or printable(" / ".join(lines[-3:])) or f"exit status {process.returncode}"
        if refuse:
            raise SubmissionError(f"git cannot fetch the submission: {complaint}")
        return complaint


def section_header(section: str) -> str:
    """Returns a section of git's configuration as its file has it: protocol.ext is `protocol "ext"`."""
    name, _, subsection = section.partition(".")
    return f'{name} "{subsection}"' if subsection else name


# ---- Allowed files ----


def collect(
    tree: Path, to: Path, allowed: Sequence[str], required: Sequence[str] = (), sizes: Sizes = Sizes()
) -> Collected:
    """Copies the files of the tree that one of the allowed globs matches to the folder `to`, which is made.

    In a glob, * and ? match within a name and **/ any number of folders. If the tree is kernel/
    alone, its files get their names below kernel/. SubmissionError if an allowed file is a link or
    too large, or a required one is missing.
    """
    patterns = [glob_pattern(glob) for glob in allowed]
    prefix = "kernel/" if is_bare_kernel(tree) else ""
    collected = Collected(to)
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    total = 0
    for name, kept_out in walk(tree, patterns, prefix):
        path = tree / name[len(prefix):]
        if kept_out:
            collected.ignored.append(printable(name))
            continue
        if is_copy(path):
            collected.copies.append(printable(name))
            continue
        data = read_plain(path, name, sizes.file_bytes)
        total += len(data)
        if total > sizes.total_bytes or len(collected.files) >= sizes.files:
            raise SubmissionError(
                f"the submission is too large: {sizes.files} files with {sizes.total_bytes >> 10} KiB together "
                "are allowed"
            )
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        (to / name).write_bytes(plain_text(data))
        collected.files.append(name)
    for name in required:
        if not (to / name).is_file():
            raise SubmissionError(f"the submission has no {name}")
    return collected


def is_copy(path: Path) -> bool:
    """Tells a copy that a file manager made: cow (1).c, cow - Copy.c or Copy of cow.c beside cow.c.

    No source can have such a name.
    """
    if not NO_SOURCE.search(path.name):
        return False
    words = NO_SOURCE.split(path.stem)
    return any(word and path.with_name(word + path.suffix).is_file() for word in words)


def glob_pattern(glob: str) -> Pattern[str]:
    """Returns what matches the paths that a glob means."""
    pieces = {"**/": r"(?:[^/]+/)*", "*": r"[^/]*", "?": r"[^/]"}
    return re.compile("".join(pieces.get(part) or re.escape(part) for part in re.split(r"(\*\*/|\*|\?)", glob)))


def walk(
    tree: Path, patterns: Sequence[Pattern[str]], prefix: str = ""
) -> Iterator[Tuple[str, bool]]:
    """Yields each path, behind the prefix, with whether it is left out: files, links too, in order;
    a folder of which all is left out once, with a /."""
    names = [0]

    def look(folder: str) -> Tuple[List[Tuple[str, bool]], bool]:
        found: List[Tuple[str, bool]] = []
        any_taken = False
        for entry in sorted(os.scandir(tree / folder[len(prefix):]), key=lambda entry: entry.name):
            name = f"{folder}{entry.name}"
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_litter(entry.name):
                found.append((name + "/" * is_folder, True))
                continue
            names[0] += 1
            if names[0] > WALK_MOST:
                raise SubmissionError(f"the submission has more than {WALK_MOST} files")
            if is_folder:
                below, taken = look(name + "/") if name.count("/") <= 50 else ([], False)
                found += below if taken else [(name + "/", True)]
            else:
                taken = any(pattern.fullmatch(name) for pattern in patterns)
                found.append((name, not taken))
            any_taken = any_taken or taken
        return found, any_taken

    try:
        yield from look(prefix)[0]
    except OSError as error:
        raise SubmissionError(f"the submission cannot be read: {error}") from None


def read_plain(path: Path, name: str, most: int) -> bytes:
    """Returns the bytes of a file; SubmissionError if it is none or too large."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        why = "is a link: hand in the file itself" if path.is_symlink() else f"cannot be read: {error.strerror}"
        raise SubmissionError(f"{printable(name)} {why}") from None
    with os.fdopen(file, "rb") as opened:
        state = os.fstat(file)
        if not stat.S_ISREG(state.st_mode):
            raise SubmissionError(f"{printable(name)} is not a plain file")
        data = opened.read(most + 1)
    if len(data) > most:
        raise SubmissionError(f"{printable(name)} has more than {most} bytes, which is the most allowed")
    return data


def plain_text(content: bytes) -> bytes:
    """Returns a source as the tools here want it: without byte-order mark and carriage returns, in UTF-8 if it is in
    UTF-16."""
    if content.startswith(b"\xef\xbb\xbf"):
        content = content[3:]
    elif content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        content = content.decode("utf-16", "replace").encode()
    return content.replace(b"\r\n", b"\n")


def printable(text: str) -> str:
    """Returns the text with what cannot be printed replaced."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
