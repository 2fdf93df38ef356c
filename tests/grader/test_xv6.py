"""The recipe for xv6-style trees, tried on made-up ones: finding kernels, reading Makefiles,
building, disk images."""
from __future__ import annotations

import contextlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from unittest.mock import Mock, call, patch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT)]

from grader import xv6, xv6_image  # noqa: E402
from grader.errors import InfraError, SubmissionError  # noqa: E402
from grader.built import Built, Traits  # noqa: E402
from grader.run import Test, harts  # noqa: E402
from grader.sandbox import Sandbox  # noqa: E402
from grader.xv6_makefile import Makefile, Unreadable  # noqa: E402
from toolchain import PREFIXES  # noqa: E402
from grader.xv6_find import find_kernel  # noqa: E402
from grader.xv6_limits import SMALL_MEMORY  # noqa: E402
from grader.xv6_traits import least_for_fork  # noqa: E402
from grader.xv6_tree import stage  # noqa: E402
from labs.cow.grading.checkpoints import STARVING  # noqa: E402
from labs.cow.grading.process import Process  # noqa: E402
from labs.cow.grading.session import Session  # noqa: E402
from labs.cow.grading.tests_history import Model  # noqa: E402

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
    "kernel/kernel.ld": "SECTIONS { . = 0x80000000; .text : { *(.text) } .bss : { *(.bss) } end = .; }\n",
    "kernel/types.h": "typedef unsigned long uint64; typedef unsigned int uint; typedef unsigned short ushort;\n",
    "kernel/param.h": "#define NPROC 48\n#define FSSIZE 200\n#define LOGSIZE 30\n",
    "kernel/memlayout.h": "#define KERNBASE 0x80000000L\n#define PHYSTOP (KERNBASE + 128*1024*1024) // all of it\n",
    "kernel/fs.h": (
        "#define BSIZE 1024\n#define NDIRECT 4\n#define DIRSIZ 14\n"
        "struct superblock { uint magic, size, nblocks, ninodes, nlog, logstart, inodestart, bmapstart; };\n"
        "struct dinode { short type, major, minor, nlink; uint size; uint addrs[NDIRECT + 1]; uint spare[8]; };\n"
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
        '#include "kernel/param.h"\n#include <stdio.h>\nint main(int n, char **a) {\nFILE *image = fopen(a[1], "w");\n'
        "for (int i = 2; i < n; i++) {\nfputs(a[i] + 1, image);\nfputc(0, image);\n"
        'FILE *file = fopen(a[i], "r");\nfor (int c; (c = getc(file)) != EOF;) putc(c, image);\n}\n'
        "return fclose(image);\n}\n"
    ),
}
FEW = (  # ways to have room for one hart
    "#define NCPU 1", "#define NCPU (1)", "#define NCPU 0x1", "#define NCPU 3-2",
    "#define NCPU (2/2) // one",
    "#define ONE 1\n#define NCPU ONE", "#define NCPU 8\n#undef NCPU\n#define NCPU 1",
    "# /**/ define /* a\n b */ NCPU 1",
    "/* a\n*/ #define NCPU 1", "#define NC\\\nPU 1", "#define \\\n NCPU \\\n 1", "%:define NCPU 1",
    "enum { OTHER, NCPU = 1, MORE };",
    "#define NCPU 8\n#define LIMITED_NCPU(x) 1\n#undef NCPU\n#define NCPU 1",
    "CFLAGS += -DNCPU=1", "CFLAGS += -DNCPU", "#define NCPU 100000", "#define NCPU -1",
)
PROGRAM = bytes(range(256)) * 24  # 6 blocks: more than NDIRECT


def build_as(tree: Path, work: Path, programs: dict[str, Path], small: bool = True) -> Built:
    """Builds a tree for a small machine, or as large as it asks for, without trying whether it
    comes up."""
    sandbox = Sandbox()
    with patch.object(xv6.Builder, "comes_up", return_value=True):
        with patch.object(xv6, "build_small", wraps=xv6.build_small) if small else NO_SMALL:
            return xv6.build(tree, work, sandbox, programs=programs)


NO_SMALL = patch.object(xv6, "build_small", return_value=None)


class Case(unittest.TestCase):
    """A test with a folder and what is built in it."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix="it's \"[odd]\" & c:\\x #$HOME ")
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
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
            self.skipTest(str(error))


class LocaleTest(Case):
    """A machine whose language has few letters."""

    def test_defines(self) -> None:
        """A Makefile may have any letters, the build writes them as they are."""
        flags = "CFLAGS += -DNAME='\u00e9\u20ac\u202e'\n"
        usual = patch("io.text_encoding", lambda encoding, *_: encoding or "ascii", create=True)
        with patch("locale.getpreferredencoding", return_value="ascii"), usual:
            built = self.build({"Makefile": MAKEFILE + flags})
        self.assertTrue(built.kernel.is_file())


class FindTest(Case):
    """Where the kernel is."""

    def found(self) -> str:
        """Returns the kernel's folder."""
        return str(find_kernel(self.tree).relative_to(self.tree))

    def test_in_a_folder(self) -> None:
        """Names with spaces, and other case."""
        self.write({}, "Lab 6 (final)/my xv6")
        self.assertEqual(self.found(), "Lab 6 (final)/my xv6/kernel")

    def test_collection(self) -> None:
        """The folder's name decides, then what the sources speak of."""
        for below in ("lab1", "lab9"):
            self.write({}, below)
        self.write({"kernel/vm.c": "#define PTE_COW 1\nint cow_break, cow_fork;\n"}, "lab4")
        self.assertEqual(self.found(), "lab4/kernel")
        self.write({}, "lab5-COW")
        self.assertEqual(self.found(), "lab5-COW/kernel")

    def test_subfolders(self) -> None:
        """Sources in folders below the kernel's."""
        self.write({"kernel/vm.c": None, "kernel/mm/vm.c": "int top;\n"})
        self.assertEqual(self.found(), "kernel")

    def test_copies(self) -> None:
        """Old versions in a subfolder do not confuse."""
        self.write({"kernel/old/vm.c": "int top;\n", "kernel/old/main copy.c": "int main;\n"})
        self.assertEqual(self.found(), "kernel")

    def test_no_kernel(self) -> None:
        """Incomplete, or behind a link."""
        self.write({"kernel/trap.c": None})
        (self.tree / "kernel" / "trap.c").symlink_to(self.tree / "kernel" / "proc.c")
        with self.assertRaises(SubmissionError):
            self.found()


class MakefileTest(unittest.TestCase):
    """What is learnt from a Makefile."""

    def read(self, text: str, lab: str | None = "LAB=cow") -> Makefile:
        """Reads a Makefile that includes conf/lab.mk."""
        files = ["kernel/a.c", "kernel/b.c", "kernel/c.S", "kernel/old/a.c"]
        return Makefile(text, lambda name: lab if name == "conf/lab.mk" else None, files)

    def test_objects(self) -> None:
        """Those of the kernel's rule; conditionals and functions count."""
        expected = ["kernel/entry", "kernel/vm", "kernel/trap", "kernel/proc"]
        self.assertEqual(self.read(MAKEFILE).kernel_objects(), expected)
        self.assertIn("kernel/other", self.read(MAKEFILE, "LAB=net").kernel_objects())

    def test_objects_of_wildcard(self) -> None:
        """Names made by make's functions."""
        text = "SRC := $(wildcard kernel/*.c) $(wildcard kernel/*.S)\n"
        text += "OBJS = $(patsubst %.S,%.o,$(filter-out %/b.o,$(SRC:.c=.o)))\n"
        self.assertEqual(self.read(text).kernel_objects(), ["kernel/a", "kernel/c"])

    def test_defines(self) -> None:
        """The last assignment counts; nothing is run."""
        self.assertEqual(self.read(MAKEFILE).defines(), ["-DLAB_COW", "-DDEPTH=3"])
        self.assertEqual(self.read(MAKEFILE, None).defines(), [])

    def test_defines_quoted(self) -> None:
        """Strings, with the quotes that the shell takes away."""
        text = """CFLAGS = -DNAME=\\"x\\" '-DSUM=(1 + 2)' -D "DEEP=3" -DEMPTY=\n"""
        self.assertEqual(
            self.read(text).defines(), ['-DNAME="x"', "-DSUM=(1 + 2)", "-DDEEP=3", "-DEMPTY="]
        )

    def test_defines_of_rules(self) -> None:
        """In recipes of the kernel's objects and in variables of the kernel's rule; not those of
        programs."""
        text = "K = kernel\n$K/%.o: $K/%.c\n\t$(CC) $(CFLAGS) -DONE -c -o $@ $<\n"
        text += "$K/kernel: CFLAGS += -DTWO\nuser/%.o: CFLAGS += -DTHREE\ndebug: CFLAGS += -DFOUR\n"
        text += "user/%.o: user/%.c\n\t$(CC) -DFIVE -c -o $@ $<\n"
        self.assertEqual(self.read(text).defines(), ["-DTWO", "-DONE"])

    def test_functions(self) -> None:
        """Choices, and capitals however they are asked for."""
        text = "A = $(if $(LAB),-DGIVEN,-DNOT) $(if $(NO),-DGIVEN2) $(if $(findstring co,$(LAB)),-DFOUND)\n"
        text += "B = -D$(or $(NO),$(firstword RR FCFS)) $(and $(LAB),-DBOTH) -I$(dir kernel/inc/a.h)\n"
        for way in ("a-z A-Z", "'a-z' 'A-Z'", "'[a-z]' '[A-Z]'", '"[:lower:]" "[:upper:]"'):
            makefile = self.read(f"-include conf/lab.mk\n{text}CFLAGS = $(A) $(B) -D$(shell echo $(LAB) | tr {way})\n")
            expected = ["-DGIVEN", "-DFOUND", "-DRR", "-DBOTH", "-DCOW"]
            self.assertEqual(makefile.defines(), expected)
        self.assertIn("-Ikernel/inc/", makefile.value("CFLAGS"))

    def test_harts(self) -> None:
        """Of an else with a condition only one branch is taken."""
        self.assertEqual(self.read(MAKEFILE).value("CPUS"), "2")
        self.assertEqual(self.read("CPUS = 1\n" + MAKEFILE).value("CPUS"), "7")

    def test_endless(self) -> None:
        """Variables of themselves, and of ever more of others."""
        bomb = "".join(
            f"{a} = $({b})$({b})\n" for a,
            b in zip("abcdefghijklmnopqrstu", "bcdefghijklmnopqrstuv")
        )
        for text in ("OBJS = $(OBJS) a.o\n", bomb + "OBJS = $(a)\n"):
            with self.assertRaises(Unreadable):
                self.read(text).kernel_objects()

    def test_too_much(self) -> None:
        """Texts that are too much work are given up soon."""
        files = [f"kernel/file{i}.c" for i in range(4000)]
        words = " ".join(f"k*/{i}*.c" for i in range(20_000))
        recipe = f"\tcc -c -o $@ {'x' * 100_000}\n"
        for text in (
            f"OBJS = $(wildcard {words})\n", f"kernel/%.o:\n{recipe * 100}",
            f"A = $(shell echo {' ' * 190_000}x)\n",
            f"A = $(addprefix {'x' * 90_000},{'a ' * 50_000})\n", f"A = {'$.' * 90_000}\n",
            f"A = $(subst a,{'b' * 90_000},{'a' * 90_000})\n", f"A = $(or {',' * 190_000})\n",
            "ifdef X\n" * 120_000, "A += x\n" * 150_000, "A=x\n" * 10 + "include a\n" * 10_000,
            f"kernel/kernel:\n\tld {'-T' * 90_000}\n", f"{'export ' * 140_000}\n",
            f"a:{'override ' * 100_000}\n",
            f"ifeq {chr(39)}{chr(34) * 190_000}\n", f"A = $(basename {'/' * 190_000})\n",
            "\\\n" * 500_000,
            f"A = $(wildcard {'*a' * 90_000})\n", "-" * 1_000_000, f"a{' ' * 1_000_000}b\n",
        ):
            start = time.process_time()
            with contextlib.suppress(Unreadable):
                makefile = Makefile(text, lambda _name: "B = c\n" * 1000, files)
                makefile.kernel_objects(), makefile.defines(), makefile.value("A")
            self.assertLess(time.process_time() - start, 5, text[:40])

    def test_unclosed(self) -> None:
        """A bracket that is never closed."""
        with self.assertRaises(Unreadable):
            self.read("OBJS = $(wildcard kernel/*.c\n").kernel_objects()


class BuildTest(Case):
    """Building a kernel and an image."""

    def phystop(self, changes: dict[str, str | None]) -> int:
        """Returns the end of memory that a changed tree is given."""
        return self.build(changes).traits.memory_end

    def test_plain(self) -> None:
        """The Makefile's objects and macros, the headers' numbers, little memory, their mkfs."""
        built = self.build({})
        self.assertEqual(built.traits.processes, 48)
        self.assertEqual(built.notes, ["the kernel is in kernel"])
        self.assertEqual(built.traits.memory_end, 0x80000000 + SMALL_MEMORY)
        self.assertEqual(built.memory, 128 << 20)
        self.assertEqual(built.image.read_bytes(), b"init\0" + PROGRAM)
        self.assertEqual(built.kernel.read_bytes()[:4], b"\x7fELF")

    def test_few_harts(self) -> None:
        """However a kernel says that it has room for one hart, it gets room for races."""
        race = Test("race", "G", 1, "", cpus=3)
        table = "int room[NCPU];\nint room_bytes = sizeof room;\n"
        for spelling in FEW:
            with self.subTest(spelling):
                where = "kernel/param.h" if not spelling.startswith("CFLAGS") else "Makefile"
                changes = {where: TREE[where] + spelling + "\n"}
                include = '#include "param.h"\n' if where != "Makefile" else ""
                few = self.build({**changes, "kernel/trap.c": include + table})
                self.assertEqual(harts(few, race), 3)
                self.assertEqual(self.constant(few, "room_bytes"), 32)

    def test_odd_numbers_of_processes(self) -> None:
        """The stacks of very many would leave little of a small machine's memory."""
        for number, given in ((3, 64), (256, 256), (1000, 64)):
            built = self.build({"kernel/param.h": f"#define NPROC ({number})\n"})
            self.assertEqual(built.traits.processes, given)

    def test_own_constants(self) -> None:
        """A definition in a source that undoes the header's; others are left as they are."""
        source = '#include "param.h"\n#undef NPROC\n#define NPROC 4\nint room = NPROC, harts = NCPU;\n'
        built = self.build({"kernel/param.h": "#define NCPU (2+2)\n", "kernel/trap.c": source})
        self.assertEqual((self.constant(built, "room"), self.constant(built, "harts")), (64, 4))

    def test_cannot_be_more(self) -> None:
        """What does not compile for three harts is built for two, but one is never enough for a
        race."""
        race = Test("race", "G", 1, "", cpus=3)
        for number, most in ((2, 2), (1, 3)):
            text = f"#define NCPU {number}\n_Static_assert(NCPU == {number}, \"few\");\n"
            built = self.build(
                {"kernel/param.h": text, "kernel/trap.c": '#include "param.h"\nint x;\n'}
            )
            self.assertEqual(harts(built, race), most)

    def constant(self, built: Built, name: str) -> int:
        """Returns what an int in the kernel's data begins as."""
        tool = next(prefix for prefix in PREFIXES if shutil.which(f"{prefix}nm"))
        symbols = subprocess.run(
            [f"{tool}nm", str(built.kernel)], capture_output=True, text=True, check=True
        )
        address = next(
            int(line.split()[0], 16) for line in symbols.stdout.splitlines()
            if line.split()[-1] == name
        )
        flat = self.folder / "flat"
        subprocess.run(
            [f"{tool}objcopy", "-O", "binary", str(built.kernel), str(flat)], check=True
        )
        return int(struct.unpack_from("<i", flat.read_bytes(), address - 0x80000000)[0])

    def test_memory_that_no_machine_has(self) -> None:
        """A PHYSTOP of the submission's that is absurd is its fault; an odd one gets a machine that
        fits."""
        for end in (
            "0x10000000000L", "(KERNBASE + (1L << 40))", "0x1000", "(KERNBASE - 4096)", "KERNBASE",
            "-1"
        ):
            with self.subTest(end), self.assertRaisesRegex(SubmissionError, "PHYSTOP is 0x"):
                self.build(
                    {"kernel/memlayout.h": f"#define KERNBASE 0x80000000L\n#define PHYSTOP {end}\n"}
                )
        odd = "#define KERNBASE 0x80000000L\n#define PHYSTOP (KERNBASE + 200*1000*1001)\n"
        built = self.build({"kernel/memlayout.h": odd}, small=False)
        self.assertEqual(
            (built.traits.memory_end, built.memory), (0x80000000 + 200200000, 191 << 20)
        )

    def test_kernel_that_does_not_fit(self) -> None:
        """Where its linker script or its tables put it, there must be memory."""
        script = TREE["kernel/kernel.ld"]
        for changes in (
            {"kernel/kernel.ld": script.replace("0x80000000", "0x1000")},
            {"kernel/kernel.ld": script.replace("0x80000000", "0xffffffff00000000")},
            {"kernel/trap.c": "char table[900L << 20];\n"},
        ):
            with self.subTest(changes), self.assertRaisesRegex(
                SubmissionError, "does not fit|cannot be built"
            ):
                self.build(dict(changes))

    def test_full_size(self) -> None:
        """The memory that the tree asks for."""
        traits = self.build({}, small=False).traits
        self.assertEqual((traits.memory_end, traits.slowness), (0x88000000, 4))

    def test_needs_all(self) -> None:
        """A kernel that does not come up with little memory gets what it asks for."""
        self.build({"kernel/entry.S": ".globl _entry\n_entry: li a0, 0x100000\n li a1, 0x5555\n sw a1, (a0)\n"})
        built = xv6.build(
            self.tree, self.folder / "work", Sandbox(), programs={"init": self.folder / "program"}
        )
        self.assertEqual(built.traits.memory_end, 0x88000000)

    def test_fixed_memory(self) -> None:
        """A kernel that lists its memory by another name keeps it; comments and sizes of tables do
        not count."""
        main = "int main(void) { return 0; }\n"
        small = 0x80000000 + SMALL_MEMORY
        self.assertEqual(
            self.phystop({"kernel/proc.c": "// freerange to 0x88000000\n" + main}), small
        )
        self.assertEqual(
            self.phystop({"kernel/proc.c": "char counts[0x8000000 / 4096];\n" + main}), small
        )
        uses = "#define TOP 0x88000000\nvoid freerange(long top) {}\nvoid init(void) { freerange(TOP); }\n"
        self.assertEqual(self.phystop({"kernel/proc.c": uses + main}), 0x88000000)

    def test_large_tables(self) -> None:
        """Where the kernel itself is large, memory is, too."""
        stop = self.phystop({"kernel/trap.c": "char counts[20 << 20];\n"})
        self.assertGreaterEqual(stop, 0x80000000 + (26 << 20))
        self.assertLess(stop, 0x80000000 + (29 << 20))

    def test_odd_text(self) -> None:
        """Byte-order marks, carriage returns, no newline at the end."""
        kernel = [name for name in TREE if name.startswith("kernel/")]
        odd: dict[str, str | None] = {
            name: TREE[name].replace("\n", "\r\n").rstrip() for name in kernel
        }
        odd["kernel/vm.c"] = f"\ufeff{odd['kernel/vm.c']}"
        self.assertEqual(self.build(odd).traits.processes, 48)

    def test_bare(self) -> None:
        """Neither Makefile nor linker script nor mkfs: everything is compiled, and the image is
        ours."""
        names = ("Makefile", "kernel/kernel.ld", "mkfs/mkfs.c", "kernel/other.c")
        vm = TREE["kernel/vm.c"].split("#ifndef")[0].replace("DEPTH", "0")
        built = self.build({**dict.fromkeys(names), "kernel/vm.c": vm, "kernel/old/vm.c": vm})
        self.check_image(built.image.read_bytes())

    def test_folders_of_headers(self) -> None:
        """Headers in folders that the Makefile gives in -I options; what they say counts as in the
        kernel's own."""
        for folder in ("kernel/include", "include"):
            with self.subTest(folder):
                moved = {name: None for name in TREE if name.endswith(".h")}
                headers = {name.replace("kernel", folder): TREE[name] for name in moved}
                vm = TREE["kernel/vm.c"].replace("kernel/", "")
                traits = self.build({**moved, **headers, "kernel/vm.c": vm}).traits
                self.assertEqual(
                    (traits.processes, traits.memory_end), (48, 0x80000000 + SMALL_MEMORY)
                )

    def test_folders_beside(self) -> None:
        """A kernel's folder of another name, and a source of the kernel's that is not in it."""
        changes = {name.replace("kernel/", "kern/"): text for name, text in TREE.items()}
        changes["Makefile"] = MAKEFILE.replace("K=kernel", "K=kern").replace(
            "$K/proc.o", "$K/proc.o lib/extra.o"
        )
        changes["kern/vm.c"] = TREE["kernel/vm.c"].replace("kernel/", "kern/")
        changes["kern/proc.c"] = "int extra(void);\n" + TREE["kernel/proc.c"].replace(
            "return 0", "return extra()"
        )
        changes["lib/extra.c"] = '#include "extra.h"\n#include "lib/extra.h"\nint extra(void) { return EXTRA; }\n'
        changes["lib/extra.h"] = "#define EXTRA 3\n"
        traits = self.build({**dict.fromkeys(TREE), **changes}).traits
        self.assertEqual((traits.processes, traits.memory_end), (48, 0x80000000 + SMALL_MEMORY))

    def test_copies(self) -> None:
        """Without a Makefile neither hidden files nor copies of old versions are in the way."""
        changes = {"Makefile": None, "kernel/proc_old.c": TREE["kernel/proc.c"]}
        changes["kernel/vm.c"] = TREE["kernel/vm.c"].split("#ifndef")[0].replace("DEPTH", "0")
        self.build(
            {**changes, "kernel/._vm.c": "\0", "kernel/.history/vm.c": "\0", "kernel/other.c": None}
        )

    LITTER = (
        "kernel/._vm.c", "kernel/.vm.c.swp", "kernel/vm.c~", "kernel/#vm.c#", "kernel/.vm.h",
        "kernel/old~/vm.c", "kernel/.history/vm.c", "__MACOSX/kernel/vm.c",
        "__MACOSX/kernel/trap.c", "__MACOSX/kernel/proc.c", "__MACOSX/kernel/entry.S",
        ".backup/mkfs.c", "mkfs/._mkfs.c", "__MACOSX/mkfs.c", ".mkfs.c", "._Makefile",
        "kernel/__MACOSX/proc.c", "user/._user.h", ".cow/kernel/vm.c", ".cow/kernel/trap.c",
        ".cow/kernel/proc.c", ".cow/kernel/entry.S",
    )

    def test_litter(self) -> None:
        """What editors and file managers leave behind is not there, with a Makefile or without."""
        text: str | None = "\0 cow_break cow_fork scause() == 15"
        self.write(dict.fromkeys(self.LITTER, text))
        for name in ("kernel/.#vm.c", "kernel/.#param.h", "mkfs/.#mkfs.c", ".#Makefile"):
            (self.tree / name).symlink_to("student@home.4711:1700000000")
        built = self.build({})
        self.assertEqual(built.notes, ["the kernel is in kernel"])
        self.assertEqual(built.image.read_bytes(), b"init\0" + PROGRAM)
        staged = self.folder / "work/tree"
        found = [str(path.relative_to(staged)) for path in staged.rglob("*")]
        self.assertEqual([name for name in found if name in self.LITTER or "/.#" in name], [])
        for name in ("Makefile", "kernel/other.c"):
            (self.tree / name).unlink()
        vm = TREE["kernel/vm.c"].split("#ifndef")[0].replace("DEPTH", "0")
        (self.tree / "kernel/vm.c").write_text(vm)
        program = self.folder / "program"
        build_as(self.tree, self.folder / "work", {"init": program})

    def test_litter_alone(self) -> None:
        """A folder with nothing else has no kernel."""
        for name in self.LITTER:
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            (self.tree / name).write_text("")
        with self.assertRaisesRegex(SubmissionError, "no xv6 kernel"):
            find_kernel(self.tree)

    def test_folders_outside(self) -> None:
        """Names of objects that lead elsewhere, through a link or out of the tree, write nothing
        there."""
        self.build({})
        inner = self.tree / "a/b/c/d/e/f"
        inner.mkdir(parents=True)
        (self.tree / "link").symlink_to("a/b/c/d/e/f")
        (self.tree / "target").mkdir()
        (self.tree / "target/owned.c").write_text("int owned;\n")
        (inner / "x.c").write_text("int x;\n")
        for name in (
            "link/../../../../../../target/x", "../target/x", "/target/x", "link/x",
            "a/./../target/x"
        ):
            with self.subTest(name):
                (self.tree / "Makefile").write_text(
                    MAKEFILE.replace("$K/proc.o", f"$K/proc.o {name}.o")
                )
                to = self.folder / "1/2/3/4/5/6/7/tree"
                shutil.rmtree(to, ignore_errors=True)
                to.mkdir(parents=True, exist_ok=True)
                stage(self.tree, to)
                found = [
                    path for path in self.folder.rglob("owned.c") if self.tree not in path.parents
                ]
                self.assertEqual(found + list(to.rglob("x.c")), [])

    def test_names_of_ours(self) -> None:
        """A kernel's folder may have a name that we use for something else."""
        for name in ("flags", "build.mk", "names", "headers.c"):
            with self.subTest(name):
                shutil.rmtree(self.tree, ignore_errors=True)
                changes: dict[str, str | None] = dict.fromkeys(TREE)
                for path, text in TREE.items():
                    changes[path.replace("kernel/", f"{name}/")] = text.replace(
                        '"kernel/', f'"{name}/'
                    )
                changes["Makefile"] = MAKEFILE.replace("K=kernel", f"K={name}")
                self.assertEqual(self.build(changes).traits.processes, 48)

    def test_mkfs_fails(self) -> None:
        """An mkfs that does not compile, one that ends badly and one that forgets the program are
        replaced."""
        for result in ("nothing", "1", "0"):
            with self.subTest(result):
                built = self.build({"mkfs/mkfs.c": f"int main(void) {{ return {result}; }}"})
                self.check_image(built.image.read_bytes())

    def check_image(self, image: bytes) -> None:
        """Follows the image to the program."""
        magic, size, _, _, _, _, inodes, bitmap = struct.unpack_from("<8I", image, 1024)
        self.assertEqual((magic, size, len(image)), (xv6_image.MAGIC, 200, 200 * 1024))
        root = struct.unpack_from("<4hI5I", image, inodes * 1024 + 64)
        self.assertEqual(root[:5], (1, 0, 0, 1, 1024))
        self.assertEqual(image[root[5] * 1024 + 32:][:16], struct.pack("<H14s", 2, b"init"))
        file = struct.unpack_from("<4hI5I", image, inodes * 1024 + 128)
        self.assertEqual((file[0], file[4]), (2, len(PROGRAM)))
        blocks = [*file[5:9], *struct.unpack_from("<2I", image, file[9] * 1024)]
        self.assertEqual(b"".join(image[block * 1024:][:1024] for block in blocks), PROGRAM)
        self.assertTrue(all(image[bitmap * 1024 + block // 8] >> block % 8 & 1 for block in blocks))

    def test_errors(self) -> None:
        """The student is told where the compiler stumbled, and that endless input is refused."""
        with self.assertRaisesRegex(SubmissionError, r"kernel/trap\.c:1:.*error"):
            self.build({"kernel/trap.c": "int ticks = no_such_name;\n"})
        with self.assertRaises(SubmissionError):
            self.build({"kernel/trap.c": '#include "/dev/zero"\n'})

    def test_machine(self) -> None:
        """The disk's kind and memory protection follow the sources."""
        self.assertIn("virtio-mmio.force-legacy=true", self.build({}).qemu_args)
        self.assertIn("rv64,h=false,debug=false,pmp=false", self.build({}).qemu_args)
        modern = {"kernel/trap.c": "#define OLD (*R(VIRTIO_MMIO_VERSION) != 2)\n"}
        modern["kernel/proc.c"] = "int main(void) { return 0; } // pmpaddr0\n"
        self.assertIn("virtio-mmio.force-legacy=false", self.build(dict(modern)).qemu_args)
        self.assertIn("rv64,h=false,debug=false,pmp=false", self.build(dict(modern)).qemu_args)
        modern["kernel/proc.c"] = 'int main(void) { asm("csrw pmpaddr0, a0"); return 0; }\n'
        self.assertNotIn("rv64,h=false,debug=false,pmp=false", self.build(dict(modern)).qemu_args)

    def test_panic_of_the_base(self) -> None:
        """Where the base panics in uvmcreate() for want of memory, students do not pay for it."""
        function = "uvmcreate()\n{\n  if(kalloc() == 0)\n    %s;\n  return 0;\n}\nvoid panic(char*s){}\n"
        for failing, least in (
            ('panic("out of memory")', 5), ("return 0", 0), ("return 0 /* panic */", 0)
        ):
            texts = {Path("vm.c"): function % failing, Path("vm.h"): "uvmcreate() {\npanic\n}"}
            self.assertEqual(least_for_fork(texts), least, failing)

    def test_first_process_in_a_file(self) -> None:
        """Kernels that take the first process's code from user/initcode get ours."""
        linked = "extern char _binary_user_initcode_start[];\nint main(void) { return *_binary_user_initcode_start; }\n"
        included = '#ifdef __riscv\nasm(".incbin \\"user/initcode\\"");\n#endif\nint main(void) { return 0; }\n'
        for text in (linked, included):
            self.assertIn(b"/init\0", self.build({"kernel/proc.c": text}).kernel.read_bytes())


def forking(_: object = None) -> Mock:
    """Returns a process whose fork returns another such."""
    return Mock(fork=Mock(side_effect=forking))


class PuppetTest(unittest.TestCase):
    """What the probe's player assumes of a kernel."""

    def test_below_stack(self) -> None:
        """The hole is below all pages of the stack, however many there are."""
        for pages, hole in ((1, 0x7000), (3, 0x5000)):
            process = Process(Mock(is_cow6=False), "init", 1, 0)
            process.stack_pointer = 0x8F00
            with patch.object(Process, "find", lambda _, va, lowest=0x9000 - pages * 0x1000: va >= lowest or None):
                self.assertEqual(process.below_stack & -0x1000, hole)

    def test_few_processes(self) -> None:
        """A random history never has more processes, with those not waited for, than the kernel has
        room for."""
        session = Session(
            Mock(), Mock(dialect="xv6", traits=Traits(processes=8)), Mock(), random.Random(1)
        )
        model = Model(session, forking(), 0, b"")
        with patch.object(Model, "write"):
            for _ in range(300):
                model.step()
                self.assertLessEqual(len(model.memory) + model.dead, 6)
        self.assertEqual(len(model.memory) + model.dead, 6)

    def test_starving(self) -> None:
        """A process that never comes gets a time in which all others sleep, however long a tick
        is."""
        machine = Mock()
        session = Session(machine, Mock(dialect="xv6"), Mock(), Mock())
        session.hart = 0
        session.processes = [Process(session, str(i), i, i) for i in range(3)]
        with patch.object(session, "advance"):
            for _ in range(STARVING + 1):
                self.assertNotIn(call(0, 11, 6), machine.set_register.mock_calls)
                session.parked = session.processes[0]
                session.next("nothing", 1)
        self.assertIn(call(0, 11, 6), machine.set_register.mock_calls)


if __name__ == "__main__":
    unittest.main()
