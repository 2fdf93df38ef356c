"""The probe's ELF file: how it is built, and what is found in it by name."""
from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import command
from grader import elf
from grader.errors import InfraError
from grader.places import Place
from products import can_be_made, product
from toolchain import find_prefix

FOLDER = Path(__file__).with_name("puppet")
SCRIPT = "probe.ld"
ECALL = bytes.fromhex("73000000")
BUILD_SECONDS = 600.0  # for one command, on the busiest host
STACK_PAGES = 4  # on kernels that look at PT_GNU_STACK: cow6's
FLAGS = (
    "-std=gnu11 -O2 -mabi=lp64 -mcmodel=medany -mno-relax -msmall-data-limit=0"
    " -Wall -Wextra -Werror -ffreestanding -nostdlib -static -fno-common -fno-pie"
    " -fno-stack-protector -fno-asynchronous-unwind-tables -fno-builtin"
).split()
LINK_FLAGS = [
    "-m", "elf64lriscv", "-nostdlib", "-static", "-s", "-z", "max-page-size=4096", "-T", SCRIPT
]
HEADER = FOLDER / "operations.h"
MARCH = ("rv64imac_zicsr_zifencei", "rv64imac")

# The numbers of the commands, as operations.h has them.
OPERATIONS: dict[str, int] = {
    found[1]: int(found[2])
    for found in re.finditer(r"^\s+(OP_\w+)\s*=\s*(\d+),", HEADER.read_text(), re.MULTILINE)
}


@dataclass(frozen=True)
class Probe:
    """What the grader knows of the program that it plays."""

    symbols: dict[str, int]
    segments: list[elf.Loaded]
    file: bytes  # as it is in the image

    def place(self, name: str) -> Place:
        """Returns where the grader can stop processes (play.c)."""
        return Place(*(self.symbols[name + part] for part in ("_stop", "_end", "_word")))

    @functools.cached_property
    def entries(self) -> frozenset[int]:
        """Where user mode goes on after a right kernel has run, but for ticks: behind each system
        call, and behind each place, because QEMU lets time pass while a machine is stopped. A race
        stores behind its place, and the store may fault."""
        text, start = self.text.content, self.text.address
        calls = {start + at + 4 for at in range(0, len(text), 2) if text[at:at + 4] == ECALL}
        ends = {self.symbols[name] for name in self.symbols if name.endswith("_end")}
        return frozenset(calls | ends)

    @property
    def text(self) -> elf.Loaded:
        """The segment with the program's instructions and constants."""
        return next(
            segment for segment in self.segments if segment.executable and not segment.writable
        )


def compiler() -> list[str]:
    """Returns the compiler's command; InfraError if there is none for RISC-V."""
    prefix = find_prefix("gcc", "ld")
    if prefix is not None:
        return [prefix + "gcc"]
    if shutil.which("clang") and shutil.which("ld.lld"):
        return ["clang", "--target=riscv64-unknown-elf"]
    raise InfraError("no compiler for RISC-V was found: run `make setup`")


def linker() -> list[str]:
    """Returns the linker's command."""
    first = compiler()[0]
    return [first[:-3] + "ld" if first.endswith("gcc") else "ld.lld"]


def run(words: list[str]) -> None:
    """Runs a command beside the sources; if it fails, the grading machine is to blame."""
    done = command.run(words, cwd=FOLDER, seconds=BUILD_SECONDS)
    if not done.succeeded:
        raise InfraError(f"the probe does not build: {' '.join(words)}\n{done.output.strip()}")


def knows_march(march: str) -> bool:
    """Tells whether the compiler knows the architecture; some want extensions named that others do
    not know."""
    words = [*compiler(), f"-march={march}", "-mabi=lp64", "-x", "c", "-c"]
    return command.run([*words, "-o", "/dev/null", "/dev/null"], seconds=BUILD_SECONDS).succeeded


def build(work: Path, cache: Path | None = None) -> Path:
    """Returns the probe, which is built once and kept until its sources or the compiler change; in
    the folder `work` if it cannot be kept. It goes into the image; probe.debug beside it has its
    symbols."""
    usual = product("build/grader")
    cache = cache or (usual if can_be_made(usual) else work)
    kept = cache.absolute() / f"probe-{cache_key()}"
    if not kept.is_dir():
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="preparing-", dir=cache) as temporary:
                made = Path(temporary).absolute() / "made"
                build_in(made)
                made.rename(kept)
        except OSError as error:
            if not kept.is_dir():  # no other run was quicker
                raise InfraError(f"the probe cannot be built in {cache}: {error}") from None
    return kept / "probe"


def cache_key() -> str:
    """Returns a name that changes with the sources, the options and the compiler."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for file in sorted(FOLDER.iterdir()):
        digest.update(f"{file.name}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    for program in (compiler()[0], linker()[0]):
        place = shutil.which(program)
        digest.update(f"{program} {place} {os.stat(place).st_mtime_ns if place else 0}\n".encode())
    return digest.hexdigest()[:20]


def build_in(work: Path) -> None:
    """Builds the probe in a new folder."""
    march = next((name for name in MARCH if knows_march(name)), MARCH[-1])
    work.mkdir(parents=True)
    program, with_symbols = work / "probe", work / "probe.debug"
    objects = []
    for source in sorted(FOLDER.glob("*.c")):
        objects.append(str(work / f"{source.stem}.o"))
        words = [*FLAGS, f"-march={march}", "-c", "-o", objects[-1], source.name]
        run([*compiler(), *words])
    link = [*linker(), *LINK_FLAGS, *objects]
    run([*link, "-o", str(program)])
    run([*(word for word in link if word != "-s"), "-o", str(with_symbols)])
    elf.set_stack_size(program, STACK_PAGES * 4096)


@functools.lru_cache(maxsize=4)
def read(program: Path) -> Probe:
    """Reads the program, and the symbols of the file beside it that has them."""
    symbols = elf.read_symbols(program.with_suffix(".debug"))
    return Probe(symbols, elf.read_loaded(program), program.read_bytes())
