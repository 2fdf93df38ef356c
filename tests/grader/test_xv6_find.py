"""Where in a submission the xv6 kernel is."""
from __future__ import annotations

import pytest
from grader.errors import SubmissionError
from grader.xv6_find import find_kernel
from xv6_trees import LITTER, Case


class TestFind(Case):
    """Where the kernel is."""

    def found(self) -> str:
        """Returns the kernel's folder."""
        return str(find_kernel(self.tree).relative_to(self.tree))

    def test_in_a_folder(self) -> None:
        """Names with spaces, and other case."""
        self.write({}, "Lab 6 (final)/my xv6")
        assert self.found() == "Lab 6 (final)/my xv6/kernel"

    def test_collection(self) -> None:
        """The folder's name decides, then what the sources speak of."""
        for below in ("lab1", "lab9"):
            self.write({}, below)
        self.write({"kernel/vm.c": "#define PTE_COW 1\nint cow_break, cow_fork;\n"}, "lab4")
        assert self.found() == "lab4/kernel"
        self.write({}, "lab5-COW")
        assert self.found() == "lab5-COW/kernel"

    def test_subfolders(self) -> None:
        """Sources in folders below the kernel's."""
        self.write({"kernel/vm.c": None, "kernel/mm/vm.c": "int top;\n"})
        assert self.found() == "kernel"

    def test_copies(self) -> None:
        """Old versions in a subfolder do not confuse."""
        self.write({"kernel/old/vm.c": "int top;\n", "kernel/old/main copy.c": "int main;\n"})
        assert self.found() == "kernel"

    def test_no_kernel(self) -> None:
        """An incomplete kernel, or one with a link in it."""
        self.write({"kernel/trap.c": None})
        (self.tree / "kernel" / "trap.c").symlink_to(self.tree / "kernel" / "proc.c")
        with pytest.raises(SubmissionError):
            self.found()

    def test_litter_alone(self) -> None:
        """A folder with nothing else has no kernel."""
        for name in LITTER:
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            (self.tree / name).write_text("")
        with pytest.raises(SubmissionError, match="no xv6 kernel"):
            find_kernel(self.tree)
