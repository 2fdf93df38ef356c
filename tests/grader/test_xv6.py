"""The recipe for xv6 trees, tried on a made-up one: what is built of it, with which numbers."""
from __future__ import annotations

import struct
import subprocess
from pathlib import Path
from unittest.mock import patch

import pytest
from grader import xv6, xv6_image
from grader.built import Built
from grader.errors import SubmissionError
from grader.run import Test, harts
from grader.sandbox import Sandbox
from grader.xv6_limits import LEAST_FREE, SMALL_MEMORY
from grader.xv6_traits import least_for_fork
from grader.xv6_tree import stage
import grader_seeds as seeds
from toolchain import find_prefix
from xv6_trees import LITTER, MAKEFILE, PROGRAM, TREE, Case, build_as

RACE = Test("race", "G", 1, "", cpus=3)
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


class TestLocale(Case):
    """A machine whose language has few letters."""

    def test_defines(self) -> None:
        """A Makefile may have any letters, the build writes them as they are."""
        flags = "CFLAGS += -DNAME='\u00e9\u20ac\u202e'\n"
        usual = patch("io.text_encoding", lambda encoding, *_: encoding or "ascii", create=True)
        with patch("locale.getpreferredencoding", return_value="ascii"), usual:
            built = self.build({"Makefile": MAKEFILE + flags})
        assert built.kernel.is_file()


class TestBuild(Case):
    """Building a kernel and an image."""

    def phystop(self, changes: dict[str, str | None]) -> int:
        """Returns the end of memory that a changed tree is given."""
        return self.build(changes).traits.memory_end

    def test_plain(self) -> None:
        """The Makefile's objects and macros, the headers' numbers, little memory, their mkfs."""
        built = self.build({})
        assert built.traits.processes == 48
        assert built.notes == ["the kernel is in kernel"]
        assert built.traits.memory_end == 0x80000000 + SMALL_MEMORY
        assert built.memory == 128 << 20
        assert built.image.read_bytes() == b"init\0" + PROGRAM
        assert built.kernel.read_bytes()[:4] == b"\x7fELF"

    @pytest.mark.parametrize("spelling", FEW)
    def test_few_harts(self, spelling: str) -> None:
        """However a kernel says that it has room for one hart, it gets room for races."""
        table = "int room[NCPU];\nint room_bytes = sizeof room;\n"
        where = "kernel/param.h" if not spelling.startswith("CFLAGS") else "Makefile"
        changes = {where: TREE[where] + spelling + "\n"}
        include = '#include "param.h"\n' if where != "Makefile" else ""
        few = self.build({**changes, "kernel/trap.c": include + table})
        assert harts(few, RACE) == 3
        assert self.constant(few, "room_bytes") == 32

    @pytest.mark.parametrize("number, given", [(3, 64), (256, 256), (1000, 64)])
    def test_odd_numbers_of_processes(self, number: int, given: int) -> None:
        """The stacks of very many would leave little of a small machine's memory."""
        built = self.build({"kernel/param.h": f"#define NPROC ({number})\n"})
        assert built.traits.processes == given

    def test_own_constants(self) -> None:
        """A definition in a source that undoes the header's; others are left as they are."""
        source = '#include "param.h"\n#undef NPROC\n#define NPROC 4\n'
        source += "int room = NPROC, harts = NCPU;\n"
        built = self.build({"kernel/param.h": "#define NCPU (2+2)\n", "kernel/trap.c": source})
        assert (self.constant(built, "room"), self.constant(built, "harts")) == (64, 4)

    @pytest.mark.parametrize("number, most", [(2, 2), (1, 3)])
    def test_cannot_be_more(self, number: int, most: int) -> None:
        """What does not compile for three harts is built for two, but one is never enough for a
        race."""
        text = f"#define NCPU {number}\n_Static_assert(NCPU == {number}, \"few\");\n"
        built = self.build(
            {"kernel/param.h": text, "kernel/trap.c": '#include "param.h"\nint x;\n'}
        )
        assert harts(built, RACE) == most

    def constant(self, built: Built, name: str) -> int:
        """Returns what an int in the kernel's data begins as."""
        tool = find_prefix("nm", "objcopy")
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

    @pytest.mark.parametrize("end", [
        "0x10000000000L", "(KERNBASE + (1L << 40))", "0x1000", "(KERNBASE - 4096)", "KERNBASE",
        "-1",
    ])
    def test_memory_that_no_machine_has(self, end: str) -> None:
        """A PHYSTOP of the submission's that is absurd is its fault."""
        layout = f"#define KERNBASE 0x80000000L\n#define PHYSTOP {end}\n"
        with pytest.raises(SubmissionError, match="PHYSTOP is 0x"):
            self.build({"kernel/memlayout.h": layout})

    def test_odd_amount_of_memory(self) -> None:
        """It gets a machine that fits."""
        odd = "#define KERNBASE 0x80000000L\n#define PHYSTOP (KERNBASE + 200*1000*1001)\n"
        built = self.build({"kernel/memlayout.h": odd}, small=False)
        assert (built.traits.memory_end, built.memory) == (0x80000000 + 200200000, 191 << 20)

    @pytest.mark.parametrize("name, text", [
        ("kernel/kernel.ld", TREE["kernel/kernel.ld"].replace("0x80000000", "0x1000")),
        ("kernel/kernel.ld", TREE["kernel/kernel.ld"].replace("0x80000000", "0xffffffff00000000")),
        ("kernel/trap.c", "char table[900L << 20];\n"),
    ], ids=["low", "high", "large"])
    def test_kernel_that_does_not_fit(self, name: str, text: str) -> None:
        """Where its linker script or its tables put it, there must be memory."""
        with pytest.raises(SubmissionError, match="does not fit|cannot be built"):
            self.build({name: text})

    def test_full_size(self) -> None:
        """The memory that the tree asks for."""
        traits = self.build({}, small=False).traits
        assert (traits.memory_end, traits.slowness) == (0x88000000, 4)

    def test_needs_all(self) -> None:
        """A kernel that does not start with little memory gets what it asks for."""
        entry = ".globl _entry\n_entry: li a0, 0x100000\n li a1, 0x5555\n sw a1, (a0)\n"
        self.build({"kernel/entry.S": entry})
        program = seeds.kernel([seeds.segment(0x80000000)], {})
        (self.folder / "program").write_bytes(program)
        built = xv6.build(
            self.tree, self.folder / "work", Sandbox(), programs={"init": self.folder / "program"}
        )
        assert built.traits.memory_end == 0x88000000

    def test_fixed_memory(self) -> None:
        """A kernel that lists its memory by another name keeps it; comments and sizes of tables do
        not count."""
        main = "int main(void) { return 0; }\n"
        small = 0x80000000 + SMALL_MEMORY
        assert self.phystop({"kernel/proc.c": "// freerange to 0x88000000\n" + main}) == small
        assert self.phystop({"kernel/proc.c": "char counts[0x8000000 / 4096];\n" + main}) == small
        uses = "#define TOP 0x88000000\nvoid freerange(long top) {}\n"
        uses += "void init(void) { freerange(TOP); }\n"
        assert self.phystop({"kernel/proc.c": uses + main}) == 0x88000000

    def test_large_tables(self) -> None:
        """Where the kernel itself is large, memory is, too."""
        stop = self.phystop({"kernel/trap.c": "char counts[20 << 20];\n"})
        least = 0x80000000 + (20 << 20) + LEAST_FREE
        assert least <= stop < least + (3 << 20)

    def test_odd_text(self) -> None:
        """Byte-order marks, carriage returns, no newline at the end."""
        kernel = [name for name in TREE if name.startswith("kernel/")]
        odd: dict[str, str | None] = {
            name: TREE[name].replace("\n", "\r\n").rstrip() for name in kernel
        }
        odd["kernel/vm.c"] = f"\ufeff{odd['kernel/vm.c']}"
        assert self.build(odd).traits.processes == 48

    def test_bare(self) -> None:
        """Neither Makefile nor linker script nor mkfs: everything is compiled, and the image is
        ours."""
        names = ("Makefile", "kernel/kernel.ld", "mkfs/mkfs.c", "kernel/other.c")
        vm = TREE["kernel/vm.c"].split("#ifndef")[0].replace("DEPTH", "0")
        built = self.build({**dict.fromkeys(names), "kernel/vm.c": vm, "kernel/old/vm.c": vm})
        self.check_image(built.image.read_bytes())

    @pytest.mark.parametrize("folder", ["kernel/include", "include"])
    def test_folders_of_headers(self, folder: str) -> None:
        """Headers in folders that the Makefile gives in -I options; what they say counts as in the
        kernel's own."""
        moved = {name: None for name in TREE if name.endswith(".h")}
        headers = {name.replace("kernel", folder): TREE[name] for name in moved}
        vm = TREE["kernel/vm.c"].replace("kernel/", "")
        traits = self.build({**moved, **headers, "kernel/vm.c": vm}).traits
        assert (traits.processes, traits.memory_end) == (48, 0x80000000 + SMALL_MEMORY)

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
        extra = '#include "extra.h"\n#include "lib/extra.h"\nint extra(void) { return EXTRA; }\n'
        changes["lib/extra.c"] = extra
        changes["lib/extra.h"] = "#define EXTRA 3\n"
        traits = self.build({**dict.fromkeys(TREE), **changes}).traits
        assert (traits.processes, traits.memory_end) == (48, 0x80000000 + SMALL_MEMORY)

    def test_copies(self) -> None:
        """Without a Makefile neither hidden files nor copies of old versions are in the way."""
        changes = {"Makefile": None, "kernel/proc_old.c": TREE["kernel/proc.c"]}
        changes["kernel/vm.c"] = TREE["kernel/vm.c"].split("#ifndef")[0].replace("DEPTH", "0")
        self.build(
            {**changes, "kernel/._vm.c": "\0", "kernel/.history/vm.c": "\0", "kernel/other.c": None}
        )

    def test_litter(self) -> None:
        """Files that editors and file managers leave are ignored, with a Makefile or without."""
        text: str | None = "\0 cow_break cow_fork scause() == 15"
        self.write(dict.fromkeys(LITTER, text))
        for name in ("kernel/.#vm.c", "kernel/.#param.h", "mkfs/.#mkfs.c", ".#Makefile"):
            (self.tree / name).symlink_to("student@home.4711:1700000000")
        built = self.build({})
        assert built.notes == ["the kernel is in kernel"]
        assert built.image.read_bytes() == b"init\0" + PROGRAM
        staged = self.folder / "work/tree"
        found = [str(path.relative_to(staged)) for path in staged.rglob("*")]
        assert [name for name in found if name in LITTER or "/.#" in name] == []
        for name in ("Makefile", "kernel/other.c"):
            (self.tree / name).unlink()
        vm = TREE["kernel/vm.c"].split("#ifndef")[0].replace("DEPTH", "0")
        (self.tree / "kernel/vm.c").write_text(vm)
        program = self.folder / "program"
        build_as(self.tree, self.folder / "work", {"init": program})

    @pytest.mark.parametrize("name", [
        "link/../../../../../../target/x", "../target/x", "/target/x", "link/x", "a/./../target/x",
    ])
    def test_folders_outside(self, name: str) -> None:
        """Names of objects that lead elsewhere, through a link or out of the tree, write nothing
        there."""
        self.build({})
        inner = self.tree / "a/b/c/d/e/f"
        inner.mkdir(parents=True)
        (self.tree / "link").symlink_to("a/b/c/d/e/f")
        (self.tree / "target").mkdir()
        (self.tree / "target/owned.c").write_text("int owned;\n")
        (inner / "x.c").write_text("int x;\n")
        (self.tree / "Makefile").write_text(MAKEFILE.replace("$K/proc.o", f"$K/proc.o {name}.o"))
        to = self.folder / "1/2/3/4/5/6/7/tree"
        to.mkdir(parents=True)
        stage(self.tree, to)
        found = [path for path in self.folder.rglob("owned.c") if self.tree not in path.parents]
        assert found + list(to.rglob("x.c")) == []

    @pytest.mark.parametrize("name", ["flags", "build.mk", "names", "headers.c"])
    def test_names_of_ours(self, name: str) -> None:
        """A kernel's folder may have a name that we use for something else."""
        changes: dict[str, str | None] = dict.fromkeys(TREE)
        for path, text in TREE.items():
            changes[path.replace("kernel/", f"{name}/")] = text.replace(
                '"kernel/', f'"{name}/'
            )
        changes["Makefile"] = MAKEFILE.replace("K=kernel", f"K={name}")
        assert self.build(changes).traits.processes == 48

    @pytest.mark.parametrize("result", ["nothing", "1", "0"])
    def test_mkfs_fails(self, result: str) -> None:
        """An mkfs that does not compile, one that ends badly and one that forgets the program are
        replaced."""
        built = self.build({"mkfs/mkfs.c": f"int main(void) {{ return {result}; }}"})
        self.check_image(built.image.read_bytes())

    def check_image(self, image: bytes) -> None:
        """Follows the image to the program."""
        magic, size, _, _, _, _, inodes, bitmap = struct.unpack_from("<8I", image, 1024)
        assert (magic, size, len(image)) == (xv6_image.MAGIC, 200, 200 * 1024)
        root = struct.unpack_from("<4hI5I", image, inodes * 1024 + 64)
        assert root[:5] == (1, 0, 0, 1, 1024)
        assert image[root[5] * 1024 + 32 :][:16] == struct.pack("<H14s", 2, b"init")
        file = struct.unpack_from("<4hI5I", image, inodes * 1024 + 128)
        assert (file[0], file[4]) == (2, len(PROGRAM))
        blocks = [*file[5:9], *struct.unpack_from("<2I", image, file[9] * 1024)]
        assert b"".join(image[block * 1024 :][:1024] for block in blocks) == PROGRAM
        assert all(image[bitmap * 1024 + block // 8] >> block % 8 & 1 for block in blocks)

    def test_errors(self) -> None:
        """The student is told where the compiler stumbled, and that endless input is refused."""
        with pytest.raises(SubmissionError, match=r"kernel/trap\.c:1:.*error"):
            self.build({"kernel/trap.c": "int ticks = no_such_name;\n"})
        with pytest.raises(SubmissionError):
            self.build({"kernel/trap.c": '#include "/dev/zero"\n'})

    def test_machine(self) -> None:
        """The disk's kind and memory protection follow the sources."""
        assert "virtio-mmio.force-legacy=true" in self.build({}).qemu_args
        assert "rv64,h=false,debug=false,pmp=false" in self.build({}).qemu_args
        modern = {"kernel/trap.c": "#define OLD (*R(VIRTIO_MMIO_VERSION) != 2)\n"}
        modern["kernel/proc.c"] = "int main(void) { return 0; } // pmpaddr0\n"
        assert "virtio-mmio.force-legacy=false" in self.build(dict(modern)).qemu_args
        assert "rv64,h=false,debug=false,pmp=false" in self.build(dict(modern)).qemu_args
        modern["kernel/proc.c"] = 'int main(void) { asm("csrw pmpaddr0, a0"); return 0; }\n'
        assert "rv64,h=false,debug=false,pmp=false" not in self.build(dict(modern)).qemu_args

    def test_first_process_in_a_file(self) -> None:
        """Kernels that take the first process's code from user/initcode get ours."""
        linked = "extern char _binary_user_initcode_start[];\n"
        linked += "int main(void) { return *_binary_user_initcode_start; }\n"
        included = '#ifdef __riscv\nasm(".incbin \\"user/initcode\\"");\n#endif\n'
        included += "int main(void) { return 0; }\n"
        for text in (linked, included):
            assert b"/init\0" in self.build({"kernel/proc.c": text}).kernel.read_bytes()

    def test_panic_of_the_base(self) -> None:
        """If the base's uvmcreate() panics without memory, students lose no points for that."""
        function = "uvmcreate()\n{\n  if(kalloc() == 0)\n    %s;\n  return 0;\n}\n"
        function += "void panic(char*s){}\n"
        for failing, least in (
            ('panic("out of memory")', 5), ("return 0", 0), ("return 0 /* panic */", 0)
        ):
            texts = {Path("vm.c"): function % failing, Path("vm.h"): "uvmcreate() {\npanic\n}"}
            assert least_for_fork(texts) == least, failing
