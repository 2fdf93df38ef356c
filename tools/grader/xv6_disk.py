"""Makes the disk image for an xv6 kernel: with the tree's own mkfs, or with a writer of ours."""
from __future__ import annotations

import shutil
import struct
from collections.abc import Mapping
from pathlib import Path

from grader import xv6_image
from grader.errors import SubmissionError
from grader.folders import make_empty
from grader.sandbox import Limits, Sandbox
from grader.syscalls import NOTHING
from grader.xv6_compile import compute, run_tool
from grader.xv6_tree import Tree

MKFS_LIMITS = Limits(
    cpu_seconds=10, memory_bytes=1 << 30, file_bytes=64 << 20, output_bytes=1 << 16,
    starts=NOTHING,
)
SUPER_FIELDS = (
    "magic", "size", "nblocks", "ninodes", "nlog", "logstart", "inodestart", "bmapstart"
)
INODE_FIELDS = ("type", "nlink", "size", "addrs")
LAYOUT = {
    **{"super." + name: f"__builtin_offsetof(struct superblock, {name})"
       for name in SUPER_FIELDS},
    **{"dinode." + name: f"__builtin_offsetof(struct dinode, {name})" for name in INODE_FIELDS},
    **{"dirent." + name: f"__builtin_offsetof(struct dirent, {name})" for name in ("inum", "name")},
    "dinode": "sizeof(struct dinode)", "dirent": "sizeof(struct dirent)",
}


def build_image(
    tree: Tree, work: Path, sandbox: Sandbox, programs: Mapping[str, Path],
    constants: Mapping[str, int],
) -> Path:
    """Makes the disk image with the tree's own mkfs; with a writer of ours if that does not
    work."""
    work.mkdir(parents=True, exist_ok=True)
    image = work / "fs.img"
    if (tree.folder / "mkfs" / "mkfs.c").is_file():
        reason = _run_mkfs(tree, sandbox, programs, image)
        if not reason:
            return image
        tree.note(f"mkfs {reason}; the image was written by the grader instead")
    else:
        tree.note("there is no mkfs; the image was written by the grader instead")
    layout = {**constants, **compute(tree, sandbox, LAYOUT)}
    try:
        layout["log_blocks"] = constants["LOGSIZE"] or constants["LOGBLOCKS"] + 1
        xv6_image.write(image, programs, layout)
    except (xv6_image.ImageError, struct.error, KeyError, IndexError) as error:
        raise SubmissionError(f"no disk image can be made for this kernel: {error}") from error
    return image


def _run_mkfs(tree: Tree, sandbox: Sandbox, programs: Mapping[str, Path], image: Path) -> str:
    """Builds and runs mkfs; returns what went wrong, empty if the image is there.

    It runs on this machine and is the student's, so all it may write is the image.
    """
    if run_tool(sandbox, tree, ["make", "-s", "-f", "build.mk", "mkfs/mkfs"]).status != 0:
        return "does not compile"
    folder = make_empty(tree.folder / "disk")
    for name, program in programs.items():
        shutil.copyfile(program, folder / f"_{name}")
    made = folder / "fs.img"
    made.touch()
    command = [str(tree.folder / "mkfs" / "mkfs"), "fs.img", *(f"_{name}" for name in programs)]
    done = sandbox.run(
        command, cwd=folder, read=[tree.folder], write=[made], limits=MKFS_LIMITS, tmp=False
    )
    if done.status != 0 or done.ended_by:
        return "fails"
    content = made.read_bytes()
    for name, program in programs.items():
        if program.read_bytes()[:512] not in content or name.encode() + b"\0" not in content:
            return f"leaves out {name}"
    made.replace(image)
    return ""
