"""Known submissions that git cannot hold: archives, links, queues, files that are too large.

They are made from the reference's kernel when they are needed.
"""
from __future__ import annotations

import io
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from litter import is_litter
from products import ROOT
from solutions import SOLUTIONS, Solution

HandIn = Callable[[Path], str]  # writes a submission to a folder; returns its name for the grader
TOP = "student-4711/"


def reference_files() -> Iterator[tuple[str, bytes]]:
    """Yields the reference's kernel files."""
    for file in sorted((ROOT / "kernel").rglob("*")):
        if file.suffix in (".c", ".h", ".S") and not is_litter(file.relative_to(ROOT)):
            yield str(file.relative_to(ROOT)), file.read_bytes()


def plain_folder(to: Path) -> Path:
    """Writes the reference as a folder."""
    for name, content in reference_files():
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        (to / name).write_bytes(content)
    return to


def with_tar(
    suffix: str, more: Sequence[tuple[tarfile.TarInfo, bytes]] = (), top: str = TOP
) -> HandIn:
    """Returns how to hand in the reference as a tar archive with further members."""

    def hand_in(to: Path) -> str:
        path = to.with_name(f"submission.{suffix}")
        mode = {"tar": "w", "tar.gz": "w:gz", "tar.xz": "w:xz"}[suffix]
        with tarfile.open(str(path), mode) as archive:
            for name, content in reference_files():
                member = tarfile.TarInfo(top + name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            for member, content in more:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return str(path)

    return hand_in


def tar_member(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    """Returns a member of a tar archive; the content of a file says that it has escaped."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member, b"escaped\n" if kind == tarfile.REGTYPE else b""


def with_zip(more: dict[str, bytes], top: str = TOP) -> HandIn:
    """Returns how to hand in the reference as a zip archive with further members."""

    def hand_in(to: Path) -> str:
        path = to.with_name("submission.zip")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in reference_files():
                archive.writestr(top + name, content)
            for name, content in more.items():
                archive.writestr(name, content)
        return str(path)

    return hand_in


def with_folder(change: Callable[[Path], None]) -> HandIn:
    """Returns how to hand in the reference as a folder with something changed."""

    def hand_in(to: Path) -> str:
        change(plain_folder(to))
        return str(to)

    return hand_in


def link_file(tree: Path) -> None:
    """kernel/vm/cow.c is a link to a file of the machine."""
    (tree / "kernel/vm/cow.c").unlink()
    (tree / "kernel/vm/cow.c").symlink_to("/etc/passwd")


def link_folder(tree: Path) -> None:
    """kernel/vm is a link to the reference's."""
    shutil.rmtree(tree / "kernel/vm")
    (tree / "kernel/vm").symlink_to(ROOT / "kernel/vm")


def link_circle(tree: Path) -> None:
    """A folder contains itself."""
    (tree / "kernel/vm/again").symlink_to("..")


def litter(tree: Path) -> None:
    """Editors and file managers have left files, and a lock, which is a dangling link."""
    for name in ("._cow.c", ".cow.c.swp", "cow.c~", "#cow.c#", ".DS_Store", ".cow.h", ".old/cow.c"):
        (tree / "kernel/vm" / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / "kernel/vm" / name).write_bytes(b"\0\5\26\7")
    (tree / "kernel/vm/.#cow.c").symlink_to("student@home.4711:1700000000")


def litter_alone(to: Path) -> str:
    """A folder with nothing else in it."""
    litter(to)
    return str(to)


def queue_file(tree: Path) -> None:
    """kernel/vm/cow.c is a queue to which no process writes."""
    (tree / "kernel/vm/cow.c").unlink()
    os.mkfifo(tree / "kernel/vm/cow.c")


def huge_file(tree: Path) -> None:
    """A file of 4 GiB without contents."""
    with (tree / "kernel/vm/huge.c").open("wb") as file:
        file.truncate(4 << 30)


def many_files(tree: Path) -> None:
    """Ten thousand headers."""
    for i in range(10000):
        (tree / f"kernel/vm/h{i}.h").touch()


def neighbour_reader(to: Path) -> str:
    """A part of the kernel includes another student's submission, whose path is known."""
    neighbour = plain_folder(to.with_name("neighbour")) / "kernel/vm/cow.c"
    file = plain_folder(to) / "kernel/vm/cow.c"
    text = file.read_text(encoding="utf-8")
    include = f'__asm__(".incbin \\"{neighbour}\\"");'
    file.write_text(f"{text}\n{include}\n", encoding="utf-8")
    return str(to)


def nothing(to: Path) -> str:
    """An empty folder."""
    to.mkdir()
    return str(to)


def not_an_archive(to: Path) -> str:
    """A text with the name of an archive."""
    path = to.with_name("submission.tar.gz")
    path.write_text("It worked on my machine.\n", encoding="utf-8")
    return str(path)


# By name: how it is handed in, and what the refusal says ("": it is graded, and right).
ODD_SUBMISSIONS: dict[str, tuple[HandIn, str]] = {
    "right/handed_in_as_tar": (with_tar("tar", top=""), ""),
    "right/handed_in_as_tar_gz": (with_tar("tar.gz"), ""),
    "right/handed_in_as_tar_xz": (with_tar("tar.xz", top="./"), ""),
    "right/handed_in_as_zip": (
        with_zip({f"__MACOSX/{TOP}kernel/vm/._cow.c": b"\0\5\26\7"}), "",
    ),
    "right/full_of_litter": (with_folder(litter), ""),
    "right/link_in_a_circle": (with_folder(link_circle), ""),
    "wrong/reads_another_submission": (neighbour_reader, "file not found"),
    "wrong/nothing_handed_in": (nothing, "kernel"),
    "wrong/nothing_but_litter": (litter_alone, "no folder kernel/"),
    "wrong/no_archive": (not_an_archive, "submission.tar.gz"),
    "wrong/link_to_a_file": (with_folder(link_file), "cow.c"),
    "wrong/link_to_the_answer": (with_folder(link_folder), "kernel/vm/"),
    "wrong/queue_instead_of_file": (with_folder(queue_file), "cow.c"),
    "wrong/huge_file": (with_folder(huge_file), "huge.c"),
    "wrong/many_files": (with_folder(many_files), "files"),
    "wrong/tar_path_upwards": (
        with_tar("tar", [tar_member(f"{TOP}../../../escaped.c")]), "escaped.c",
    ),
    "wrong/tar_absolute_path": (with_tar("tar", [tar_member("/tmp/escaped.c")]), "escaped.c"),
    "wrong/tar_through_link": (
        with_tar("tar", [
            tar_member(f"{TOP}kernel/out", tarfile.SYMTYPE, "../../.."),
            tar_member(f"{TOP}kernel/out/escaped.c"),
        ]),
        "kernel/out",
    ),
    "wrong/tar_hard_link": (
        with_tar("tar", [tar_member(f"{TOP}kernel/vm/zz.c", tarfile.LNKTYPE, "/etc/passwd")]),
        "zz.c",
    ),
    "wrong/tar_device": (
        with_tar("tar.gz", [tar_member(f"{TOP}kernel/vm/zz.c", tarfile.CHRTYPE)]), "zz.c",
    ),
    "wrong/zip_path_upwards": (
        with_zip({f"{TOP}../../../escaped.c": b"escaped\n"}), "escaped.c",
    ),
    "wrong/zip_bomb": (with_zip({f"{TOP}kernel/vm/zeroes.c": bytes(256 << 20)}), "zeroes.c"),
}


def odd_solutions() -> Iterator[tuple[Solution, HandIn]]:
    """Yields these submissions as solutions."""
    for name, (hand_in, refused) in ODD_SUBMISSIONS.items():
        yield Solution(name, SOLUTIONS, "made when it is needed", refused=refused), hand_in
