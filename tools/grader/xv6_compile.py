"""Compiles an xv6 tree's kernel with a Makefile of ours, in the sandbox, and computes its headers'
constants."""
from __future__ import annotations

import os
import re
import shlex
import shutil
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from grader.errors import InfraError, SubmissionError
from grader.guest_memory import RAM_BASE
from grader.sandbox import Finished, Limits, Sandbox, find_program, installation
from grader.xv6_limits import (
    LEAST_FREE, MEGABYTE, OWN, SMALL_MEMORY, USUAL_MEMORY, Plan, limit_defines, macros
)
from grader.xv6_tree import PLAIN_NAME, Tree
from toolchain import find_prefix

LIMITS = Limits(cpu_seconds=60, memory_bytes=2 << 30, file_bytes=64 << 20, output_bytes=1 << 20)

# A tree without a readable Makefile: its kernel is all sources but these, which other labs link.
OTHER_LABS = {"ramdisk", "kcsan", "stats", "sprintf", "net", "sysnet", "e1000", "pci", "main2"}

# If copies of old versions are among them, only those that a kernel needs.
NEEDED = set(
    "entry start console printf uart kalloc spinlock string main vm proc swtch trampoline trap"
    " syscall sysproc bio fs log sleeplock file pipe exec sysfile kernelvec plic virtio_disk"
    " vmcopyin".split()
)

MESSAGE_LINES, MESSAGE_COLUMNS = 15, 300
ERROR = re.compile(r"[Ee]rror:|undefined reference|multiple definition|No rule")
END_SYMBOL = re.compile(r"([0-9a-f]{1,16}) \w end\n?")

OLD_C = (  # accept what older compilers accepted
    "-std=gnu17 -w -Wno-implicit-function-declaration -Wno-int-conversion"
    " -Wno-incompatible-pointer-types -Wno-implicit-int -Wno-return-mismatch"
)
COMPILER_FLAGS = (
    f"-march=rv64gc_zicsr_zifencei -mabi=lp64d -mcmodel=medany -mno-relax {OLD_C} -O -g1"
    " -fno-omit-frame-pointer -ffreestanding -fno-common -nostdlib -fno-stack-protector -fno-pie"
    " -fmax-errors=5"
)
HOST_FLAGS = f"{OLD_C} -O -I."

# Numbers that the compiler takes from the tree's own headers; an undefined macro counts as 0.
CONSTANTS = (
    "NPROC", "NCPU", "PHYSTOP", "FSSIZE", "BSIZE", "LOGSIZE", "LOGBLOCKS", "NDIRECT", "DIRSIZ"
)
OPTIONAL = "#ifdef {name}\n#define NUMBER_{name} {name}\n#else\n#define NUMBER_{name} 0\n#endif"
USUAL_CONSTANTS = {"NPROC": 64, "NCPU": 8, "PHYSTOP": RAM_BASE + USUAL_MEMORY}
# Which headers to include; the second way is for trees in which some of the first need others.
HEADERS = (
    ("types", "param", "riscv", "memlayout", "fs", "vm"),
    (
        "types", "riscv", "defs", "param", "memlayout", "stat", "spinlock", "proc", "sleeplock",
        "fs", "vm"
    ),
)
LINKER_SCRIPT = """ENTRY(_entry)
SECTIONS
{
  . = 0x80000000;
  .text : {
    kernel/entry.o(.text) *(.text .text.*) . = ALIGN(4096);
    _trampoline = .; *(trampsec) . = ALIGN(4096);
  }
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


def build_small(tree: Tree, sandbox: Sandbox, most: int) -> tuple[Plan, dict[str, int]] | None:
    """Builds kernel/kernel for a small and quick machine, with less than `most` bytes of memory;
    returns how, and its constants. None if that cannot be had."""
    size = SMALL_MEMORY
    for _ in range(3):
        if not tree.can_shrink or size >= most:
            return None
        plan = Plan(memory=size)
        try:
            constants = build_kernel(tree, sandbox, plan)
        except SubmissionError:
            return None
        if constants["PHYSTOP"] != RAM_BASE + size:
            return None
        needed = _end_of_kernel(tree) - RAM_BASE + LEAST_FREE
        if size >= needed:
            return plan, constants
        size = (needed + MEGABYTE) // MEGABYTE * MEGABYTE
    return None


def _end_of_kernel(tree: Tree) -> int:
    """The address where the kernel ends; beyond all memory if that cannot be told."""
    with (tree.folder / "symbols").open(encoding="utf-8", errors="replace") as symbols:
        symbol = next(filter(None, map(END_SYMBOL.fullmatch, symbols)), None)
    return int(symbol.group(1), 16) if symbol else 1 << 62


def build_kernel(tree: Tree, sandbox: Sandbox, plan: Plan) -> dict[str, int]:
    """Builds kernel/kernel of the Makefile's objects or, if that fails, of all sources; returns the
    headers' constants."""
    failures: list[str] = []
    for sources in _choices(tree):
        write_makefile(tree, sources, plan)
        jobs = f"-j{min(4, os.cpu_count() or 1)}"
        done = run_tool(sandbox, tree, ["make", "-s", "-B", "-f", "build.mk", jobs, "symbols"])
        if done.ended_by not in ("", "signal"):
            messages = _messages(tree, done.output)
            raise SubmissionError(f"building the kernel used too much {done.ended_by}:\n{messages}")
        if done.status == 0 and (tree.folder / "symbols").is_file():
            return compute_constants(tree, sandbox)
        failures.append(done.output)
    failures.append("kernel/entry.S has a name that cannot be used")
    raise SubmissionError("the kernel cannot be built:\n" + _messages(tree, failures[0]))


def _choices(tree: Tree) -> Iterator[list[Path]]:
    """The sets of sources that may make the kernel, the likeliest first."""
    known = tree.sources()
    bases: dict[str, Path] = {}
    for key, path in known.items():
        bases.setdefault(key.rsplit("/", 1)[-1], path)
    listed: dict[Path, None] = {}
    for name in tree.objects:
        below = name.lower().split("/", 1)[-1]
        base = below.rsplit("/", 1)[-1]
        source = known.get(below) or bases.get(base)
        if source is not None:
            listed.setdefault(source)
    outermost: dict[str, Path] = {}
    for found in sorted(known.values(), key=lambda source: len(source.parts)):
        outermost.setdefault(found.stem.lower(), found)
    everything = [found for stem, found in outermost.items() if stem not in OTHER_LABS]
    needed = [found for found in everything if found.stem.lower() in NEEDED]
    for choice in (list(listed), everything, needed):
        if any(path.stem.lower() == "entry" for path in choice):
            yield sorted(choice, key=lambda path: path.stem.lower() != "entry")


def _tool(name: str) -> Path:
    """Where a tool of the RISC-V toolchain is."""
    prefix = find_prefix("gcc")
    if prefix is None:
        raise InfraError("no RISC-V gcc was found (riscv64-unknown-elf-gcc, ...): run `make setup`")
    return find_program(prefix + name)


def _host_compiler() -> Path:
    """Where the compiler for mkfs is."""
    usual = [name for name in ("cc", "gcc", "clang") if shutil.which(name)]
    return find_program(os.environ.get("HOSTCC") or (usual or ["cc"])[0])


def write_makefile(tree: Tree, sources: Sequence[Path], plan: Plan) -> None:
    """Writes build.mk: the kernel from these sources in this order, the headers' numbers, and
    mkfs."""
    names = [path.relative_to(tree.folder) for path in sources]
    objects = {str(name.with_suffix(".o")): str(name) for name in names}
    _write_initcode(tree)
    own = [*limit_defines(tree.defines, tree.prefix), *macros(tree.prefix, plan)]
    defines = " ".join(map(shlex.quote, own)).replace("$", "$$")
    plain = " ".join(map(shlex.quote, macros(tree.prefix, OWN)))
    compiler, linker, copier = (shlex.quote(str(_tool(name))) for name in ("gcc", "ld", "objcopy"))
    lines = [
        f"kernel/kernel: {' '.join(objects)} {'binary.o' if tree.initcode == 'binary.o' else ''}",
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
        # make's own rule gives assembly no macros of the Makefile, and headers rely on that.
        given = defines if source.endswith(".c") else plain
        lines += [
            f"{target}: {source} {tree.initcode and 'user/initcode'}",
            f"\t{compiler} @flags {given} -c -o $@ $<",
        ]
    _write(tree.folder / "build.mk", "\n".join(lines) + "\n")
    folders = " ".join(f"-I{folder}" for folder in [".", "names", *tree.header_folders()])
    _write(tree.folder / "flags", f"{COMPILER_FLAGS} {folders}\n")


def _write(path: Path, text: str) -> None:
    """Writes what may have a submission's names and words in it, whatever this machine's locale."""
    path.write_text(text, encoding="utf-8", errors="surrogateescape")


def _linker_script(tree: Tree) -> str:
    """The kernel's linker script, or a usual one if it has none."""
    names = [str(path.relative_to(tree.folder)) for path in sorted(tree.kernel.rglob("*.ld"))]
    names = sorted(
        filter(PLAIN_NAME.fullmatch, names), key=lambda name: not name.endswith("kernel.ld")
    )
    if names:
        return names[0]
    _write(tree.folder / "usual.ld", LINKER_SCRIPT)
    return "usual.ld"


def _write_initcode(tree: Tree) -> None:
    """Prepares the first process's code for kernels that take it from a file."""
    if tree.initcode:
        (tree.folder / "user").mkdir(exist_ok=True)
        _write(tree.folder / "initcode.S", INITCODE)


def compute_constants(tree: Tree, sandbox: Sandbox) -> dict[str, int]:
    """The headers' constants; the usual ones if the headers do not compile by themselves."""
    constants = compute(tree, sandbox, {name: f"NUMBER_{name}" for name in CONSTANTS})
    return {name: 0 for name in CONSTANTS} | constants if constants else dict(USUAL_CONSTANTS)


def compute(tree: Tree, sandbox: Sandbox, wanted: Mapping[str, str]) -> dict[str, int]:
    """What expressions come to with the tree's headers, computed by the compiler; nothing if they
    do not compile.

    NUMBER_X stands for the macro X, and for 0 if there is none.
    """
    optional = [OPTIONAL.format(name=name) for name in CONSTANTS]
    terms = ", ".join(f"(unsigned long)({expression})" for expression in wanted.values())
    place = '__attribute__((section(".numbers"), used))'
    table = f"{place} const unsigned long numbers[] = {{ {terms} }};"
    folders = (tree.kernel, tree.folder / "include")
    names = {path.stem for folder in folders for path in folder.rglob("*.h")}
    for headers in HEADERS:
        present = [f'#include "{header}.h"' for header in headers if header in names]
        _write(tree.folder / "headers.c", "\n".join([*present, *optional, table]) + "\n")
        done = run_tool(sandbox, tree, ["make", "-s", "-B", "-f", "build.mk", "headers.numbers"])
        result = tree.folder / "headers.numbers"
        if done.status == 0 and result.is_file() and result.stat().st_size == 8 * len(wanted):
            return dict(zip(wanted, struct.unpack(f"<{len(wanted)}Q", result.read_bytes())))
    tree.note(
        "the headers do not compile by themselves; their constants are taken to be the usual ones"
    )
    return {}


def run_tool(
    sandbox: Sandbox, tree: Tree, command: Sequence[str], limits: Limits = LIMITS
) -> Finished:
    """Runs a command in the staged folder, which is all it can write."""
    tools = [folder for tool in (_tool("gcc"), _host_compiler()) for folder in installation(tool)]
    return sandbox.run(command, cwd=tree.folder, read=tools, write=[tree.folder], limits=limits)


def _messages(tree: Tree, output: str) -> str:
    """The errors in a build's output, else its last lines."""
    every = output.replace(f"{tree.folder.absolute()}/", "").splitlines()
    errors = [line for line in every if ERROR.search(line)]
    kept = (errors or every[-MESSAGE_LINES:])[:MESSAGE_LINES]
    return "\n".join(line[:MESSAGE_COLUMNS] for line in kept)
