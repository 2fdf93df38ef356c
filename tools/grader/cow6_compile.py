"""Compiles and links a cow6 kernel in the sandbox, and shows what compiler and linker complain
about."""
from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.cow6_tree import NO_SOURCE
from grader.display import display_name
from grader.errors import SubmissionError
from grader.sandbox import Finished, Limits, Sandbox, find_program, installation, python_folders
from litter import is_litter

OWN_FOLDERS = re.compile(r"[^\s:]*/(?:tree|objects|\.)/kernel/|\./kernel/")
INCLUDED_FROM = re.compile(r"((?:^ +from .*\n){3})(?:^ +from .*\n)+", re.MULTILINE)
LAYER = re.compile(r"[a-z]+")
COMPILE_LIMITS = Limits(
    cpu_seconds=60, memory_bytes=1 << 30, file_bytes=64 << 20, processes=20, output_bytes=64 << 10,
    disk_bytes=512 << 20,
)
MESSAGE_LINES = 30
MESSAGE_COLUMNS = 300
LINES_LOOKED_AT, LINE_LOOKED_AT = 200, 1000
# Compiles each source, and keeps the name of the current one in a file.
COMPILE = (
    'out=$1; shift; for source in $(cat "$out/sources"); do echo "$source" >"$out/current"; '
    '"$@" -o "$out/$source.o" "$source" || exit 1; done'
)
# Links twice: the second time with the table of functions that the first gave (see
# tools/symbols.py).
LINK = (
    '{symbols} --out {out}/symbols0.S && {cc} -c -o {out}/symbols0.o {out}/symbols0.S && '
    '{ld} -o {out}/kernel0.elf @{out}/link {out}/symbols0.o &&\n'
    '{symbols} --out {out}/symbols.S {out}/kernel0.elf && '
    '{cc} -c -o {out}/symbols.o {out}/symbols.S && '
    '{ld} -o {out}/kernel.elf @{out}/link {out}/symbols.o &&\n'
    '{symbols} --same {out}/kernel0.elf {out}/kernel.elf'
)


@dataclass(frozen=True)
class Recipe:
    """What turns a tree into a kernel, and the pristine tree's products."""

    compiler: list[str]
    linker: list[str]
    nm: str
    folder: Path  # tree/, objects/ and mkfs

    @property
    def tree(self) -> Path:
        """The pristine sources."""
        return self.folder / "tree"

    @property
    def objects(self) -> Path:
        """Their objects, with lists of what each depends on."""
        return self.folder / "objects"


def kernel_sources(tree: Path) -> list[str]:
    """Returns the sources in the order of the Makefile: main.c, the layers' C files, their
    assembly."""
    layers = [
        line.strip() for line in (tree / "kernel/LAYERS").read_text(encoding="utf-8").split("\n")
    ]
    names = [name for line in layers if not line.startswith("#") for name in LAYER.findall(line)]
    sources = [tree / "kernel/main.c"]
    for kind in ("*.c", "*.S"):
        found = [file for name in names for file in sorted((tree / "kernel" / name).glob(kind))]
        sources += [file for file in found if not is_litter(file.relative_to(tree))]
    for source in sources:
        if NO_SOURCE.search(str(source.relative_to(tree))):
            name = display_name(source.relative_to(tree))
            raise SubmissionError(
                f"the name of {name} has characters that a source's name cannot have: rename it, "
                "or leave it out"
            )
    return [str(source.relative_to(tree)) for source in sources]


def compile_sources(
    recipe: Recipe, tree: Path, objects: Path, sources: Sequence[str], sandbox: Sandbox,
    macros: Sequence[str] = (),
) -> None:
    """Compiles the sources; SubmissionError with the compiler's first messages if one does not
    compile."""
    for source in [*sources, *kernel_sources(tree)]:
        (objects / source).parent.mkdir(parents=True, exist_ok=True)
    (objects / "sources").write_text("\n".join(sources), encoding="utf-8")
    compiler = [
        str(find_program(recipe.compiler[0])), *recipe.compiler[1:],
        f"-ffile-prefix-map={tree.absolute()}=.",
        *macros, "-MMD", "-MP", "-MT", "object", "-c",
    ]
    command = ["/bin/sh", "-c", COMPILE, "compile", str(objects.absolute()), *compiler]
    done = sandbox.run(
        command, cwd=tree, read=[tree, *toolchain(recipe)], write=[objects], limits=COMPILE_LIMITS
    )
    if done.status != 0 or done.ended_by:
        mark = objects / "current"
        current = mark.read_text(encoding="utf-8").strip() if mark.exists() else "the kernel"
        raise refusal(f"compiling {current}", done)


def link(
    recipe: Recipe, tree: Path, objects: Path, sources: Sequence[str], sandbox: Sandbox
) -> Path:
    """Links the kernel; SubmissionError with the linker's first messages if that fails."""
    place = objects.absolute()
    names = [re.sub(r"([\s'\"\\])", r"\\\1", str(place / f"{source}.o")) for source in sources]
    (objects / "link").write_text("\n".join(names), encoding="utf-8")
    symbols = [sys.executable, "-I", str(tree.absolute() / "tools/symbols.py"), "--nm", recipe.nm]
    out, cc, ld = shlex.quote(str(place)), shlex.join(recipe.compiler), shlex.join(recipe.linker)
    command = ["/bin/sh", "-c", LINK.format(out=out, cc=cc, ld=ld, symbols=shlex.join(symbols))]
    path = os.pathsep.join(
        [*(str(program.parent) for program in toolchain_programs(recipe)), "/usr/bin", "/bin"]
    )
    done = sandbox.run(
        command, cwd=tree, read=[tree, *toolchain(recipe), *python_folders()], write=[objects],
        limits=COMPILE_LIMITS,
        env={"PATH": path},
    )
    if done.status != 0 or done.ended_by:
        raise refusal("linking the kernel", done)
    return objects / "kernel.elf"


def toolchain_programs(recipe: Recipe) -> list[Path]:
    """Returns where compiler and linker are."""
    return [find_program(program) for program in (recipe.compiler[0], recipe.linker[0], recipe.nm)]


def toolchain(recipe: Recipe) -> list[Path]:
    """Returns the folders outside the system's that they need."""
    return [folder for program in toolchain_programs(recipe) for folder in installation(program)]


def refusal(doing: str, done: Finished) -> SubmissionError:
    """Says why something was not built, with the first lines that were printed."""
    limits = COMPILE_LIMITS
    reasons = {
        "cpu": f"{doing} took more than {limits.cpu_seconds} s of CPU time",
        "idle": f"{doing} did nothing for {limits.idle_seconds:g} s",
        "wall": f"{doing} did not end",
        "memory": f"{doing} took more than {limits.memory_bytes >> 20} MiB of memory",
        "file": f"{doing} wrote a file of more than {limits.file_bytes >> 20} MiB",
        "disk": f"{doing} wrote more than {limits.disk_bytes >> 20} MiB",
        "output": f"{doing} printed more than {limits.output_bytes >> 10} KiB",
        "processes": f"{doing} started more than {limits.processes} processes",
        "signal": f"{doing} ended with a crash (status {done.status})",
    }
    why = reasons.get(done.ended_by, f"{doing} failed")
    return SubmissionError(f"{why}:\n{first_lines(done.output)}".rstrip(":\n"))


def first_lines(text: str) -> str:
    """Returns the beginning of what was printed."""
    lines = [line[:LINE_LOOKED_AT] for line in text.strip().splitlines()]
    text = INCLUDED_FROM.sub(
        r"\1[...]\n", OWN_FOLDERS.sub("kernel/", "\n".join(lines[:LINES_LOOKED_AT]))
    )
    kept = [line[:MESSAGE_COLUMNS] for line in text.splitlines()[:MESSAGE_LINES]]
    more = [f"[{len(lines) - MESSAGE_LINES} more lines]"] if len(lines) > MESSAGE_LINES else []
    return "\n".join(kept + more)
