#!/usr/bin/env python3
"""Makes the student's tree: build/handout/cow and build/handout/cow.tar.gz (`make handout`).

It is this tree's files that git tracks, without those that the manifest (labs/cow/starter/manifest.ini) leaves out, and
with the pieces of labs/cow/starter/depth_1.ini to depth_DEPTH.ini replaced: a kernel without the solution. HANDOUT.md
is at its top. Two runs give identical bytes.

A line of the solution is one that the pieces take out of a kernel file and that occurs nowhere else in the kernel. No
handout is made if it has such a line, or if a piece does not fit its file any more.
"""
from __future__ import annotations

import argparse
import configparser
import fnmatch
import gzip
import hashlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Sequence, Set

from firmware import after_firmware
from pieces import Piece, PieceError, changed_files, read_pieces
from products import ROOT, make_environment, product

LAB = "labs/cow"
STARTER = ROOT / LAB / "starter"
MANIFEST = STARTER / "manifest.ini"
HANDOUT = ROOT / LAB / "HANDOUT.md"
OUT = product("build/handout")
NAME = "cow"
DEPTHS = (1, 2, 3)
FIXED_TIME = 946684800  # of every file in the archive: the first second of 2000
LISTED = f"{LAB}/handed-out.txt"
MOVED = {f"{LAB}/HANDOUT.md": "HANDOUT.md"}  # to where a student looks first
README = STARTER / "README.md"  # takes the place of this tree's
BOOT_SECONDS = 3600  # these are nets for what sleeps for ever: on a busy host everything takes its time
CHECK_SECONDS = 4 * 3600


class Wrong(Exception):
    """Something that must be put right before a handout can be made; the message says what."""


@dataclass(frozen=True)
class Entry:
    """A file of the handout."""

    data: bytes
    mode: int


Tree = Dict[str, Entry]


# ---- What goes into the tree ----


def read_manifest() -> configparser.ConfigParser:
    """Reads the manifest."""
    manifest = configparser.ConfigParser(delimiters=("=",), comment_prefixes=("#",))
    manifest.optionxform = str  # type: ignore[assignment]
    manifest.read_string(MANIFEST.read_text())
    return manifest


def run(command: Sequence[str], folder: Path, seconds: float) -> "subprocess.CompletedProcess[str]":
    """Runs a command; its output is both streams as one."""
    try:
        return subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", timeout=seconds, check=False, env=make_environment(folder),
        )
    except subprocess.TimeoutExpired as late:
        seen = late.stdout.decode(errors="replace") if isinstance(late.stdout, bytes) else late.stdout or ""
        return subprocess.CompletedProcess(command, -1, f"{seen}\nno end after {seconds:.0f} s\n")


def tracked() -> Dict[str, int]:
    """Returns the files that git tracks here and that exist, with their modes."""
    listing = run(["git", "ls-files", "--stage", "-z"], ROOT, 60)
    if listing.returncode != 0:
        raise Wrong(f"the files of the tree are those that git tracks, but git says: {listing.stdout.strip()}")
    found = {}
    for line in filter(None, listing.stdout.split("\0")):
        information, path = line.split("\t", 1)
        if (ROOT / path).is_file():
            found[path] = int(information[:6], 8) & 0o777
    return found


def is_left_out(path: str, patterns: Sequence[str]) -> bool:
    """Tells whether one of the patterns names the file or a folder above it."""
    return any(path.startswith(p) if p.endswith("/") else fnmatch.fnmatchcase(path, p) for p in patterns)


def starter_pieces(depth: int) -> list[Piece]:
    """Returns the pieces that make the student's kernel of that depth out of this tree's."""
    return [piece for level in DEPTHS[:depth] for piece in read_pieces(STARTER / f"depth_{level}.ini")]


def for_depth(text: str, depth: int) -> str:
    """Keeps what the text says for that depth.

    A line `<!-- depth 2 3 -->` begins a part for depths 2 and 3 only, `<!-- depth all -->` ends it. Commands that made
    transcripts are dropped.
    """
    kept, wanted = [], True
    for line in text.splitlines(keepends=True):
        mark = re.fullmatch(r"<!-- depth ([\d ]+|all) -->\n", line)
        if mark:
            wanted = mark.group(1) == "all" or str(depth) in mark.group(1).split()
        elif wanted and not re.match(r"<!-- run ", line):
            kept.append(line)
    return re.sub(r"\n{3,}", "\n\n", "".join(kept))


def with_links_there(text: str, path: str, tree: Tree, ours: Iterable[str]) -> str:
    """Turns links to where their files are in the student's tree; path is the text's own, here.

    Links to files of ours that are not in the tree are dropped, and so are table rows about such.
    """

    def holds(paths: Iterable[str], target: str) -> bool:
        return any(path == target or path.startswith(f"{target}/") for path in paths)

    def is_kept_here(name: str) -> bool:
        target = os.path.normpath(name)
        return not holds(tree, target) and holds(ours, target)

    def link(match: "re.Match[str]") -> str:
        words, name, anchor = match.groups()
        target = os.path.normpath(os.path.join(os.path.dirname(path), name))
        if is_kept_here(target):
            return str(words)
        folder = os.path.dirname(MOVED.get(path, path))
        return f"[{words}]({os.path.relpath(MOVED.get(target, target), folder or '.')}{anchor})"

    def is_dead(row: str) -> bool:
        return row.startswith("|") and any(map(is_kept_here, re.findall(r"`([\w.-]+/[\w./-]+)`", row)))

    lines = [line for line in text.splitlines(keepends=True) if not is_dead(line)]
    return re.sub(r"\[([^\]]*)\]\(([^)#:]+)((?:#[^)]*)?)\)", link, "".join(lines))


def student_tree(depth: int) -> Tree:
    """Returns the files of the handout, in order."""
    patterns = read_manifest()["handout"]["leave_out"].split()
    ours = tracked()
    modes = {path: mode for path, mode in ours.items() if not is_left_out(path, patterns)}
    tree = {path: Entry((ROOT / path).read_bytes(), mode) for path, mode in modes.items()}
    changed = {**changed_files(starter_pieces(depth)), "README.md": README.read_text()}
    tree.update({path: Entry(text.encode(), tree[path].mode) for path, text in changed.items()})
    for path in [path for path in tree if path.endswith(".md")]:
        text = for_depth(tree[path].data.decode(), depth)
        tree[path] = Entry(with_links_there(text, path, tree, ours).encode(), tree[path].mode)
    tree = {MOVED.get(path, path): entry for path, entry in tree.items()}
    lines = [f"{hashlib.sha256(tree[path].data).hexdigest()}  {path}\n" for path in sorted(tree)]
    tree[LISTED] = Entry("".join(lines).encode(), 0o644)
    return dict(sorted(tree.items()))


# ---- Lines of the solution ----


def normalised(text: str) -> Iterator[str]:
    """Returns the lines that say something, without comments and with single spaces."""
    for line in text.splitlines():
        bare = " ".join(re.sub(r"//.*", "", line).split())
        if len(bare) >= 16 and len(re.findall(r"\w+", bare)) >= 3 and not bare.startswith("#include"):
            yield bare


def solution_lines(depth: int) -> Dict[str, str]:
    """Returns the lines that the pieces take out of the kernel, with the file each comes from.

    A line that the kernel also has where no piece takes it out is none.
    """
    changed = changed_files(starter_pieces(depth))
    removed: Dict[str, str] = {}
    kept: Set[str] = set()
    for path in tracked():
        if path.startswith("kernel/") and path.endswith((".c", ".h", ".S")):
            lines = set(normalised((ROOT / path).read_text()))
            stays = lines & set(normalised(changed[path])) if path in changed else lines
            kept |= stays
            removed.update({line: path for line in lines - stays})
    return {line: path for line, path in removed.items() if line not in kept}


def leaks(tree: Tree, depth: int) -> List[str]:
    """Returns a line for each line of the solution that the tree has, and for each function of a file that is the
    student's to write (in the manifest: `to_write`) that is there already."""
    solution = solution_lines(depth)
    found = []
    for path, entry in tree.items():
        for number, line in enumerate(entry.data.decode(errors="replace").splitlines(), 1):
            for bare in normalised(line):
                if bare in solution:
                    found.append(f"{path}:{number}: a line of the solution ({solution[bare]}): {bare}")
    for path in read_manifest()["handout"]["to_write"].split():
        for function in re.findall(r"^\w.*\{\n(?:(?!\}).*\n)*\}", tree[path].data.decode(), re.MULTILINE):
            if "// Your code here." not in function:
                found.append(f"{path}: a function that the student is to write: {function}")
    return found


# ---- Writing ----


def write_folder(tree: Tree, folder: Path) -> None:
    """Writes the tree where nothing else is left."""
    shutil.rmtree(folder, ignore_errors=True)
    for path, entry in tree.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(entry.data)
        file.chmod(entry.mode)


def archive(tree: Tree) -> bytes:
    """Returns the tree as a tar.gz that tells nothing of this machine."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, entry in tree.items():
            member = tarfile.TarInfo(f"{NAME}/{path}")
            member.size, member.mode, member.mtime = len(entry.data), entry.mode, FIXED_TIME
            tar.addfile(member, io.BytesIO(entry.data))
    return gzip.compress(packed.getvalue(), mtime=0)


def make_handout(depth: int, out: Path = OUT) -> Path:
    """Makes folder and archive; returns the folder. Wrong if the solution shows."""
    tree = student_tree(depth)
    problems = leaks(tree, depth)
    if problems:
        raise Wrong("\n".join(problems))
    write_folder(tree, out / NAME)
    (out / f"{NAME}.tar.gz").write_bytes(archive(tree))
    return out / NAME


# ---- Building and booting ----


def make(folder: Path, *arguments: str, seconds: float = 600) -> str:
    """Runs make in the folder; returns its output. Wrong if it fails."""
    result = run(["make", "--no-print-directory", *arguments], folder, seconds)
    if result.returncode != 0:
        raise Wrong(f"make {' '.join(arguments)} in {folder}:\n{result.stdout[-3000:]}")
    return result.stdout


def qemu_command(folder: Path, words: str, more: str = "") -> List[str]:
    """Returns the command that boots the tree's kernel on one hart, the same way each time,
    on a disk that keeps nothing."""
    extra = f"-snapshot -icount shift=0,sleep=off {more}"
    return shlex.split(make(folder, "-s", "print-qemu", "CPUS=1", "MEM=128M", f"APPEND={words}", f"QEMUEXTRA={extra}"))


def boot(folder: Path, words: str) -> str:
    """Boots the tree's kernel; returns what the console shows after the firmware."""
    text = run(qemu_command(folder, words), folder, BOOT_SECONDS).stdout.replace("\r", "")
    return after_firmware(text)


def cowtest_results(console: str) -> Dict[str, str]:
    """Returns what follows the name of each test."""
    return dict(re.findall(r"^(\w+): (ok|FAIL .*)$", console, re.MULTILINE))


def problems_of_starter(console: str) -> List[str]:
    """Returns what is wrong with how a starter runs cowtest: only what needs the solution may fail, each test by its
    own check, and the machine lives on."""
    results = cowtest_results(console)
    failed = [name for name, result in results.items() if result != "ok"]
    problems = []
    if not re.search(r"^\d+ passed, \d+ failed$", console, re.MULTILINE) or "panic" in console:
        problems.append(f"cowtest does not come to its end:\n{console[-2000:]}")
    for name in failed:
        if not re.search(r"expected .*, saw\b.*\(user/tests/cowtest\w*\.c:\d+\)$", results[name]):
            problems.append(f"{name} fails, but not by a check of its own: {results[name]}")
    for name in ("simple", "child_writes_first", "parent_writes_first", "last_owner_writes_without_copy"):
        if name not in failed:
            problems.append(f"{name} does not fail")
    for name in ("three", "file", "copy_is_faithful", "text_is_read_only", "granted_memory_can_be_touched"):
        if name in failed:
            problems.append(f"{name} fails: {results[name]}")
    return problems


def check_depth(depth: int) -> List[str]:
    """Makes the handout of that depth and checks all there is to check; returns what is wrong."""
    out = OUT / f"check-{depth}"
    folder = make_handout(depth, out)
    first = (out / f"{NAME}.tar.gz").read_bytes()
    make_handout(depth, out)
    problems = [] if first == (out / f"{NAME}.tar.gz").read_bytes() else ["two runs make different archives"]
    make(folder, "LLVM=1", "all")
    make(folder, "all")
    problems += problems_of_starter(boot(folder, "init=/cowtest"))
    make(folder, "submission")
    handout = read_manifest()["handout"]
    keys = ["lab_checks", *(f"lab_checks_{level}" for level in range(2, depth + 1))]
    allowed = tuple(" ".join(handout.get(key, "") for key in keys).split())
    checked = run(["make", "--no-print-directory", "check"], folder, CHECK_SECONDS)
    for name in re.findall(r"^\[\d+/\d+\] ([\w-]+): FAIL", checked.stdout, re.MULTILINE):
        if not name.startswith(allowed):
            problems.append(f"make check: {name} fails; see {out}/{NAME}/build/check")
    if not re.search(r"^\d+ passed, \d+ failed", checked.stdout, re.MULTILINE):
        problems.append(f"make check does not come to its end:\n{checked.stdout[-2000:]}")
    return [f"depth {depth}: {problem}" for problem in problems]


def check(depths: Sequence[int]) -> int:
    """Checks the handouts of these depths and the transcripts; returns the exit status."""
    problems = []
    for depth in depths:
        found = check_depth(depth)
        print(f"depth {depth}: {'ok' if not found else 'FAIL'}", flush=True)
        problems += found
    problems += refresh_transcripts(write=False)
    print("\n".join(problems) if problems else "the handout is good")
    return 1 if problems else 0


# ---- Transcripts ----

# A transcript is a block of text below a comment that says how it is made:
#     <!-- run WHERE: boot WORDS -->                     the console of a boot with these words on the kernel's
#                                                        command line;
#     <!-- run WHERE: boot WORDS | PATTERN -->           only the lines in which the pattern is found
#     <!-- run WHERE: gdb WORDS: COMMAND; COMMAND -->    what gdb answers before such a boot
# WHERE is `solved` (this tree) or `starter-1`, -2, -3 (the handout of that depth).
TRANSCRIPT = re.compile(
    r"<!-- run (?P<where>solved|starter-[123]): (?P<kind>boot|gdb) (?P<how>.*) -->\n"
    r"```text\n(?P<body>(?:(?!```).*\n)*)```\n"
)


def boot_transcript(folder: Path, how: str) -> str:
    """Returns the command that a student types, and what the console shows."""
    words, _, pattern = how.partition(" | ")
    lines = [line for line in boot(folder, words).splitlines() if re.search(pattern, line)]
    return f"$ make qemu APPEND={words}\n" + "".join(f"{line}\n" for line in lines)


def gdb_transcript(folder: Path, how: str) -> str:
    """Returns gdb's commands with its answers, on a machine that is about to boot."""
    words, _, commands = how.partition(": ")
    found = run(["sh", "tools/find-gdb"], ROOT, 60)
    if found.returncode != 0:
        raise Wrong(found.stdout.strip())
    with tempfile.TemporaryDirectory() as scratch:
        stub = f"-S -chardev socket,id=g,path={scratch}/g,server=on,wait=on -gdb chardev:g"
        command = qemu_command(folder, words, stub)
        kernel = command[command.index("-kernel") + 1]
        line = ["set architecture riscv:rv64", f"file {kernel}", f"target remote {scratch}/g"]
        line += ["source tools/gdb/cow6.py", "set confirm off", "set width 0"]
        for words in commands.split("; "):
            line += [f"echo (gdb) {words}\\n", words]
        line += ["kill"]
        with subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as machine:
            while machine.poll() is None and not Path(scratch, "g").exists():
                time.sleep(0.05)
            if machine.poll() is not None:
                raise Wrong("QEMU does not start")
            arguments = [word for command in line for word in ("-ex", command)]
            text = run([found.stdout.strip(), "-nx", "-q", "-batch", *arguments], folder, BOOT_SECONDS).stdout
            machine.kill()
    text = text[text.index("(gdb) ") : text.rindex("[Inferior 1")]
    return re.sub(r"\n{2,}", "\n", text)


def comparable(text: str) -> List[str]:
    """Returns the lines without what differs from compiler to compiler: addresses, frames, spaces."""
    return [re.sub(r"\b(0x)?[0-9a-f]{4,}\b", "#", " ".join(line.split())) for line in text.splitlines()]


def refresh_transcripts(
    write: bool, places: Sequence[str] = ("solved", "starter-1", "starter-2", "starter-3")
) -> List[str]:
    """Runs the handout's transcripts of these places again; returns which show something else now, or writes them."""
    text = HANDOUT.read_text()
    different: List[str] = []
    folders = {"solved": ROOT}

    def again(match: "re.Match[str]") -> str:
        where, kind, how = match.group("where", "kind", "how")
        if where not in places:
            return match.group()
        folder = folders.get(where) or folders.setdefault(where, make_handout(int(where[-1]), OUT / where))
        make(folder, "all")
        body = boot_transcript(folder, how) if kind == "boot" else gdb_transcript(folder, how)
        if comparable(body) != comparable(match.group("body")):
            different.append(
                f"{HANDOUT.relative_to(ROOT)}: `{kind} {how}` ({where}) shows something else now:\n{body}"
                "run `python3 tools/handout.py --transcripts`"
            )
        return match.group().replace(f"```text\n{match.group('body')}", f"```text\n{body}")

    new = TRANSCRIPT.sub(again, text)
    if write:
        HANDOUT.write_text(new)
    return different


def main() -> int:
    """Makes, or checks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--depth", type=int, choices=DEPTHS, help="how much the student writes (default: 1; with --check: all)"
    )
    parser.add_argument("--check", action="store_true", help="make, build, boot and check each depth (long)")
    parser.add_argument(
        "--transcripts", action="store_true", help="run the transcripts of HANDOUT.md again and write them"
    )
    arguments = parser.parse_args()
    try:
        if arguments.transcripts:
            refresh_transcripts(write=True)
            return 0
        if arguments.check:
            return check([arguments.depth] if arguments.depth else DEPTHS)
        folder = make_handout(arguments.depth or 1)
    except (Wrong, PieceError) as wrong:
        print(f"handout: {wrong}", file=sys.stderr)
        return 1
    shown = os.path.relpath(folder, ROOT) if ROOT in folder.parents else folder
    print(f"{shown} and {shown}.tar.gz")
    return 0


if __name__ == "__main__":
    sys.exit(main())
