"""The recipe for cow6: a submission's kernel files over a pristine tree, and a disk image of our own programs.

Compiler flags, linker script and tools are the pristine tree's; nothing of the submission but C, headers and assembly
is used, and whatever reads these runs in the sandbox. Objects of pristine sources are kept, and used again for sources
that the submission changes neither themselves nor in a header they include. They come to the linker only, so that no
submission can include them. Warnings are not errors: which there are depends on the compiler.
"""
from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence

from grader.cow6_tree import NO_SOURCE
from grader.errors import InfraError, SubmissionError
from grader.machine import Built
from grader.sandbox import Finished, Limits, Sandbox, find_program, installation
from litter import is_litter
from grader.toolchain import PREFIXES
from products import can_be_made, product

NEEDED = ("Makefile", "kernel", "mkfs", "tools/prefixes", "tools/symbols.py")  # of the pristine tree
KINDS = (".c", ".h", ".S", ".ld", ".py", ".mk", "Makefile", "LAYERS", "prefixes")
FLAGS_DROPPED = re.compile(r"-W(?!l,).*|-ffile-prefix-map=.*|--fatal-warnings")
OWN_FOLDERS = re.compile(r"[^\s:]*/(?:tree|objects|\.)/kernel/|\./kernel/")
INCLUDED_FROM = re.compile(r"((?:^ +from .*\n){3})(?:^ +from .*\n)+", re.MULTILINE)
LAYER = re.compile(r"[a-z]+")
COMPILE_LIMITS = Limits(
    cpu_seconds=60, memory_bytes=1 << 30, file_bytes=64 << 20, processes=20, output_bytes=64 << 10,
    disk_bytes=512 << 20,
)
MESSAGE_LINES = 30
MESSAGE_COLUMNS = 300
IMAGE_SIZE = "8M"
QEMU_ARGS = ["-bios", "default", "-global", "virtio-mmio.force-legacy=false"]
RECIPE_VERSION = "2"  # part of the cache's key
# Compiles each source and leaves the name of the current one behind.
COMPILE = (
    'out=$1; shift; for source in $(cat "$out/sources"); do echo "$source" >"$out/current"; '
    '"$@" -o "$out/$source.o" "$source" || exit 1; done'
)
# Links twice: the second time with the table of functions that the first gave (see tools/symbols.py).
LINK = (
    '{symbols} --out {out}/symbols0.S && {cc} -c -o {out}/symbols0.o {out}/symbols0.S && '
    '{ld} -o {out}/kernel0.elf @{out}/link {out}/symbols0.o &&\n'
    '{symbols} --out {out}/symbols.S {out}/kernel0.elf && {cc} -c -o {out}/symbols.o {out}/symbols.S && '
    '{ld} -o {out}/kernel.elf @{out}/link {out}/symbols.o &&\n'
    '{symbols} --same {out}/kernel0.elf {out}/kernel.elf'
)


@dataclass(frozen=True)
class Recipe:
    """What turns a tree into a kernel, and the pristine tree's products."""

    compiler: List[str]
    linker: List[str]
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


def build(
    submitted: Path, work: Path, sandbox: Sandbox, *, pristine: Path, programs: Optional[Mapping[str, Path]] = None,
    cache: Optional[Path] = None,
) -> Built:
    """Builds kernel and image in the folder `work`.

    `submitted` holds allowed files only (kernel/...); they are laid over the pristine tree's. `programs` go into the
    image under their names ("init": the probe). SubmissionError tells the student why the kernel cannot be built.
    """
    usual = product("build/grader")
    recipe = prepare(pristine, sandbox, cache or (usual if can_be_made(usual) else work / "grader"))
    tree, objects = work / "tree", work / "objects"
    for folder in (tree, objects):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(recipe.tree, tree)
    lay_over(submitted, tree)
    sources = kernel_sources(tree)
    kept = reusable(recipe, tree, sources)
    compile_sources(recipe, tree, objects, [source for source in sources if source not in kept], sandbox)
    for source in kept:
        shutil.copyfile(recipe.objects / f"{source}.o", objects / f"{source}.o")
    kernel = link(recipe, tree, objects, sources, sandbox)
    limits = (recipe.tree / "kernel/abi/limits.h").read_text(encoding="utf-8")
    processes = re.search(r"\bPROCS_MAX = (\d+)", limits)
    traits: Dict[str, object] = {"NPROC": int(processes.group(1)) if processes else 256}
    return Built("cow6", kernel, make_image(recipe, work, programs or {}), QEMU_ARGS, symbols=kernel, traits=traits)


# ---- The pristine tree ----


def prepare(pristine: Path, sandbox: Sandbox, cache: Path) -> Recipe:
    """Returns the recipe of a pristine tree, from the cache if it was prepared before."""
    files = pristine_files(pristine)
    folder = cache / cache_key(pristine, files)
    if not folder.is_dir():
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="preparing-", dir=cache) as temporary:
                made = Path(temporary) / "made"
                _prepare_in(made, pristine, files, sandbox)
                try:
                    made.rename(folder)
                except OSError:
                    if not folder.is_dir():  # another run was quicker
                        raise
        except OSError as error:
            raise InfraError(f"the pristine tree cannot be built in {cache}: {error}") from None
    return _read_recipe(folder)


def pristine_files(pristine: Path) -> List[str]:
    """Returns the tree's own files that are needed: what git keeps or would keep, without git all there are."""
    command = [
        "git", "-C", str(pristine), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *NEEDED
    ]
    try:
        listing = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        listing = ""
    names = [name for name in listing.split("\0") if name]
    if not names:
        places = [pristine / needed for needed in NEEDED]
        found = [file for place in places for file in ([place] if place.is_file() else place.rglob("*"))]
        names = [str(file.relative_to(pristine)) for file in found]
    names = [name for name in names if name.endswith(KINDS) and not is_litter(name)]
    files = sorted({name for name in names if (pristine / name).is_file()})
    if "kernel/main.c" not in files:
        raise InfraError(f"{pristine} is not a cow6 tree: it has no kernel/main.c")
    return files


def cache_key(pristine: Path, files: Sequence[str]) -> str:
    """Returns a name that is another one when the tree or the compiler is."""
    digest = hashlib.sha256(RECIPE_VERSION.encode())
    for name in files:
        digest.update(f"{name}\0".encode() + hashlib.sha256((pristine / name).read_bytes()).digest())
    for program in [*(f"{prefix}gcc" for prefix in PREFIXES), "clang", "ld.lld", "cc"]:
        place = shutil.which(program)
        digest.update(f"{program} {place} {os.stat(place).st_mtime_ns if place else 0}\n".encode())
    digest.update(repr([os.environ.get(name) for name in ("TOOLPREFIX", "LLVM", "HOSTCC")]).encode())
    return digest.hexdigest()[:20]


def _prepare_in(folder: Path, pristine: Path, files: Sequence[str], sandbox: Sandbox) -> None:
    """Copies the pristine tree, asks its Makefile for the commands, compiles all."""
    tree = folder / "tree"
    for name in files:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(pristine / name, tree / name)
    variables = _make(tree, "print-KERNEL_CC", "print-KERNEL_LD", "print-NM").splitlines()
    _make(tree, "mkfs/mkfs")
    shutil.copy(tree / "mkfs/mkfs", folder / "mkfs")
    shutil.rmtree(tree / "build", ignore_errors=True)
    compiler, linker, nm = (shlex.split(line) for line in variables[-3:])
    own = ["-w", "-fdiagnostics-color=never" if "clang" not in compiler[0] else "-fno-color-diagnostics"]
    own += ["-fmax-errors=10" if "clang" not in compiler[0] else "-ferror-limit=10"]
    parts = {
        "compiler": [word for word in compiler if not FLAGS_DROPPED.fullmatch(word)] + own,
        "linker": [word for word in linker if not FLAGS_DROPPED.fullmatch(word)], "nm": nm[0],
    }
    (folder / "recipe.json").write_text(json.dumps(parts), encoding="utf-8")
    try:
        compile_sources(_read_recipe(folder), tree, folder / "objects", kernel_sources(tree), sandbox)
    except SubmissionError as error:
        raise InfraError(f"the pristine tree does not build: {error}") from None


def _make(tree: Path, *targets: str) -> str:
    """Runs make in the copy of the pristine tree."""
    command = [str(find_program("make")), "--no-print-directory", "-s", *targets]
    variables = {name: os.environ[name] for name in ("PATH", "TOOLPREFIX", "LLVM", "HOSTCC") if name in os.environ}
    done = subprocess.run(
        command, cwd=tree, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=300, check=False,
    )
    if done.returncode != 0:
        raise InfraError(f"`make {' '.join(targets)}` fails in the pristine tree:\n{done.stdout.strip()}")
    return done.stdout


def _read_recipe(folder: Path) -> Recipe:
    """Reads what was prepared."""
    parts = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
    return Recipe(parts["compiler"], parts["linker"], parts["nm"], folder)


# ---- The submission's kernel ----


def lay_over(submitted: Path, tree: Path) -> None:
    """Copies the submitted files into the tree;
    SubmissionError if one stands where a folder must be, or the other way round."""
    for file in sorted(submitted.rglob("*")):
        name = file.relative_to(submitted)
        if not file.is_file() or file.is_symlink():
            continue
        try:
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, tree / name)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise SubmissionError(
                f"{name} does not fit into the tree: folders and files of it have other names there"
            ) from None


def kernel_sources(tree: Path) -> List[str]:
    """Returns the sources in the order of the Makefile: main.c, the layers' C files, their assembly."""
    layers = [line.strip() for line in (tree / "kernel/LAYERS").read_text(encoding="utf-8").split("\n")]
    names = [name for line in layers if not line.startswith("#") for name in LAYER.findall(line)]
    sources = [tree / "kernel/main.c"]
    for kind in ("*.c", "*.S"):
        found = [file for name in names for file in sorted((tree / "kernel" / name).glob(kind))]
        sources += [file for file in found if not is_litter(file.relative_to(tree))]
    for source in sources:
        if NO_SOURCE.search(str(source.relative_to(tree))):
            raise SubmissionError(
                f"the name of {source.relative_to(tree)} has characters that a source's name "
                "cannot have: rename it, or leave it out"
            )
    return [str(source.relative_to(tree)) for source in sources]


def reusable(recipe: Recipe, tree: Path, sources: Sequence[str]) -> List[str]:
    """Returns the sources whose pristine object is what compiling them would give."""
    same: Dict[str, bool] = {}

    def is_same(name: str) -> bool:
        if name not in same:
            old, new = recipe.tree / name, tree / name
            same[name] = old.is_file() and new.is_file() and old.read_bytes() == new.read_bytes()
        return same[name]

    # A folder in a layer could hold a header that is found before the one of that name.
    if any(len(header.relative_to(tree).parts) > 3 for header in (tree / "kernel").rglob("*.h")):
        return []
    return [source for source in sources if all(is_same(name) for name in dependencies(recipe.objects, source))]


def dependencies(objects: Path, source: str) -> List[str]:
    """Returns the files that went into an object, its source at least; relative to the tree."""
    try:
        rule = (objects / f"{source}.d").read_text(encoding="utf-8").replace("\\\n", " ").split("\n")[0]
    except OSError:
        return [source]
    return [source, *rule.partition(":")[2].split()]


def compile_sources(recipe: Recipe, tree: Path, objects: Path, sources: Sequence[str], sandbox: Sandbox) -> None:
    """Compiles the sources; SubmissionError with the compiler's first messages if one does not compile."""
    for source in [*sources, *kernel_sources(tree)]:
        (objects / source).parent.mkdir(parents=True, exist_ok=True)
    (objects / "sources").write_text("\n".join(sources), encoding="utf-8")
    compiler = [
        str(find_program(recipe.compiler[0])), *recipe.compiler[1:], f"-ffile-prefix-map={tree.absolute()}=.",
        "-MMD", "-MP", "-MT", "object", "-c",
    ]
    command = ["/bin/sh", "-c", COMPILE, "compile", str(objects.absolute()), *compiler]
    done = sandbox.run(command, cwd=tree, read=[tree, *toolchain(recipe)], write=[objects], limits=COMPILE_LIMITS)
    if done.status != 0 or done.ended_by:
        current = (
            (objects / "current").read_text(encoding="utf-8").strip() if (objects / "current").exists()
            else "the kernel"
        )
        raise refusal(f"compiling {current}", done)


def link(recipe: Recipe, tree: Path, objects: Path, sources: Sequence[str], sandbox: Sandbox) -> Path:
    """Links the kernel; SubmissionError with the linker's first messages if that fails."""
    place = objects.absolute()
    names = [re.sub(r"([\s'\"\\])", r"\\\1", str(place / f"{source}.o")) for source in sources]
    (objects / "link").write_text("\n".join(names), encoding="utf-8")
    symbols = [sys.executable, "-I", str(tree.absolute() / "tools/symbols.py"), "--nm", recipe.nm]
    out, cc, ld = shlex.quote(str(place)), shlex.join(recipe.compiler), shlex.join(recipe.linker)
    python = [Path(sys.base_prefix), Path(sys.prefix)] if not sys.base_prefix.startswith("/usr") else []
    command = ["/bin/sh", "-c", LINK.format(out=out, cc=cc, ld=ld, symbols=shlex.join(symbols))]
    path = os.pathsep.join([*(str(program.parent) for program in toolchain_programs(recipe)), "/usr/bin", "/bin"])
    done = sandbox.run(
        command, cwd=tree, read=[tree, *toolchain(recipe), *python], write=[objects], limits=COMPILE_LIMITS,
        env={"PATH": path},
    )
    if done.status != 0 or done.ended_by:
        raise refusal("linking the kernel", done)
    return objects / "kernel.elf"


def toolchain_programs(recipe: Recipe) -> List[Path]:
    """Returns where compiler and linker are."""
    return [find_program(program) for program in (recipe.compiler[0], recipe.linker[0], recipe.nm)]


def toolchain(recipe: Recipe) -> List[Path]:
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
        "signal": f"{doing} crashed the compiler (status {done.status})",
    }
    return SubmissionError(
        f"{reasons.get(done.ended_by, doing + ' failed')}:\n{first_lines(done.output)}".rstrip(":\n")
    )


def first_lines(text: str) -> str:
    """Returns the beginning of what was printed."""
    text = INCLUDED_FROM.sub(r"\1[...]\n", OWN_FOLDERS.sub("kernel/", text.strip()))
    lines = [line[:MESSAGE_COLUMNS] for line in text.splitlines()]
    more = [f"[{len(lines) - MESSAGE_LINES} more lines]"] if len(lines) > MESSAGE_LINES else []
    return "\n".join(lines[:MESSAGE_LINES] + more)


# ---- The image ----


def make_image(recipe: Recipe, work: Path, programs: Mapping[str, Path]) -> Path:
    """Makes the disk image with our own mkfs from our own programs."""
    image = work / "fs.img"
    command = [
        str(recipe.folder / "mkfs"), "-s", IMAGE_SIZE, str(image),
        *(f"{path}:{name}" for name, path in programs.items()),
    ]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise InfraError(f"the disk image cannot be made: {done.stderr.strip()}")
    return image
