"""Tests of the Makefile, and of the tools that it shares with tools/setup."""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import command
import pytest
import products
from command import Done
from products import ROOT, make_environment

SECONDS = 3600.0  # far more than any make needs, on the busiest host
ODD = """it's "odd" [a]&b (c);d #$HOME %é,=e:f\\"""
NO_PYTHON = "has no python 3.7 or later"
OTHERS_FILES = {
    ".git", "build", "fs.img", "mkfs/mkfs", "mkfs/fsck", "kernel/kernel", "compile_commands.json",
}


def run(*words: str, cwd: Path = ROOT, env: dict[str, str] | None = None) -> Done:
    """Runs a command, by default like one that is typed: without the variables of an outer make."""
    environment = env or make_environment(Path("elsewhere"))
    return command.run(words, cwd=cwd, env=environment, seconds=SECONDS)


def copy_tree(to: Path) -> None:
    """Copies this tree's sources; other tests may build in this tree at the same time."""

    def others(folder: str, names: list[str]) -> set[str]:
        place = os.path.relpath(folder, ROOT)
        paths = {name: os.path.normpath(os.path.join(place, name)) for name in names}
        products_of = ("kernel/kernel.", "mkfs/mkfs.", "mkfs/fsck.", "fs.img.")
        return {
            name for name, path in paths.items()
            if path in OTHERS_FILES or name == "__pycache__"
            or path.startswith(products_of) and not path.endswith((".c", ".h", ".ld"))
        }

    shutil.copytree(ROOT, to, ignore=others)


def files(folder: Path) -> list[str]:
    """Returns all files below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def products_of_all() -> list[str]:
    """Returns what `make all` makes, and what editors want."""
    return [*run("make", "print-PRODUCTS").output.split(), "compile_commands.json"]


class Case:
    """Has a folder of its own, with an ordinary name."""

    @pytest.fixture(autouse=True)
    def set_up(self, tmp_path: Path) -> Iterator[None]:
        self.folder = tmp_path
        yield
        run("chmod", "-R", "u+w", str(tmp_path))  # one of the tests makes a tree read-only


class TestGoals(Case):
    """Goals, in one command or in two at the same time."""

    def make(self, *words: str) -> str:
        """Runs make with products in this test's folder; returns its output."""
        done = run("make", f"BUILD={self.folder}", *words)
        assert done.status == 0, done.output
        return done.output

    def test_clean_and_others(self) -> None:
        """Goals beside clean are made in their order, with -j and without, in any tree."""
        mkfs = f"{self.folder}/mkfs/mkfs"
        for words in (
            ["clean", mkfs], ["-j8", "clean", mkfs], ["-B", "clean", mkfs],
            ["clean", mkfs, "clean", mkfs],
        ):
            assert "HOSTLD" in self.make(*words)
            assert os.access(mkfs, os.X_OK)
        self.make("-j8", mkfs, "clean")
        assert files(self.folder) == []

    def test_clean_removes_only_what_make_made(self) -> None:
        """A folder `build` that was there before is left alone."""
        (self.folder / "build").mkdir()
        (self.folder / "build/thesis").write_text("")
        done = run("make", f"BUILD={self.folder}", "clean")
        assert done.status != 0
        assert "is not the work of make" in done.output
        assert files(self.folder) == ["build", "build/thesis"]

    def test_two_makes_at_once(self) -> None:
        """Two makes that build the same target do not see each other's unfinished files."""
        def start(target: str) -> subprocess.Popen[str]:
            return subprocess.Popen(
                ["make", "-j2", f"BUILD={self.folder}", "OPT=-O0", target],
                cwd=ROOT,
                env=make_environment(Path("elsewhere")),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )

        for name in ("mkfs/mkfs", "kernel/kernel"):
            both = [start(f"{self.folder}/{name}") for _ in range(2)]
            for process in both:
                output, _ = process.communicate(timeout=SECONDS)
                assert process.returncode == 0, output
        unfinished = [
            path for path in self.folder.rglob("*") if path.suffix[1:].isdigit() and path.is_file()
        ]
        assert unfinished == []

    def test_dry_run(self) -> None:
        """It prints the commands, and runs none."""
        text = self.make("-n", "qemu")
        assert "-c -o" in text
        assert re.search(r"(?m)^qemu-system-riscv64 .*/kernel/kernel ", text)
        assert files(self.folder) == []

    def test_changed_options_rebuild(self) -> None:
        """Objects are built again when the options change, and only then."""
        tool = f"{self.folder}/mkfs/mkfs"
        self.make(tool)
        assert "HOSTCC" not in self.make(tool)
        assert "HOSTCC" in self.make("-n", tool, "WARNINGS=-Wall")
        assert "HOSTCC" in self.make(tool, "WARNINGS=-Wall")
        for level in ("-O0", "-O1", "-O2", "-O3", "-Os", "-Og"):
            assert f" {level} " in self.make(f"OPT={level}", "print-KERNEL_CC")
            assert f" {level} " in self.make(f"OPT={level}", "LLVM=1", "print-USER_CC")

    def test_help_is_complete(self) -> None:
        """Each target with a remark is listed."""
        text = self.make("help")
        for name in (
            "all", "setup", "qemu", "qemu-gdb", "gdb", "check", "bench", "bench-check",
            "bench-save", "profile", "lint", "print-qemu", "help",
        ):
            assert re.search(rf"(?m)^make {name} ", text)

    def test_make_runs_tools_that_run_make(self) -> None:
        """A make that a tool runs gets the variables of the outer make, but not its jobs."""
        with mock.patch.dict(
            os.environ, MAKEFLAGS="kw -j8 --jobserver-auth=3,4 -- BUILD=/x DEBUG=1"
        ):
            assert make_environment()["MAKEFLAGS"].split() == ["kw", "--", "BUILD=/x", "DEBUG=1"]
            assert "MAKEFLAGS" not in make_environment(self.folder)
        with mock.patch.dict(os.environ, MAKEFLAGS=" -j --jobserver-fds=3,4"):
            assert make_environment()["MAKEFLAGS"].split() == []
        with mock.patch.object(products, "BUILD", "../x"):
            assert products.target("fs.img") == str(ROOT.parent / "x/fs.img")


class TestWrongValues(Case):
    """Values and goals that make refuses, in one line and before it writes anything."""

    def refused(self, *words: str) -> str:
        """Returns what make says, which must be one line of its own."""
        done = run("make", f"BUILD={self.folder}/out", *words)
        assert done.status != 0, words
        assert re.search(r"^Makefile:\d+: \*\*\* [^\n]*\n$", done.output), words
        assert files(self.folder) == [], words
        return done.output

    @pytest.mark.parametrize("cpus", [
        "", "0", "513", "-1", "two", "1.5", "1 2", "%", "$$(touch x)", "it's",
    ])
    def test_numbers_of_harts(self, cpus: str) -> None:
        """There are 1 to 512."""
        assert f"CPUS={cpus.replace('$$', '$')}: " in self.refused("all", f"CPUS={cpus}")

    @pytest.mark.parametrize("mem", [
        "", "0", "31", "31M", "32767K", "9G", "8193M", "-64M", "1.5G", "big", "128MB", "64M 64M",
        "it's",
    ])
    def test_memory_sizes(self, mem: str) -> None:
        """The machine has 32 MiB to 8 GiB, whatever units they are given in."""
        assert f"MEM={mem}: 32M to 8G" in self.refused("qemu", f"MEM={mem}")

    @pytest.mark.parametrize("words", [
        ["CPUS=1", "MEM=32M"], ["CPUS=16", "MEM=8G"], ["MEM=32"], ["MEM=32768k"], ["MEM=8192m"],
    ], ids=" ".join)
    def test_machines_that_just_fit(self, words: list[str]) -> None:
        """They are not refused."""
        done = run("make", "print-qemu", *words)
        assert done.status == 0, done.output

    @pytest.mark.parametrize("opt", ["", "O2", "-O9", "-O", "-g -O2", "2", "%"])
    def test_levels_of_optimisation(self, opt: str) -> None:
        """The level names a folder, so it must be one of the known ones."""
        assert f"OPT={opt}: " in self.refused("-n", "all", f"OPT={opt}")

    def test_options_after_the_level(self) -> None:
        """Any may follow."""
        assert " -Os -ggdb " in run("make", "print-KERNEL_CC", "OPT=-Os -ggdb").output

    @pytest.mark.parametrize("name", ["LLVM", "DEBUG"])
    def test_switches(self, name: str) -> None:
        """They are 1, or 0 or nothing."""
        for value in ("yes", "no", "2", "1 1"):
            assert f"{name}={value}: " in self.refused("all", f"{name}={value}")
        for value in ("", "0", "1"):
            assert run("make", "help", f"{name}={value}").status == 0

    def test_kernel_options_are_no_make_variables(self) -> None:
        """They are no variables of make."""
        assert "FORK=eager: say APPEND=fork=eager" in self.refused("qemu", "FORK=eager")
        assert "init=/sh: say APPEND=init=/sh" in self.refused("qemu", "init=/sh")
        assert run("make", "help", "APPEND=fork=eager").status == 0

    @pytest.mark.parametrize("goals", [
        ["qmeu"], ["kernel"], ["all", "qemu1"], ["clean", "tset"], ["-B", "-n", "fsimg"],
    ], ids=" ".join)
    def test_unknown_goals(self, goals: list[str]) -> None:
        """If one goal is unknown, nothing is made."""
        assert f"there is no goal {goals[-1]}: `make help` lists" in self.refused(*goals)

    def test_goals_that_are_known(self) -> None:
        """Files, patterns, dry runs, and those of another Makefile."""
        mine = self.folder / "mine.mk"
        mine.write_text("include Makefile\none two:\n")
        for words in (
            ["-n", "-B", "all"], ["-n", "clean", "qemu"], ["-n", "build/host/test_fs"],
            ["print-NM"], ["-f", str(mine), "two"],
        ):
            done = run("make", *words)
            assert done.status == 0, done.output


class TestPlaces(Case):
    """Where the tree is, and where its products go."""

    def test_path_with_odd_characters(self) -> None:
        """The tree works in any place, with its products beside the sources."""
        tree = self.folder / ODD
        copy_tree(tree)
        shutil.rmtree(tree / "user/tests")  # which take longer than all else
        built = run("make", "-j2", "all", "build/host/test_text", cwd=tree)
        assert built.status == 0, built.output
        assert "0 failed" in run("build/host/test_text", cwd=tree).output
        checked = run(sys.executable, "tests/check.py", "exit-status-0", "lint-headers", cwd=tree)
        assert "2 passed, 0 failed" in checked.output
        elsewhere = run("make", "O=x", "all", cwd=tree)
        assert elsewhere.status != 0
        assert re.search(
            r"(?s)^Makefile:\d+: \*\*\* BUILD=[^\n]*choose another folder.  Stop.\n$",
            elsewhere.output,
        )

    def test_products_elsewhere(self) -> None:
        """With BUILD, or O for short, nothing is written into the tree; it may be read-only."""
        tree, out = self.folder / ODD, self.folder / "out"
        copy_tree(tree)
        before = files(tree)
        for path in [tree, *tree.rglob("*")]:
            path.chmod(path.stat().st_mode & 0o555)
        for words in (
            ["all"],
            ["compile_commands.json"],
            ["check", "CHECKS=exit-status-0 lint host-test_text"],
        ):
            done = run("make", "-j2", f"O={out}", *words, cwd=tree)
            assert done.status == 0, done.output
        for name in (
            "kernel/kernel", "kernel/kernel.sym", "kernel/kernel.asm", "fs.img", "mkfs/mkfs",
            "mkfs/fsck",
        ):
            assert (out / name).is_file(), name
        assert (out / "compile_commands.json").is_file()
        command = run("make", "-s", f"BUILD={out}", "print-qemu", cwd=tree).output
        assert f" -kernel {out}/kernel/kernel " in command
        assert f"file={out}/fs.img," in command
        assert files(tree) == before
        run("make", f"BUILD={out}", "clean", cwd=tree)
        assert not out.exists()

    def test_names_as_in_this_tree(self) -> None:
        """With BUILD, a product can be named as without it; it is made in that folder. So is what
        python compiles, also if python is to leave nothing beside the sources."""
        out = self.folder / "out"
        environment = {**make_environment(Path("elsewhere")), "PYTHONDONTWRITEBYTECODE": "1"}
        environment.pop("PYTHONPYCACHEPREFIX", None)
        for name in ("compile_commands.json", "mkfs/mkfs", "build/host/test_text"):
            done = run("make", f"BUILD={out}", name, env=environment)
            assert (out / name).is_file(), done.output
        assert list((out / "build/pycache").rglob("*.pyc")) != []
        for name in products_of_all():
            assert f" {out}/{name}" in run("make", "-B", "-n", f"BUILD={out}", name).output

    def test_out_of_the_environment_is_not_ours(self) -> None:
        """A script that has a variable of that name does not move what it makes."""
        environment = {**make_environment(Path("elsewhere")), "OUT": "away/"}
        assert "away" not in run("make", "print-PRODUCTS", env=environment).output

    @pytest.mark.parametrize("name, why", [
        ("/tmp/a b", "may have letters"), ("it's", "may have letters"),
        ("..", "this tree is in"), ("/", "this tree is in"), ("a$b", "may have letters"),
        ("a%b", "may have letters"),
    ])
    def test_folders_that_are_refused(self, name: str, why: str) -> None:
        """One clear line says why."""
        done = run("make", f"BUILD={name}", "help")
        assert done.status != 0
        assert re.search(rf"^Makefile:\d+: \*\*\* BUILD=[^\n]*{why}[^\n]*\n$", done.output)

    @pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no git repository")
    def test_line_ends(self) -> None:
        """git keeps LF in every file, even where it is set to write CRLF."""
        options = ("-c", "core.autocrlf=true", "-c", "core.eol=crlf", "-c", "safe.directory=*")
        names = run("git", *options, "ls-files", "-z").output.split("\0")
        clone = run("git", *options, "clone", "-q", str(ROOT), str(self.folder / "clone"))
        assert clone.status == 0, clone.output
        with_returns = [name for name in names if name and (self.folder / "clone" / name).is_file()
                        and b"\r\n" in (self.folder / "clone" / name).read_bytes()]
        assert with_returns == []


class TestTools(Case):
    """Programs that are on the path or missing; tools/find-gdb looks for a debugger."""

    @pytest.fixture(autouse=True)
    def set_up_path(self) -> None:
        for name in "sh sed dirname awk cat cmp expr id uname mkdir make rm echo wc tr".split():
            found = shutil.which(name)
            if found:
                (self.folder / name).symlink_to(found)
        self.environment = {"PATH": str(self.folder)}

    def fake(
        self, name: str, riscv: str = "riscv:rv64", python: str = "cow6 True", status: int = 0
    ) -> None:
        """Puts a gdb on the path that gives these answers to tools/find-gdb, and this status."""
        script = self.folder / name
        script.write_text(f'''#!{shutil.which("sh")}
            case "$*" in
            *-batch*"show architecture") echo 'Undefined item: "riscv:rv64".' >&2; echo '{riscv}';;
            *-batch*python*cow6*) echo '{python}';;
            *) echo {name} runs: "$@"; exit;;
            esac
            exit {status}\n''')
        script.chmod(0o755)

    def find(self) -> str:
        """Returns which gdb is found, or why none is."""
        text = run("sh", "tools/find-gdb", env=self.environment).output.strip()
        return text.replace(f"{self.folder}/", "")

    def gdb_of_make(self, *words: str) -> str:
        """Returns which gdb `make gdb` runs."""
        text = run("make", "gdb", *words, env=self.environment).output
        found = re.search("(?m)^(.*) runs: ", text)
        return found[1] if found else text

    def is_missed(self) -> bool:
        """Tells whether tools/setup misses a gdb."""
        return "(make gdb)" in run("sh", "tools/setup", env=self.environment).output

    def test_no_compiler(self) -> None:
        """One line says so where one is needed; everything else works."""
        for goal in ("help", "print-qemu", "print-gdbport"):
            done = run("make", goal, env=self.environment)
            assert done.status == 0, done.output
        out = f"BUILD={self.folder}/out"
        compilers: list[tuple[list[str], str]] = [
            ([], "no RISC-V gcc with binutils was found (riscv64-unknown-elf-gcc "),
            (["LLVM=1"], "clang, ld.lld or llvm-nm was not found"),
            (["TOOLPREFIX=no-such-"], "no RISC-V gcc with binutils was found (no-such-gcc)"),
        ]
        for words, wanted in compilers:
            done = run(
                "make", out, *words, f"{self.folder}/out/kernel/kernel", env=self.environment
            )
            assert done.status != 0
            assert f"*** {wanted}" in done.output
            assert done.output.count("\n") == 1, done.output
        done = run("make", out, f"{self.folder}/out/mkfs/mkfs", env=self.environment)
        assert "*** cc was not found: run `make setup`" in done.output

    @pytest.mark.parametrize("prefix", [
        "riscv64-unknown-elf-", "riscv64-elf-", "riscv64-linux-gnu-", "riscv64-none-elf-",
        "riscv64-unknown-linux-gnu-", "riscv-none-elf-", "riscv64-suse-linux-",
    ])
    def test_each_compiler(self, prefix: str) -> None:
        """Those of the distributions, of Homebrew and of the RISC-V tool chains are found."""
        for tool in ("gcc", "ld"):
            self.fake(f"{prefix}{tool}")
        assert run("make", "print-CC", env=self.environment).output == f"{prefix}gcc\n"
        said = run("sh", "tools/setup", env=self.environment).output
        assert "compiles the kernel" not in said

    def test_no_gdb(self) -> None:
        assert re.search("^no gdb for RISC-V was found: run 'make setup'", self.find())

    @pytest.mark.parametrize("status", [0, 1])
    @pytest.mark.parametrize("riscv, python, why", [
        ("", "cow6 True", "does not know riscv:rv64"),
        (
            'The target architecture is set to "auto" (currently "i386").', "cow6 True",
            "does not know riscv:rv64",
        ),
        ("riscv:rv64", "", NO_PYTHON),
        ("riscv:rv64", "Python scripting is not supported here", NO_PYTHON),
        (
            "riscv:rv64", "Python Exception <class ModuleNotFoundError>: No module named gdb",
            NO_PYTHON,
        ),
        ("riscv:rv64", "cow6 False", NO_PYTHON),
        ("riscv:rv64", "(cow6, True)", NO_PYTHON),
    ])
    def test_gdb_that_cannot_debug_riscv(
        self, riscv: str, python: str, why: str, status: int
    ) -> None:
        """What counts is a gdb's answer, not its exit status, nor that it prints no error."""
        self.fake("gdb", riscv, python, status)
        assert self.find().startswith(f"no gdb for RISC-V was found; gdb {why}: run")

    def test_make_and_setup_say_what_a_gdb_lacks(self) -> None:
        """And setup misses it."""
        self.fake("gdb", python="cow6 False")
        made = run("make", "gdb", env=self.environment)
        assert made.status != 0
        assert f"gdb {NO_PYTHON}: run 'make setup'" in made.output
        assert self.is_missed()

    def test_each_name_of_a_gdb(self) -> None:
        """Debian's, those with a compiler's prefix (Arch, Homebrew), and Fedora's plain gdb."""
        prefixes = (ROOT / "tools/prefixes").read_text().split()
        self.fake("gdb", riscv="")
        for name in ("gdb-multiarch", *(f"{prefix}gdb" for prefix in prefixes)):
            self.fake(name)
            assert self.find() == name
            (self.folder / name).unlink()
        self.fake("gdb-multiarch", python="")
        self.fake("gdb")
        assert self.find() == "gdb"
        said = run("make", "gdb", env=self.environment).output
        assert re.search("(?m)^gdb runs: .*riscv:rv64.*cow6.py", said)
        self.fake("mine")
        assert self.gdb_of_make("GDB=mine") == "mine"

    def test_gdb_of_the_chosen_tools(self) -> None:
        """With TOOLPREFIX, the gdb beside that compiler is preferred, if it can debug RISC-V."""
        mine = self.folder / "mine"
        mine.mkdir()
        prefix = f"TOOLPREFIX={mine}/riscv-none-elf-"
        self.fake("gdb-multiarch")
        assert self.gdb_of_make(prefix) == "gdb-multiarch"
        self.fake("mine/riscv-none-elf-gdb", python="")
        assert self.gdb_of_make(prefix) == "gdb-multiarch"
        self.fake("mine/riscv-none-elf-gdb")
        assert self.gdb_of_make(prefix) == "mine/riscv-none-elf-gdb"
        assert self.gdb_of_make() == "gdb-multiarch"
        (self.folder / "gdb-multiarch").unlink()
        assert "(make gdb)" not in run("make", "setup", prefix, env=self.environment).output
        assert "(make gdb)" in run("make", "setup", env=self.environment).output

    def test_setup_agrees_about_gdb(self) -> None:
        """It misses a gdb exactly if `make gdb` finds none."""
        self.fake("gdb", riscv="")
        assert self.is_missed()
        self.fake("riscv64-elf-gdb")
        assert not self.is_missed()
