"""A made-up xv6 tree, and the test case that builds it, for the tests of the recipe."""
from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pytest
from grader import xv6
from grader.built import Built
from grader.errors import InfraError
from grader.sandbox import Sandbox

MAKEFILE = """
-include conf/lab.mk
K=kernel
OBJS = \\
  $K/entry.o \\
  $K/vm.o $K/trap.o \\
  $K/proc.o
ifeq ($(LAB),$(filter $(LAB), lock net))
OBJS += $K/other.o
endif
ifdef LAB
UPPER = $(shell echo $(LAB) | tr a-z A-Z)
XCFLAGS += -DLAB_$(UPPER) -D DEPTH=3
endif
CFLAGS = -Wall -DNOT_THIS
CFLAGS = -Wall -O $(XCFLAGS) $(shell touch /forbidden)
ifndef CPUS
CPUS := 2
else ifeq (1,1)
CPUS := 7
endif
$K/kernel: $(OBJS) $K/kernel.ld
\t$(LD) -T $K/kernel.ld -o $K/kernel $(OBJS)
user/_%: user/%.o
\t$(LD) -T user/user.ld -o $@ user/ulib.o user/a.o user/b.o user/c.o user/d.o user/e.o
"""

# A kernel that does nothing, and an mkfs whose images hold just names and files.
TREE = {
    "Makefile": MAKEFILE,
    "conf/lab.mk": "LAB=cow\n",
    "kernel/entry.S": ".globl _entry\n#ifdef LAB_COW\nnot for assembly\n#endif\n_entry: j _entry\n",
    "kernel/kernel.ld": (
        "SECTIONS { . = 0x80000000; .text : { *(.text) } .bss : { *(.bss) } end = .; }\n"
    ),
    "kernel/types.h": (
        "typedef unsigned long uint64; typedef unsigned int uint; typedef unsigned short ushort;\n"
    ),
    "kernel/param.h": "#define NPROC 48\n#define FSSIZE 200\n#define LOGSIZE 30\n",
    "kernel/memlayout.h": (
        "#define KERNBASE 0x80000000L\n#define PHYSTOP (KERNBASE + 128*1024*1024) // all of it\n"
    ),
    "kernel/fs.h": (
        "#define BSIZE 1024\n#define NDIRECT 4\n#define DIRSIZ 14\n"
        "struct superblock { uint magic, size, nblocks, ninodes, nlog, logstart, inodestart, "
        "bmapstart; };\n"
        "struct dinode { short type, major, minor, nlink; uint size; uint addrs[NDIRECT + 1]; "
        "uint spare[8]; };\n"
        "struct dirent { ushort inum; char name[DIRSIZ]; };\n"
    ),
    "kernel/vm.c": (
        '#include "types.h"\n#include "kernel/memlayout.h"\nuint64 top = PHYSTOP, depth = DEPTH;\n'
        "#ifndef LAB_COW\n#error\n#endif"
    ),
    "kernel/trap.c": "int ticks = 1000000;\n",
    "kernel/proc.c": "void undeclared(void) {}\nint main(void) { undeclared(); return 0; }\n",
    "kernel/other.c": "int main(void) { return 1; }\n",
    "mkfs/mkfs.c": (
        '#include "kernel/param.h"\n#include <stdio.h>\nint main(int n, char **a) {\n'
        'FILE *image = fopen(a[1], "w");\n'
        "for (int i = 2; i < n; i++) {\nfputs(a[i] + 1, image);\nfputc(0, image);\n"
        'FILE *file = fopen(a[i], "r");\nfor (int c; (c = getc(file)) != EOF;) putc(c, image);\n}\n'
        "return fclose(image);\n}\n"
    ),
}
LITTER = (
    "kernel/._vm.c", "kernel/.vm.c.swp", "kernel/vm.c~", "kernel/#vm.c#", "kernel/.vm.h",
    "kernel/old~/vm.c", "kernel/.history/vm.c", "__MACOSX/kernel/vm.c",
    "__MACOSX/kernel/trap.c", "__MACOSX/kernel/proc.c", "__MACOSX/kernel/entry.S",
    ".backup/mkfs.c", "mkfs/._mkfs.c", "__MACOSX/mkfs.c", ".mkfs.c", "._Makefile",
    "kernel/__MACOSX/proc.c", "user/._user.h", ".cow/kernel/vm.c", ".cow/kernel/trap.c",
    ".cow/kernel/proc.c", ".cow/kernel/entry.S",
)
ODD = "it's \"[odd]\" & c:\\x #$HOME"  # the name of a folder that is good for finding faults
PROGRAM = bytes(range(256)) * 24  # 6 blocks: more than NDIRECT


def build_as(
    tree: Path, work: Path, programs: dict[str, Path], small: bool = True,
    sandbox: Sandbox | None = None,
) -> Built:
    """Builds a tree for a small machine, or as large as it asks for, without trying whether it
    starts."""
    sandbox = sandbox or Sandbox()
    with patch.object(xv6.Builder, "starts", return_value=True):
        with patch.object(xv6, "build_small", wraps=xv6.build_small) if small else NO_SMALL:
            return xv6.build(tree, work, sandbox, programs=programs)


NO_SMALL = patch.object(xv6, "build_small", return_value=None)


class Case:
    """A test with a folder and what is built in it."""

    @pytest.fixture(autouse=True)
    def set_up(self, tmp_path: Path) -> None:
        self.folder = tmp_path / ODD
        self.folder.mkdir()
        self.tree = self.folder / "tree"

    def write(self, changes: dict[str, str | None], below: str = ".") -> Path:
        """Writes the made-up tree with changes (None: no such file); returns the folder of all
        trees."""
        files: dict[str, str | None] = {**TREE}
        files.update(changes)
        for name, text in files.items():
            if text is not None:
                path = self.tree / below / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text.encode())
        return self.tree

    def build(self, changes: dict[str, str | None], small: bool = True) -> Built:
        """Builds the made-up tree with changes."""
        program = self.folder / "program"
        program.write_bytes(PROGRAM)
        try:
            tree = self.write(changes)
            return build_as(tree, self.folder / "work", {"init": program}, small)
        except InfraError as error:
            pytest.skip(str(error))
