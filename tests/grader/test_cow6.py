"""The recipe for cow6: what is compiled again, and that no source brings the compiler down or out
of its folder."""
from __future__ import annotations

import shutil
import time
from contextlib import suppress
from pathlib import Path
from unittest import mock

import pytest
from command import run
from grader import cow6
from grader.built import Built
from grader.constants import PREFIX, choose_prefix
from grader.cow6_compile import first_lines
from grader.cow6_tree import collect
from grader.errors import SubmissionError
from products import ROOT
from submissions import need_sandbox
from toolchain import find_prefix
from xv6_trees import ODD

COW = "kernel/vm/cow.c"
HOSTILE = {
    "endless file": ('#include "/dev/zero"\n', "memory"),
    "itself": ('#include "cow.c"\n', "nested"),
    "assembler's recursion": ('__asm__(".macro m\\nm\\nm\\n.endm\\nm");\n', "too deeply"),
    "assembler's repetition": (
        '__asm__(".rept 100000000\\n.warning \\"hello\\"\\n.endr");\n', "memory|printed more"
    ),
    "large object": ("char x[3000000000] = {1};\n", "file of more than 64 MiB"),
    "other files": ('__asm__(".incbin \\"/etc/passwd\\"");\n', "file not found"),
    "the pristine tree": (f'#include "{ROOT}/kernel/vm/cow.c"\n', "No such file"),
    "error": (
        "int x = ;\n",
        r"^compiling kernel/vm/cow.c failed:\nkernel/vm/cow.c:1:9: error: expected expression"
    ),
    "missing function": (
        "", r"^linking the kernel failed:\n(.*\n)*.*undefined reference to `cow_\w+'"
    ),
}


class Enough(Exception):
    """It is known what would be compiled."""


class TestBuilds:
    """Kernels of this tree with changed files."""

    @pytest.fixture(autouse=True)
    def set_up(self, tmp_path: Path) -> None:
        self.sandbox = need_sandbox()
        self.folder = tmp_path / ODD
        self.folder.mkdir()
        self.submitted = self.folder / "submitted"

    def build(self, files: dict[str, str], prefix: str = PREFIX) -> Built:
        """Builds this tree with these files in it."""
        self.submitted.mkdir(exist_ok=True)
        for name, text in files.items():
            (self.submitted / name).parent.mkdir(parents=True, exist_ok=True)
            (self.submitted / name).write_text(text)
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        return cow6.build(
            self.submitted, work, self.sandbox.with_budget(100.0), pristine=ROOT, prefix=prefix,
            programs={"init": self.submitted / COW},
        )

    def compiled(self, files: dict[str, str], goes_on: bool = True) -> int:
        """Returns how many sources a build with these files compiles, or would compile."""
        stop = None if goes_on else Enough
        usual = cow6.compile_sources
        with mock.patch.object(cow6, "compile_sources", side_effect=stop, wraps=usual) as compiles:
            with suppress(Enough):
                self.build(files)
        sources = compiles.call_args.args[3]
        return len(sources)

    def test_compiles_what_changed(self) -> None:
        text = (ROOT / COW).read_text()
        header = (ROOT / "kernel/vm/cow.h").read_text()
        every = len(cow6.kernel_sources(ROOT))
        assert self.compiled({COW: text}) == 0
        assert self.compiled({COW: text + "int more;\n"}) == 1
        assert self.compiled({"kernel/vm/extra.c": "int extra;\n"}) == 2
        by_header = self.compiled({"kernel/vm/cow.h": header + "extern int more;\n"})
        assert 2 < by_header < every / 2, by_header
        shadow = {"kernel/vm/mem/frame.h": '#include "../../mem/frame.h"\n'}
        assert self.compiled(shadow, goes_on=False) == every + 1

    def test_litter_is_no_source(self) -> None:
        """Neither in the submission nor in a tree that is being edited while it grades."""
        text = (ROOT / COW).read_text()
        names = ("vm/._cow.c", "vm/.#cow.c", "vm/.cow.S", ".history/cow.c")
        files = [f"kernel/{name}" for name in names]
        assert self.compiled({COW: text, **dict.fromkeys(files, "\0")}) == 0
        tree = self.folder / "tree"
        for name in ("Makefile", "kernel/main.c", "kernel/LAYERS", COW):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tree / name)
        before = cow6.pristine_files(tree), cow6.kernel_sources(tree)
        for name in files[2:]:
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text("\0")
        (tree / "kernel/vm/.#cow.c").symlink_to("me@here.1")
        assert (cow6.pristine_files(tree), cow6.kernel_sources(tree)) == before

    def test_what_is_built(self) -> None:
        built = self.build({COW: (ROOT / COW).read_text()})
        assert built.dialect == "cow6"
        assert built.kernel.read_bytes()[:4] == b"\x7fELF"
        assert (ROOT / COW).read_bytes()[:1000] in built.image.read_bytes()

    @pytest.mark.parametrize("few", [
        "enum { HARTS_MAX = 1 };", "enum { HARTS_MAX = (3 - 2) };", "#define HARTS_MAX 0x1",
    ])
    def test_one_hart_becomes_all_that_races_need(self, few: str) -> None:
        """However a tree says that it has room for one."""
        header = (ROOT / "kernel/arch/hart.h").read_text()
        changed = header.replace("enum { HARTS_MAX = 8 };", few)
        assert changed != header
        self.submitted.mkdir()
        tree = self.folder / "one"
        (tree / "kernel/arch").mkdir(parents=True)
        (tree / "kernel/arch/hart.h").write_text(changed)
        collected = collect(tree, self.submitted, ["kernel/arch/*.h"])
        built = self.build({COW: (ROOT / COW).read_text()}, collected.prefix)
        symbols = run([f"{find_prefix('nm')}nm", "-S", built.kernel]).output
        size = next(
            line.split()[1] for line in symbols.splitlines() if line.endswith(" harts_started")
        )
        assert int(size, 16) == 8 * 2 * 8

    def test_prefix(self) -> None:
        """No source can make our macros' names long, or find them known."""
        texts = [
            "LIMITED_" + "X" * 1_000_000, "LIMITED_ LIMITED1_", "LIMITED" + "1" * 1_000_000 + "_"
        ]
        start = time.process_time()
        prefix = choose_prefix({Path(str(i)): text for i, text in enumerate(texts)})
        assert time.process_time() - start < 5
        assert len(prefix) < 20
        assert not any(prefix in text for text in texts)
        many = " ".join(f"LIMITED{number or ''}_" for number in range(100_000))
        assert choose_prefix({Path("many"): many}) == "LIMITED100000_"

    def test_kernel_that_does_not_fit(self) -> None:
        """A table that is larger than memory is refused before QEMU sees it."""
        with pytest.raises(SubmissionError, match="does not fit into memory"):
            self.build({COW: (ROOT / COW).read_text() + "char table[300 << 20] = {0};\n"})

    def test_long_messages(self) -> None:
        """Shortening them takes no time that grows with the square of their length."""
        start = time.process_time()
        text = first_lines("x/" * 400_000 + "\n" + " " * 200_000 + "\n" + "a\n" * 100_000)
        assert time.process_time() - start < 2
        assert len(text) < 40 * 310

    @pytest.mark.parametrize("name", HOSTILE)
    def test_hostile_source_is_refused(self, name: str) -> None:
        text, pattern = HOSTILE[name]
        with pytest.raises(SubmissionError, match=pattern) as caught:
            self.build({COW: text})
        assert str(self.folder) not in str(caught.value)

    def test_names_that_fit_nowhere(self) -> None:
        with pytest.raises(SubmissionError, match="kernel/vm/cow.c/x.c does not fit"):
            self.build({f"{COW}/x.c": ""})
        (self.submitted / COW / "x.c").unlink()
        with pytest.raises(SubmissionError, match="characters"):
            self.build({"kernel/vm/a b;c.c": ""})
