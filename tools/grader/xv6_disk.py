"""The machine that an xv6 kernel wants, and its disk image: by the tree's own mkfs, or by a writer of ours."""
from __future__ import annotations

import re
import shutil
import struct
from pathlib import Path
from typing import List, Mapping

from grader import xv6_image
from grader.errors import SubmissionError
from grader.sandbox import Limits, Sandbox
from grader.xv6_compile import compute, run_tool
from grader.xv6_sources import without_comments
from grader.xv6_tree import Tree, read_text

MKFS_LIMITS = Limits(cpu_seconds=10, memory_bytes=1 << 30, file_bytes=64 << 20, output_bytes=1 << 16)
LAYOUT = {
    **{"super." + name: f"__builtin_offsetof(struct superblock, {name})"
       for name in ("magic", "size", "nblocks", "ninodes", "nlog", "logstart", "inodestart", "bmapstart")},
    **{"dinode." + name: f"__builtin_offsetof(struct dinode, {name})" for name in ("type", "nlink", "size", "addrs")},
    **{"dirent." + name: f"__builtin_offsetof(struct dirent, {name})" for name in ("inum", "name")},
    "dinode": "sizeof(struct dinode)", "dirent": "sizeof(struct dirent)",
}


def machine_options(tree: Tree) -> List[str]:
    """What QEMU must be told for this kernel.

    Its disk driver wants a virtio device of version 1 (legacy, before 2022) or 2. Where no memory protection is set up
    (before 2021) the hardware must have none, else it grants the kernel's mode nothing.
    """
    texts = {path: without_comments(read_text(path)) for path in sorted(tree.kernel.rglob("*.[chS]"))}
    text = "".join(texts.values())
    version = re.search(r"VIRTIO_MMIO_VERSION\s*\)\s*!=\s*(?:0x)?([12])\b", text)
    legacy = version.group(1) == "1" if version else "QUEUE_DESC_LOW" not in text
    protects = any("pmpaddr0" in code for path, code in texts.items() if path.suffix != ".h")
    disk = ["-global", f"virtio-mmio.force-legacy={'true' if legacy else 'false'}"]
    return disk if protects else [*disk, "-cpu", "rv64,pmp=false"]


def build_image(
    tree: Tree, work: Path, sandbox: Sandbox, programs: Mapping[str, Path], constants: Mapping[str, int]
) -> Path:
    """Makes the disk image with the tree's own mkfs; with a writer of ours if that does not work."""
    image = work / "fs.img"
    if (tree.folder / "mkfs" / "mkfs.c").is_file():
        reason = _run_mkfs(tree, sandbox, programs, image)
        if not reason:
            return image
        tree.notes.append(f"mkfs {reason}; the image was written by the grader instead")
    else:
        tree.notes.append("there is no mkfs; the image was written by the grader instead")
    layout = {**constants, **compute(tree, sandbox, LAYOUT)}
    try:
        layout["log_blocks"] = constants["LOGSIZE"] or constants["LOGBLOCKS"] + 1
        xv6_image.write(image, programs, layout)
    except (xv6_image.ImageError, struct.error, KeyError) as error:
        raise SubmissionError(f"no disk image can be made for this kernel: {error}") from error
    return image


def _run_mkfs(tree: Tree, sandbox: Sandbox, programs: Mapping[str, Path], image: Path) -> str:
    """Builds and runs mkfs; returns what went wrong, empty if the image is there."""
    if run_tool(sandbox, tree, ["make", "-s", "-f", "build.mk", "mkfs/mkfs"]).status != 0:
        return "does not compile"
    folder = tree.folder / "disk"
    folder.mkdir(exist_ok=True)
    for name, program in programs.items():
        shutil.copyfile(program, folder / f"_{name}")
    command = [str(tree.folder / "mkfs" / "mkfs"), "fs.img", *(f"_{name}" for name in programs)]
    done = sandbox.run(command, cwd=folder, read=[tree.folder], write=[folder], limits=MKFS_LIMITS)
    made = folder / "fs.img"
    if done.status != 0 or not made.is_file() or made.is_symlink():
        return "fails"
    content = made.read_bytes()
    for name, program in programs.items():
        if program.read_bytes()[:512] not in content or name.encode() + b"\0" not in content:
            return f"leaves out {name}"
    made.replace(image)
    return ""
