"""The recipe for submissions built on MIT's xv6-riscv, of any year: our build of their kernel with our programs.

Of a submission only the kernel's sources, its linker script and mkfs are taken. Its Makefile is read, never run: it
says which files make the kernel and which macros are defined. All is compiled by a Makefile of ours, in the sandbox.
"""
from __future__ import annotations

import os
import re
import shlex
import shutil
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from grader import xv6_image
from grader.errors import InfraError, SubmissionError
from grader.machine import RAM_BASE, Built, Machine
from grader.sandbox import Finished, Limits, Sandbox, find_program, installation
from grader.submission import plain_text
from grader.toolchain import PREFIXES
from grader.xv6_makefile import Makefile, Unreadable
from litter import is_litter

SOURCE_SUFFIXES = (".c", ".s", ".h", ".ld", ".inc")
FILE_BYTES, TREE_FILES, SEARCHED_FILES = 4 << 20, 4000, 200_000
PLAIN_NAME = re.compile(r"[\w.+\-/]+", re.ASCII)
KERNEL_SIGNS = ("vm.c", "trap.c", "proc.c")
LIMITS = Limits(cpu_seconds=60, memory_bytes=2 << 30, file_bytes=64 << 20, output_bytes=1 << 20)
MKFS_LIMITS = Limits(cpu_seconds=10, memory_bytes=1 << 30, file_bytes=64 << 20, output_bytes=1 << 16)

# The kernel of a tree without a readable Makefile: all its sources but these, which only other labs link.
OTHER_LABS = {"ramdisk", "kcsan", "stats", "sprintf", "net", "sysnet", "e1000", "pci", "main2"}

# If there are copies of old versions beside them, too, only those that a kernel needs.
NEEDED = set(
    "entry start console printf uart kalloc spinlock string main vm proc swtch trampoline trap syscall sysproc bio fs"
    " log sleeplock file pipe exec sysfile kernelvec plic virtio_disk vmcopyin".split()
)

# Kernels fill every page that they free, byte by byte, and many wait for the next clock tick in a loop: with less
# memory and shorter ticks they do the same, sooner. LEAST_FREE is what they have left for processes.
SMALL_MEMORY = 9 << 20
LEAST_FREE = 6 << 20
SLOW_MEMORY = 32 << 20  # for each of these a kernel needs as much more time as a small one needs
TICK = re.compile(r"\b1000000\b")
SHORT_TICK = "50000"
MESSAGE_LINES = 15
USUAL_MEMORY = 128 << 20
# Constants of param.h: the least and the most that a tree keeps, and what it gets otherwise.
USUAL_SIZES = (("FSSIZE", 0, 20_000, 2000), ("NCPU", 3, 64, 8), ("NPROC", 16, 1024, 64))

OLD_C = (  # what compilers used to accept
    "-std=gnu17 -w -Wno-implicit-function-declaration -Wno-int-conversion -Wno-incompatible-pointer-types"
    " -Wno-implicit-int -Wno-return-mismatch"
)
COMPILER_FLAGS = (
    f"-march=rv64gc_zicsr_zifencei -mabi=lp64d -mcmodel=medany -mno-relax {OLD_C} -O -g1 -fno-omit-frame-pointer"
    " -ffreestanding -fno-common -nostdlib -fno-stack-protector -fno-pie -fmax-errors=5"
)
HOST_FLAGS = f"{OLD_C} -O -I."

# Numbers that the compiler takes from the tree's own headers; a macro that is not defined counts as 0.
CONSTANTS = ("NPROC", "NCPU", "PHYSTOP", "FSSIZE", "BSIZE", "LOGSIZE", "LOGBLOCKS", "NDIRECT", "DIRSIZ")
OPTIONAL = "#ifdef {name}\n#define NUMBER_{name} {name}\n#else\n#define NUMBER_{name} 0\n#endif"
USUAL_CONSTANTS = {"NPROC": 64, "NCPU": 8, "PHYSTOP": RAM_BASE + USUAL_MEMORY}
HEADERS = (  # which headers to include; the second way is for trees in which some of the first need others
    ("types", "param", "riscv", "memlayout", "fs", "vm"),
    ("types", "riscv", "defs", "param", "memlayout", "stat", "spinlock", "proc", "sleeplock", "fs", "vm"),
)
LAYOUT = {
    **{"super." + name: f"__builtin_offsetof(struct superblock, {name})"
       for name in ("magic", "size", "nblocks", "ninodes", "nlog", "logstart", "inodestart", "bmapstart")},
    **{"dinode." + name: f"__builtin_offsetof(struct dinode, {name})" for name in ("type", "nlink", "size", "addrs")},
    **{"dirent." + name: f"__builtin_offsetof(struct dirent, {name})" for name in ("inum", "name")},
    "dinode": "sizeof(struct dinode)", "dirent": "sizeof(struct dirent)",
}

LINKER_SCRIPT = """ENTRY(_entry)
SECTIONS
{
  . = 0x80000000;
  .text : { kernel/entry.o(.text) *(.text .text.*) . = ALIGN(4096); _trampoline = .; *(trampsec) . = ALIGN(4096); }
  PROVIDE(etext = .);
  .rodata : ALIGN(16) { *(.srodata .srodata.* .rodata .rodata.*) }
  .data : ALIGN(16) { *(.sdata .sdata.* .data .data.*) }
  .bss : ALIGN(16) { *(.sbss .sbss.* .bss .bss.* COMMON) }
  PROVIDE(end = .);
}
"""
INITCODE = """.globl start
start: la a0, path
 la a1, arguments
 li a7, 7
 ecall
1: li a7, 2
 ecall
 j 1b
path: .string "/init"
 .balign 8
arguments: .dword path, 0
"""


@dataclass
class Tree:
    """A submission's kernel as we build it: the staged folder and what was learnt from the Makefile."""

    folder: Path
    objects: List[str] = field(default_factory=list)  # the kernel's, as the Makefile lists them, without extension
    defines: List[str] = field(default_factory=list)
    notes: List[str] = field(default_factory=list)

    @property
    def kernel(self) -> Path:
        """The folder of the kernel's sources."""
        return self.folder / "kernel"

    def code(self) -> List[Path]:
        """The kernel's C files and headers, some of which may be in include/ beside it."""
        return [path for folder in (self.kernel, self.folder / "include") for path in sorted(folder.rglob("*.[ch]"))]

    def header_folders(self) -> List[str]:
        """Where headers are: what a Makefile may have in -I options, the kernel's own folder first."""
        folders = {str(path.parent.relative_to(self.folder)): None for path in self.code() if path.suffix == ".h"}
        return list(dict.fromkeys(["kernel", *filter(PLAIN_NAME.fullmatch, folders)]))

    def sources(self) -> Dict[str, Path]:
        """The kernel's C and assembly sources, by their path below kernel/ without extension, in small letters."""
        found: Dict[str, Path] = {}
        for path in sorted(self.kernel.rglob("*"), key=lambda p: (p.suffix == ".c", str(p)), reverse=True):
            if path.suffix.lower() in (".c", ".s") and PLAIN_NAME.fullmatch(str(path.relative_to(self.folder))):
                found.setdefault(str(path.relative_to(self.kernel).with_suffix("")).lower(), path)
        return found


def build(tree: Path, work: Path, sandbox: Sandbox, *, programs: Mapping[str, Path]) -> Built:
    """Builds the kernel found in `tree`, and an image with the `programs` under their names, in the folder `work`.

    The kernel gets less memory than it asks for and a quicker clock if it comes up with them as far as "init", so that
    tests run in a fraction of the time. SubmissionError tells the student why it cannot be built.
    """
    built = build_as(tree, work, sandbox, programs, small=True)
    if comes_up(built, work, sandbox, programs["init"]):
        return built
    return build_as(tree, work, sandbox, programs, small=False)


def comes_up(built: Built, work: Path, sandbox: Sandbox, init: Path) -> bool:
    """Whether the kernel reaches the first instruction of a process."""
    image = work / "trial.img"
    shutil.copyfile(built.image, image)
    entry, = struct.unpack_from("<Q", init.read_bytes(), 24)
    with Machine(
        built, image=image, cpus=1, icount=True, folder=work, sandbox=sandbox, breakpoints=[entry], cpu_seconds=4.0
    ) as machine:
        return machine.resume().kind == "breakpoint"


def build_as(tree: Path, work: Path, sandbox: Sandbox, programs: Mapping[str, Path], small: bool) -> Built:
    """Builds kernel and image, `small` or as the tree has them."""
    staged = stage(find_kernel(tree), tree, work / "tree")
    constants = _build_kernel(staged, sandbox, small)
    image = _build_image(staged, work, sandbox, programs, constants)
    kernel = staged.kernel / "kernel"
    return Built(
        dialect="xv6", kernel=kernel, image=image, symbols=kernel,
        qemu_args=["-bios", "none", *_machine_options(staged)],
        memory=max(USUAL_MEMORY, constants["PHYSTOP"] - RAM_BASE),
        traits={"NPROC": constants["NPROC"] or 64, "NCPU": constants["NCPU"] or 8,
                "PHYSTOP": constants["PHYSTOP"], "notes": staged.notes,
                "slowness": max(1, (constants["PHYSTOP"] - RAM_BASE) // SLOW_MEMORY)},
    )


# Finding and copying


def find_kernel(tree: Path) -> Path:
    """Returns the folder of the kernel's sources: the one that fits best if there are several (collections of labs)."""
    found: Dict[Path, None] = {}
    files = [path for path in _files(tree) if path.suffix.lower() in SOURCE_SUFFIXES]
    for path in files:
        if path.name.lower() == "vm.c":
            folder = path.parent
            while not _is_kernel(folder, files) and folder != tree:
                folder = folder.parent
            if _is_kernel(folder, files):
                found.setdefault(folder)
    if not found:
        raise SubmissionError("no xv6 kernel was found: kernel/ with vm.c, trap.c, proc.c and entry.S is wanted")
    return max(found, key=lambda folder: _fitness(folder, tree))


def _files(tree: Path) -> Iterator[Path]:
    """The regular files of a tree; no litter (.git, ._vm.c, .history), nothing behind links."""
    count = 0
    for folder, names, files in os.walk(tree):
        kept = [name for name in names if not is_litter(name)]
        names[:] = sorted(name for name in kept if not os.path.islink(os.path.join(folder, name)))
        for name in sorted(name for name in files if not is_litter(name)):
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                count += 1
                if count > SEARCHED_FILES:
                    raise SubmissionError(f"the submission has more than {SEARCHED_FILES} files")
                yield path


def _is_kernel(folder: Path, files: Sequence[Path]) -> bool:
    """Whether a folder has a whole kernel: all in itself, or one of each file in its subfolders, too."""
    own = [path.name.lower() for path in files if path.parent == folder]
    below = [path.name.lower() for path in files if folder in path.parents]
    return all(sign in own or below.count(sign) == 1 for sign in KERNEL_SIGNS) and "entry.s" in below


def _fitness(folder: Path, tree: Path) -> Tuple[bool, int, bool, bool, int]:
    """How likely this kernel is meant: its path and its sources speak of copy-on-write, it is complete, it is near."""
    place = str(folder.relative_to(tree)).lower()
    named = re.search(r"cow|copy.?on.?write", place) is not None
    sources = (folder / name for name in ("vm.c", "trap.c", "kalloc.c"))
    text = "\n".join(_text(path) for path in sources if path.is_file())
    signs = len(re.findall(r"\w*cow\w*|ref_?c\w*|scause\w*\(\) *== *15", text, re.IGNORECASE))
    whole = _find(folder.parent, "mkfs.c") is not None
    return (named, min(signs, 3), whole, folder.name.lower() == "kernel", -len(folder.parts))


def _text(path: Path) -> str:
    """A source's text; what is not UTF-8 in it does not matter."""
    return path.read_bytes().decode("utf-8", "replace")


def _find(folder: Path, name: str) -> Optional[Path]:
    """The file of this name in a folder or in one of its subfolders, whatever the case of its letters."""
    below = [p for p in folder.iterdir() if not is_litter(p.name)]
    places = [folder, *sorted(p for p in below if p.is_dir() and not p.is_symlink())]
    found = (path for place in places for path in sorted(place.iterdir()) if path.name.lower() == name)
    return next((path for path in found if path.is_file() and not path.is_symlink()), None)


def stage(kernel: Path, tree: Path, to: Path) -> Tree:
    """Copies what is needed to build the kernel to the folder `to`, cleaned; reads the Makefile."""
    shutil.rmtree(to, ignore_errors=True)
    staged = Tree(folder=to)
    above = [kernel, *kernel.parents]
    roots = above[1 : 1 + min(2, above.index(tree))] or [tree]  # where the Makefile and mkfs may be
    root = roots[0]
    staged.notes.append(f"the kernel is in {kernel.relative_to(tree)}")
    groups: List[Tuple[Path, str, Tuple[str, ...]]] = [(kernel, "kernel", SOURCE_SUFFIXES)]
    if root != kernel:
        groups += [(root / name, name, (".h",)) for name in ("user", "include") if _is_folder(root / name)]
    _copy_groups(groups, tree, to)
    (to / "names").mkdir()
    if root != kernel and PLAIN_NAME.fullmatch(kernel.name):
        (to / "names" / kernel.name).symlink_to("../kernel")  # sources may call it by its own name
    mkfs = next(filter(None, (_find(place, "mkfs.c") for place in roots)), None)
    if mkfs is not None and mkfs.stat().st_size <= FILE_BYTES:
        _copy(mkfs, to / "mkfs" / "mkfs.c")
    makefile = next((place for place in roots if _makefile(place)), None)
    if makefile is None:
        staged.notes.append("there is no Makefile")
    else:
        _read_makefile(makefile, kernel, staged)
        folders = sorted({name.rpartition("/")[0] for name in staged.objects})
        beside = [name for name in folders if _is_beside(name, kernel, makefile)]
        _copy_groups([(makefile / name, "kernel/" + name, SOURCE_SUFFIXES) for name in beside], tree, to)
    return staged


def _is_folder(path: Path) -> bool:
    """Whether it is a folder of the submission's own."""
    return path.is_dir() and not path.is_symlink()


def _is_beside(name: str, kernel: Path, root: Path) -> bool:
    """Whether a folder of the kernel's objects, as the Makefile names it, is in the tree but not the kernel's own.

    The name decides where its files are copied to, outside the sandbox: it must not lead out of here, nor to our files.
    """
    parts = name.split("/")
    if not PLAIN_NAME.fullmatch(name) or not all(parts) or ".." in parts or parts[0] in ("kernel", "user"):
        return False
    path = (root / name).resolve()
    return path.is_dir() and path == root.resolve() / name and kernel.resolve() not in (path, *path.parents)


def _copy_groups(groups: Sequence[Tuple[Path, str, Tuple[str, ...]]], tree: Path, to: Path) -> None:
    """Copies, of each folder, the files with these suffixes to a folder of this name."""
    count = 0
    for folder, name, suffixes in groups:
        for path in _files(folder):
            if path.suffix.lower() not in suffixes:
                continue
            count += 1
            if path.stat().st_size > FILE_BYTES or count > TREE_FILES:
                raise SubmissionError(f"{path.relative_to(tree)}: the kernel's sources are too large or too many")
            _copy(path, to / name / path.relative_to(folder))


def _makefile(folder: Path) -> Optional[Path]:
    """The Makefile of a folder."""
    found = (path for path in sorted(folder.iterdir()) if path.name.lower() in ("makefile", "gnumakefile"))
    return next((path for path in found if path.is_file()), None)


def _copy(path: Path, to: Path) -> None:
    """Copies a source as plain text, with a newline at its end."""
    to.parent.mkdir(parents=True, exist_ok=True)
    if to.suffix == ".s":
        to = to.with_suffix(".S")
    to.write_bytes(plain_text(path.read_bytes()) + b"\n")


def _read_makefile(root: Path, kernel: Path, staged: Tree) -> None:
    """Learns the kernel's objects and macros from the Makefile, if there is one that can be read."""
    def included(name: str) -> Optional[str]:
        path = root / name
        inside = root.resolve() in path.resolve().parents
        return _text(path) if inside and path.is_file() and path.stat().st_size < FILE_BYTES else None

    path = _makefile(root)
    assert path is not None
    try:
        files = {"kernel/" + str(p.relative_to(staged.kernel)) for p in staged.kernel.rglob("*") if p.is_file()}
        files.update(str(p.relative_to(root)) for p in _files(root) if p.suffix.lower() in SOURCE_SUFFIXES)
        own = str(kernel.relative_to(root)) if root in kernel.parents else "kernel"
        makefile = Makefile(included(path.name) or "", included, sorted(files), own)
        staged.objects, staged.defines = makefile.kernel_objects(), makefile.defines()
    except (Unreadable, RecursionError) as error:
        staged.notes.append(f"the Makefile could not be read: {error}")


# The kernel


def _build_kernel(tree: Tree, sandbox: Sandbox, small: bool) -> Dict[str, int]:
    """Builds kernel/kernel, for a small and quick machine if that can be had; returns the headers' constants."""
    _make_usual(tree)
    if small:
        _quicken(tree)
    originals = {path: _read(path) for path in tree.code()}
    size = SMALL_MEMORY
    for _ in range(3):
        if not small or not _shrink(originals, size):
            break
        try:
            constants = _compile(tree, sandbox)
        except SubmissionError:
            break
        if constants["PHYSTOP"] != RAM_BASE + size:
            break
        needed = _end_of_kernel(tree) - RAM_BASE + LEAST_FREE
        if size >= needed:
            return constants
        size = (needed + (1 << 20)) >> 20 << 20
    for path, text in originals.items():
        _write(path, text)
    return _compile(tree, sandbox)


def _read(path: Path) -> str:
    """A source as it is, whatever its encoding."""
    return path.read_text(encoding="utf-8", errors="surrogateescape")


def _write(path: Path, text: str) -> None:
    """Puts back what _read gave, changed or not."""
    path.write_text(text, encoding="utf-8", errors="surrogateescape")


DEFINE = r"^([ \t]*#[ \t]*define[ \t]+%s[ \t]+)"
PHYSTOP = re.compile(DEFINE % "PHYSTOP" + r".*$", re.MULTILINE)
# The usual memory as a number: harmless as a table's size or a bound, not where memory is listed or mapped.
FIXED_MEMORY = r"\b0x88000000|\b128 *\* *1024 *\* *1024|\b0x8000000\b|\b1 *<< *27\b|\b134217728\b"
FIXED_NAME = re.compile(rf"#[ \t]*define[ \t]+(\w+)\b.*(?:{FIXED_MEMORY})")
USE_OF_MEMORY = re.compile(r"freerange|kvm|mappages|\bfor\b|\bwhile\b")


def _shrink(originals: Mapping[Path, str], size: int) -> bool:
    """Gives the kernel less memory, if its sources leave no doubt how; says whether they do."""
    headers = [path for path, text in originals.items() if PHYSTOP.search(text)]
    rest = _without_comments("\n".join(PHYSTOP.sub("", text) for text in originals.values()))
    fixed = re.compile("|".join([FIXED_MEMORY, *(rf"\b{name}\b" for name in FIXED_NAME.findall(rest))]))
    if not headers or any(USE_OF_MEMORY.search(line) and fixed.search(line) for line in rest.splitlines()):
        return False
    for path in headers:
        _write(path, PHYSTOP.sub(lambda match: f"{match.group(1)}({RAM_BASE:#x}L + {size}L)", originals[path]))
    return True


def _quicken(tree: Tree) -> None:
    """Shortens the time between clock ticks."""
    for path in tree.kernel.rglob("*.c"):
        if path.name in ("start.c", "trap.c"):
            _write(path, TICK.sub(SHORT_TICK, _read(path)))


def _without_comments(text: str) -> str:
    """C code without its comments."""
    return re.sub(r"//[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL)


def _make_usual(tree: Tree) -> None:
    """Reduces a file system of hundreds of megabytes (the file system lab's) to a usual size; gives races their harts
    and tests their processes."""
    for path in [found for found in tree.code() if found.name == "param.h"]:
        text = _read(path)
        for name, least, most, usual in USUAL_SIZES:

            def limited(match: "re.Match[str]", least: int = least, most: int = most, usual: int = usual) -> str:
                return match.group(0) if least <= int(match.group(2)) <= most else f"{match.group(1)}{usual}"

            text = re.sub(DEFINE % name + r"(\d{1,9})\b", limited, text, flags=re.MULTILINE)
        _write(path, text)


def _end_of_kernel(tree: Tree) -> int:
    """The address where the kernel ends; beyond all memory if that cannot be told."""
    symbol = re.search(r"^([0-9a-f]+) \w end$", (tree.folder / "symbols").read_text(errors="replace"), re.MULTILINE)
    return int(symbol.group(1), 16) if symbol else 1 << 62


def _compile(tree: Tree, sandbox: Sandbox) -> Dict[str, int]:
    """Builds the kernel of the Makefile's objects or, if that fails, of all sources; returns the headers' constants."""
    failures: List[str] = []
    for sources in _choices(tree):
        _write_makefile(tree, sources)
        jobs = f"-j{min(4, os.cpu_count() or 1)}"
        done = _run(sandbox, tree, ["make", "-s", "-B", "-f", "build.mk", jobs, "symbols"])
        if done.ended_by not in ("", "signal"):
            messages = _messages(tree, done.output)
            raise SubmissionError(f"building the kernel used too much {done.ended_by}:\n{messages}")
        if done.status == 0 and (tree.folder / "symbols").is_file():
            return _numbers(tree, sandbox, {name: f"NUMBER_{name}" for name in CONSTANTS}) or dict(USUAL_CONSTANTS)
        failures.append(done.output)
    failures.append("kernel/entry.S has a name that cannot be used")
    raise SubmissionError("the kernel cannot be built:\n" + _messages(tree, failures[0]))


def _choices(tree: Tree) -> Iterator[List[Path]]:
    """The sets of sources that may make the kernel, the likeliest first."""
    known = tree.sources()
    listed: Dict[Path, None] = {}
    for name in tree.objects:
        path = name.lower().split("/", 1)[-1]
        base = path.rsplit("/", 1)[-1]
        source = known.get(path) or next((p for key, p in known.items() if key.rsplit("/", 1)[-1] == base), None)
        if source is not None:
            listed.setdefault(source)
    outermost: Dict[str, Path] = {}
    for found in sorted(known.values(), key=lambda source: len(source.parts)):
        outermost.setdefault(found.stem.lower(), found)
    everything = [found for stem, found in outermost.items() if stem not in OTHER_LABS]
    needed = [found for found in everything if found.stem.lower() in NEEDED]
    for choice in (list(listed), everything, needed):
        if any(path.stem.lower() == "entry" for path in choice):
            yield sorted(choice, key=lambda path: path.stem.lower() != "entry")


def _tool(name: str) -> Path:
    """Where a tool of the RISC-V toolchain is."""
    given = os.environ.get("TOOLPREFIX")
    for prefix in PREFIXES if given is None else (given,):
        if shutil.which(prefix + "gcc"):
            return find_program(prefix + name)
    raise InfraError("no RISC-V gcc was found (riscv64-unknown-elf-gcc, ...): run `make setup`")


def _host_compiler() -> Path:
    """Where the compiler for mkfs is."""
    usual = [name for name in ("cc", "gcc", "clang") if shutil.which(name)]
    return find_program(os.environ.get("HOSTCC") or (usual or ["cc"])[0])


def _write_makefile(tree: Tree, sources: Sequence[Path]) -> None:
    """Writes build.mk: the kernel from these sources in this order, the headers' numbers, and mkfs."""
    names = [path.relative_to(tree.folder) for path in sources]
    objects = {str(name.with_suffix(".o")): str(name) for name in names}
    initcode = _write_initcode(tree)
    defines = " ".join(map(shlex.quote, tree.defines))
    compiler, linker, copier = (shlex.quote(str(_tool(name))) for name in ("gcc", "ld", "objcopy"))
    lines = [
        f"kernel/kernel: {' '.join(objects)} {'binary.o' if initcode == 'binary.o' else ''}",
        f"\t{linker} -z max-page-size=4096 -T {_linker_script(tree)} -o $@ $^",
        "symbols: kernel/kernel",
        f"\t{shlex.quote(str(_tool('nm')))} $< >$@",
        "%.numbers: %.c",
        f"\t{compiler} @flags {defines} -c -o $*.o $<",
        f"\t{copier} -O binary -j .numbers $*.o $@",
        "mkfs/mkfs: mkfs/mkfs.c",
        f"\t{shlex.quote(str(_host_compiler()))} {HOST_FLAGS} {defines} -o $@ $<",
        "user/initcode: initcode.S",
        f"\t{compiler} @flags -c -o initcode.o $<",
        f"\t{linker} -e start -Ttext 0 -o initcode.out initcode.o",
        f"\t{copier} -S -O binary initcode.out $@",
        "binary.o: user/initcode",
        f"\t{linker} -r -b binary -o $@ $<",
    ]
    for target, source in objects.items():
        macros = defines if source.endswith(".c") else ""  # make's own rule gives assembly none, and headers rely on it
        lines += [f"{target}: {source} {initcode and 'user/initcode'}", f"\t{compiler} @flags {macros} -c -o $@ $<"]
    (tree.folder / "build.mk").write_text("\n".join(lines) + "\n")
    folders = " ".join(f"-I{folder}" for folder in [".", "names", *tree.header_folders()])
    (tree.folder / "flags").write_text(f"{COMPILER_FLAGS} {folders}\n")


def _linker_script(tree: Tree) -> str:
    """The kernel's linker script, or a usual one if it has none."""
    names = [str(path.relative_to(tree.folder)) for path in sorted(tree.kernel.rglob("*.ld"))]
    names = sorted(filter(PLAIN_NAME.fullmatch, names), key=lambda name: not name.endswith("kernel.ld"))
    if names:
        return names[0]
    (tree.folder / "usual.ld").write_text(LINKER_SCRIPT)
    return "usual.ld"


def _write_initcode(tree: Tree) -> str:
    """Prepares the first process's code for kernels that take it from a file; returns what must be made for them."""
    text = "\n".join(_text(path) for path in tree.kernel.rglob("*.[cS]"))
    linked = "_binary_user_initcode_start" in text
    if not linked and not re.search(r"incbin\W+user/initcode", text):
        return ""
    (tree.folder / "user").mkdir(exist_ok=True)
    (tree.folder / "initcode.S").write_text(INITCODE)
    return "binary.o" if linked else "user/initcode"


def _numbers(tree: Tree, sandbox: Sandbox, wanted: Mapping[str, str]) -> Dict[str, int]:
    """What expressions come to with the tree's headers, computed by the compiler; nothing if they do not compile.

    NUMBER_X stands for the macro X, and for 0 if there is none.
    """
    optional = [OPTIONAL.format(name=name) for name in CONSTANTS]
    terms = ", ".join(f"(unsigned long)({expression})" for expression in wanted.values())
    table = f'__attribute__((section(".numbers"), used)) const unsigned long numbers[] = {{ {terms} }};'
    names = {path.stem for path in tree.code() if path.suffix == ".h"}
    for headers in HEADERS:
        present = [f'#include "{header}.h"' for header in headers if header in names]
        (tree.folder / "headers.c").write_text("\n".join([*present, *optional, table]) + "\n")
        done = _run(sandbox, tree, ["make", "-s", "-B", "-f", "build.mk", "headers.numbers"])
        result = tree.folder / "headers.numbers"
        if done.status == 0 and result.is_file() and result.stat().st_size == 8 * len(wanted):
            return dict(zip(wanted, struct.unpack(f"<{len(wanted)}Q", result.read_bytes())))
    tree.notes.append("the headers do not compile by themselves; their constants are taken to be the usual ones")
    return {}


def _run(sandbox: Sandbox, tree: Tree, command: Sequence[str], limits: Limits = LIMITS) -> Finished:
    """Runs a command in the staged folder, which is all it can write."""
    tools = [folder for tool in (_tool("gcc"), _host_compiler()) for folder in installation(tool)]
    return sandbox.run(command, cwd=tree.folder, read=tools, write=[tree.folder], limits=limits)


def _messages(tree: Tree, output: str) -> str:
    """The errors in a build's output, else its last lines."""
    every = output.replace(f"{tree.folder.absolute()}/", "").splitlines()
    errors = [line for line in every if re.search(r"[Ee]rror:|undefined reference|multiple definition|No rule", line)]
    return "\n".join((errors or every[-MESSAGE_LINES:])[:MESSAGE_LINES])


# The machine and its disk


def _machine_options(tree: Tree) -> List[str]:
    """What QEMU must be told for this kernel.

    Its disk driver wants a virtio device of version 1 (legacy, before 2022) or 2. Where no memory protection is set up
    (before 2021) the hardware must have none, else it grants the kernel's mode nothing.
    """
    texts = {path: _without_comments(_text(path)) for path in sorted(tree.kernel.rglob("*.[chS]"))}
    text = "".join(texts.values())
    version = re.search(r"VIRTIO_MMIO_VERSION\s*\)\s*!=\s*(?:0x)?([12])\b", text)
    legacy = version.group(1) == "1" if version else "QUEUE_DESC_LOW" not in text
    protects = any("pmpaddr0" in code for path, code in texts.items() if path.suffix != ".h")
    disk = ["-global", f"virtio-mmio.force-legacy={'true' if legacy else 'false'}"]
    return disk if protects else [*disk, "-cpu", "rv64,pmp=false"]


def _build_image(
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
    layout = {**constants, **_numbers(tree, sandbox, LAYOUT)}
    try:
        layout["log_blocks"] = constants["LOGSIZE"] or constants["LOGBLOCKS"] + 1
        xv6_image.write(image, programs, layout)
    except (xv6_image.ImageError, struct.error, KeyError) as error:
        raise SubmissionError(f"no disk image can be made for this kernel: {error}") from error
    return image


def _run_mkfs(tree: Tree, sandbox: Sandbox, programs: Mapping[str, Path], image: Path) -> str:
    """Builds and runs mkfs; returns what went wrong, empty if the image is there."""
    if _run(sandbox, tree, ["make", "-s", "-f", "build.mk", "mkfs/mkfs"]).status != 0:
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
