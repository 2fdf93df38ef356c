"""Good inputs for fuzz_grader.py to begin with, and ways to change them."""
from __future__ import annotations

import gzip
import io
import lzma
import random
import struct
import tarfile
import zipfile
from typing import Callable

COW6 = {
    "kernel/main.c": b"int main;\n", "kernel/vm/cow.c": b"int cow;\n",
    "kernel/mem/frame.h": b"#define X\n"
}
MAKEFILE = b"""-include conf/lab.mk
K=kernel
OBJS = \\
  $K/entry.o $(patsubst %.c,%.o,$(wildcard $K/*.c)) $(SRC:.c=.o)
ifeq ($(LAB),$(filter $(LAB), cow net))
OBJS += $K/$(firstword a b).o
else ifdef X
CFLAGS += -DX='a b' -D "Y=1"
endif
UPPER := $(shell echo $(LAB) | tr a-z A-Z)
$K/kernel: CFLAGS += -DLAB_$(UPPER) $(if $(A),$(or b,c),$(subst a,b,$(A)))
$K/kernel: $(OBJS) $K/kernel.ld
\t$(LD) -T $K/kernel.ld -o $K/kernel $(OBJS) a.o b.o c.o d.o e.o f.o
DIRS = $(sort $(dir $(SRC)) $(notdir a/b) $(basename a/b.c /)) $(lastword $(findstring a,$(A)))
OBJS += $(addprefix $K/,$(addsuffix .o,$(strip x y))) $(filter-out %.c,$(and a,b))
include sub.mk
"""
HEADER = b"""// limits
#define NPROC 64 /* processes */
# define NCPU (1 + \\
  2)
enum { A = 1, FSSIZE = 2000 };
#define KERNBASE 0x80000000L
#define PHYSTOP (KERNBASE + 128*1024*1024)
static char *text = "a /* \\" // b"; char quote = '\\'';
void timer(void) { interval(1000000); for (;;) freerange(0x88000000); }
"""
XV6 = {
    "Makefile": MAKEFILE, "kernel/param.h": HEADER, "kernel/vm.c": HEADER, "kernel/trap.c": HEADER,
    "kernel/proc.c": b"int proc;\n", "kernel/entry.S": b"_entry: j _entry\n",
    "mkfs/mkfs.c": b"int main;\n",
}
LAYOUT = {
    "BSIZE": 1024, "FSSIZE": 200, "NDIRECT": 12, "DIRSIZ": 14, "log_blocks": 30, "dinode": 64,
    "dirent": 16,
    "dinode.type": 0, "dinode.nlink": 6, "dinode.size": 8, "dinode.addrs": 12, "dirent.inum": 0,
    "dirent.name": 2, "super.magic": 0, "super.size": 4, "super.nblocks": 8, "super.ninodes": 12,
    "super.nlog": 16, "super.logstart": 20, "super.inodestart": 24, "super.bmapstart": 28,
}
WORDS = (
    b"$(", b")", b"${", b"\\\n", b"\n\t", b"/*", b"*/", b"//", b'"', b"'", b"#define NCPU ",
    b"ifeq (", b"endif\n",
    b"else\n", b"include ", b"$(wildcard *)", b"$(shell ", b" -D", b" -T", b"\0", b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"../", b"kernel/", b"%", b"$(call ", b"$(basename /)", b"=", b":=", b"+=", b"define ",
    b"128*1024*1024", b"PHYSTOP", b"%:",
)


def tar(files: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """Makes a tar archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def special_tar(chance: random.Random) -> bytes:
    """Makes a tar archive with a member of an odd kind."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo(
            chance.choice(["kernel/x.c", "x" * 300, "a/" * 60 + "x", "../x", "\udcff"])
        )
        member.type = chance.choice([bytes([kind]) for kind in b"01234567gxLKSV"])
        member.linkname = "kernel/main.c"
        member.pax_headers = {
            "path": "kernel/\0x", "size": str(chance.choice([-1, 1 << 70])), "é": "x" * 999
        }
        archive.addfile(member)
    return packed.getvalue() + tar(COW6)


def packed_zip(files: dict[str, bytes]) -> bytes:
    """Makes a zip archive."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def archives(chance: random.Random) -> list[bytes]:
    """Archives of every kind."""
    plain, files = tar(COW6), {**XV6, "lab/" + chance.choice("ab") + "/x.c": bytes(5000)}
    return [
        plain, gzip.compress(plain), lzma.compress(plain), packed_zip(COW6), packed_zip(files),
        tar(files, tarfile.GNU_FORMAT), special_tar(chance), gzip.compress(special_tar(chance)),
    ]


def makefiles(_: random.Random) -> list[bytes]:
    """Makefiles."""
    return [MAKEFILE]


def headers(_: random.Random) -> list[bytes]:
    """C sources."""
    return [HEADER]


def kernels(_: random.Random) -> list[bytes]:
    """Kernels with two segments: one without symbols, one with variables."""
    segments = [segment(0x80000000), segment(0x80010000)]
    variables = {"kmem": (0x80000100, 32), "x": (0x80010000, 8)}
    return [kernel(segments, {}), kernel(segments, variables)]


def segment(base: int) -> bytes:
    """Returns the entry of a segment that is loaded at an address, with two pages."""
    return struct.pack("<IIQQQQQQ", 1, 5, 4096, base, base, 4096, 8192, 4096)


def kernel(segments: list[bytes], variables: dict[str, tuple[int, int]]) -> bytes:
    """Returns an ELF file for RISC-V with these segments and variables: address, size."""
    names, symbols = b"\0", bytes(24)
    for name, (address, size) in variables.items():
        symbols += struct.pack("<IBBHQQ", len(names), 1, 0, 1, address, size)
        names += name.encode() + b"\0"
    start = 64 + 56 * len(segments)
    sections = struct.pack("<IIQQQQIIQQ", 0, 2, 0, 0, start, len(symbols), 1, 0, 8, 24)
    place = start + len(symbols)
    sections += struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, place, len(names), 0, 0, 1, 0)
    table = place + len(names)
    fields = (
        b"\x7fELF", 2, 1, 2, 243, 1, 0x80000000, 64, table, 0, 64, 56, len(segments), 64, 2, 1
    )
    header = struct.pack("<4sBB10xHHIQQQIHHHHHH", *fields)
    return header + b"".join(segments) + symbols + names + sections + bytes(8192)


def change(data: bytes, chance: random.Random) -> bytes:
    """Changes an input at some places; one in ten stays good."""
    changed = bytearray(data)
    for _ in range(chance.choice([0, 1, 1, 1, 2, 2, 4, 8, 20, 50])):
        chance.choice(CHANGES)(changed, chance)
    return bytes(changed)


def _flip(data: bytearray, chance: random.Random) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _insert_word(data: bytearray, chance: random.Random) -> None:
    place = chance.randrange(len(data) + 1)
    data[place:place] = chance.choice(WORDS) * chance.choice([1, 1, 1, 2, 100, 20_000])


def _put_number(data: bytearray, chance: random.Random) -> None:
    place = chance.randrange(len(data) + 1)
    form = chance.choice("BHIQ")
    value = chance.choice([0, 1, 0x7F, 0xFF, (1 << 8 * struct.calcsize(form)) - 1])
    data[place : place + struct.calcsize(form)] = struct.pack(f"<{form}", value)


def _remove(data: bytearray, chance: random.Random) -> None:
    place = chance.randrange(len(data) + 1)
    del data[place : place + chance.choice([1, 2, 10, 500])]


def _repeat(data: bytearray, chance: random.Random) -> None:
    place = chance.randrange(len(data) + 1)
    piece = data[place : place + chance.choice([1, 3, 50, 600])]
    data[place:place] = piece * chance.choice([1, 2, 100])


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data) + 1):]


CHANGES: list[Callable[[bytearray, random.Random], None]] = [
    _flip, _flip, _insert_word, _put_number, _remove, _repeat, _cut
]
