"""The recipe for cow6: a submission's kernel files over a pristine tree, and a disk image of our
own programs.

Compiler flags, linker script and tools are the pristine tree's. Of the submission only C sources,
headers and assembly are used, and all that reads these runs in the sandbox. Objects of pristine
sources are cached, and used again for sources that the submission changes neither themselves nor in
a header that they include. Only the linker sees them, so that no submission can include them.
Warnings are not errors, since they depend on the compiler.
"""
from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from command import run
from grader.built import Built, Traits
from grader.constants import PREFIX
from grader.cow6_compile import Recipe, compile_sources, kernel_sources, link
from grader.cow6_tree import limiting_macros
from grader.display import display_name
from grader.elf import read_kernel
from grader.errors import InfraError, SubmissionError
from grader.folders import make_empty
from grader.guest_memory import RAM_BASE
from grader.sandbox import Sandbox, find_program
from litter import is_litter
from products import can_be_made, product
from toolchain import PREFIXES

# What of the pristine tree is needed.
NEEDED = ("Makefile", "kernel", "mkfs", "tools/prefixes", "tools/symbols.py")
KINDS = (".c", ".h", ".S", ".ld", ".py", ".mk", "Makefile", "LAYERS", "prefixes")
FLAGS_DROPPED = re.compile(r"-W(?!l,).*|-ffile-prefix-map=.*|--fatal-warnings")
IMAGE_SIZE = "8M"
# How unkind the simulator is to it in races: as the specification allows, but for the instruction
# cache, about which the lab teaches nothing.
RACE_PROFILE = "tlb,stores"
QEMU_ARGS = ["-bios", "default", "-global", "virtio-mmio.force-legacy=false"]
PREPARE_SECONDS, MAKE_SECONDS = 600.0, 300.0
PROCESSES_DEFAULT = 256
RECIPE_VERSION = "2"  # part of the cache's key


def build(
    submitted: Path, work: Path, sandbox: Sandbox, *, pristine: Path,
    programs: Mapping[str, Path] | None = None,
    cache: Path | None = None, prefix: str = PREFIX, memory: int = 128 << 20,
) -> Built:
    """Builds kernel and image in the folder `work`.

    `submitted` has only allowed files (kernel/...), in which macros with the prefix leave constants
    to us (cow6_tree.py); they are laid over the pristine tree's. `programs` go into the image under
    their names ("init": the probe). SubmissionError tells the student why the kernel cannot be
    built.
    """
    usual = product("build/grader")
    place = cache or (usual if can_be_made(usual) else work / "grader")
    recipe = prepare(pristine, sandbox.with_budget(PREPARE_SECONDS), place)
    tree, objects = make_empty(work / "tree"), make_empty(work / "objects")
    shutil.copytree(recipe.tree, tree, dirs_exist_ok=True)
    lay_over(submitted, tree)
    sources = kernel_sources(tree)
    kept = reusable(recipe, tree, sources)
    changed = [source for source in sources if source not in kept]
    compile_sources(recipe, tree, objects, changed, sandbox, limiting_macros(prefix))
    for source in kept:
        shutil.copyfile(recipe.objects / f"{source}.o", objects / f"{source}.o")
    kernel = link(recipe, tree, objects, sources, sandbox)
    layout = read_kernel(kernel, RAM_BASE, memory, sandbox)
    image = make_image(recipe, work, programs or {})
    return Built(
        "cow6", kernel, image, QEMU_ARGS, symbols=kernel, memory=memory, layout=layout,
        traits=Traits(processes=processes_most(recipe.tree), race_profile=RACE_PROFILE),
    )


def processes_most(tree: Path) -> int:
    """Returns how many processes the pristine kernel has room for."""
    limits = (tree / "kernel/abi/limits.h").read_text(encoding="utf-8")
    found = re.search(r"\bPROCS_MAX = (\d+)", limits)
    return int(found.group(1)) if found else PROCESSES_DEFAULT


# ---- The pristine tree ----


def prepare(pristine: Path, sandbox: Sandbox, cache: Path) -> Recipe:
    """Returns the recipe of a pristine tree, from the cache if it was prepared before."""
    files = pristine_files(pristine)
    folder = cache / cache_key(pristine, files)
    if not folder.is_dir():
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="preparing-", dir=cache) as temporary:
                sandbox.share(Path(temporary))
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


def pristine_files(pristine: Path) -> list[str]:
    """Returns the tree's own files that are needed: those that git tracks or would add; without
    git, all."""
    command = [
        "git", "-C", str(pristine), "ls-files", "-z", "--cached", "--others", "--exclude-standard",
        "--", *NEEDED
    ]
    listing = run(command)
    # What git may warn of comes before a name, on lines of its own.
    listed = [name.rpartition("\n")[2] for name in listing.output.split("\0")]
    names = [name for name in listed if name] if listing.succeeded else []
    if not names:
        places = [pristine / needed for needed in NEEDED]
        found = [
            file for place in places for file in ([place] if place.is_file() else place.rglob("*"))
        ]
        names = [str(file.relative_to(pristine)) for file in found]
    names = [name for name in names if name.endswith(KINDS) and not is_litter(name)]
    files = sorted({name for name in names if (pristine / name).is_file()})
    if "kernel/main.c" not in files:
        raise InfraError(f"{pristine} is not a cow6 tree: it has no kernel/main.c")
    return files


def cache_key(pristine: Path, files: Sequence[str]) -> str:
    """Returns a name that changes with the tree and with the compiler."""
    digest = hashlib.sha256(RECIPE_VERSION.encode())
    for name in files:
        digest.update(
            f"{name}\0".encode() + hashlib.sha256((pristine / name).read_bytes()).digest()
        )
    for program in [*(f"{prefix}gcc" for prefix in PREFIXES), "clang", "ld.lld", "cc"]:
        place = shutil.which(program)
        digest.update(f"{program} {place} {os.stat(place).st_mtime_ns if place else 0}\n".encode())
    digest.update(
        repr([os.environ.get(name) for name in ("TOOLPREFIX", "LLVM", "HOSTCC")]).encode()
    )
    return digest.hexdigest()[:20]


def _prepare_in(folder: Path, pristine: Path, files: Sequence[str], sandbox: Sandbox) -> None:
    """Copies the pristine tree, asks its Makefile for the commands, and compiles all."""
    tree = folder / "tree"
    for name in files:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(pristine / name, tree / name)
    variables = _make(tree, "print-KERNEL_CC", "print-KERNEL_LD", "print-NM").splitlines()
    _make(tree, "mkfs/mkfs")
    shutil.copy(tree / "mkfs/mkfs", folder / "mkfs")
    shutil.rmtree(tree / "build", ignore_errors=True)
    compiler, linker, nm = (shlex.split(line) for line in variables[-3:])
    is_clang = "clang" in compiler[0]
    own = ["-w", "-fno-color-diagnostics" if is_clang else "-fdiagnostics-color=never"]
    own += ["-ferror-limit=10" if is_clang else "-fmax-errors=10"]
    parts = {
        "compiler": [word for word in compiler if not FLAGS_DROPPED.fullmatch(word)] + own,
        "linker": [word for word in linker if not FLAGS_DROPPED.fullmatch(word)], "nm": nm[0],
    }
    (folder / "recipe.json").write_text(json.dumps(parts), encoding="utf-8")
    try:
        compile_sources(
            _read_recipe(folder), tree, folder / "objects", kernel_sources(tree), sandbox
        )
    except SubmissionError as error:
        raise InfraError(f"the pristine tree does not build: {error}") from None


def _make(tree: Path, *targets: str) -> str:
    """Runs make in the copy of the pristine tree."""
    command = [str(find_program("make")), "--no-print-directory", "-s", *targets]
    kept = ("PATH", "TOOLPREFIX", "LLVM", "HOSTCC")
    variables = {name: os.environ[name] for name in kept if name in os.environ}
    done = run(command, cwd=tree, env=variables, seconds=MAKE_SECONDS)
    if not done.succeeded:
        said = done.output.strip()
        raise InfraError(f"`make {' '.join(targets)}` fails in the pristine tree:\n{said}")
    return done.output


def _read_recipe(folder: Path) -> Recipe:
    """Reads what was prepared."""
    parts = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
    return Recipe(parts["compiler"], parts["linker"], parts["nm"], folder)


# ---- The submission's kernel ----


def lay_over(submitted: Path, tree: Path) -> None:
    """Copies the submitted files into the tree; SubmissionError if one is where the tree has a
    folder, or the other way round."""
    for file in sorted(submitted.rglob("*")):
        name = file.relative_to(submitted)
        if not file.is_file() or file.is_symlink():
            continue
        try:
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, tree / name)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise SubmissionError(
                f"{display_name(name)} does not fit into the tree: one has a file where the other "
                "has a folder of that name"
            ) from None


def reusable(recipe: Recipe, tree: Path, sources: Sequence[str]) -> list[str]:
    """Returns the sources whose pristine object is what compiling them would give."""
    same: dict[str, bool] = {}

    def is_same(name: str) -> bool:
        if name not in same:
            old, new = recipe.tree / name, tree / name
            same[name] = old.is_file() and new.is_file() and old.read_bytes() == new.read_bytes()
        return same[name]

    # A folder in a layer could have a header that is found before the right one of that name.
    if any(len(header.relative_to(tree).parts) > 3 for header in (tree / "kernel").rglob("*.h")):
        return []
    return [source for source in sources if all(map(is_same, dependencies(recipe.objects, source)))]


def dependencies(objects: Path, source: str) -> list[str]:
    """Returns the files that went into an object, its source at least; relative to the tree."""
    try:
        text = (objects / f"{source}.d").read_text(encoding="utf-8")
        rule = text.replace("\\\n", " ").split("\n")[0]
    except OSError:
        return [source]
    return [source, *rule.partition(":")[2].split()]


# ---- The image ----


def make_image(recipe: Recipe, work: Path, programs: Mapping[str, Path]) -> Path:
    """Makes the disk image with our own mkfs from our own programs."""
    image = work / "fs.img"
    command = [
        str(recipe.folder / "mkfs"), "-s", IMAGE_SIZE, str(image),
        *(f"{path}:{name}" for name, path in programs.items()),
    ]
    done = run(command)
    if not done.succeeded:
        raise InfraError(f"the disk image cannot be made: {done.output.strip()}")
    return image
