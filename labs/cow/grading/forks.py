"""What every fork is judged by, whatever the test is about: that it shares the pages at all."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from grader import sv39
from grader.decode import Registers
from grader.run import Failure
from labs.cow.grading.evidence import check_shared
from labs.cow.grading.probe import OPERATIONS
from labs.cow.grading.process import FORK, PAGE, WORD, Command, Process, page_of
from labs.cow.grading.visits import WORDS_AHEAD, Change, prove

PROVEN = 0.5  # the share of forks after which tables are also inspected between instructions
# The share of forks, besides the first, that are judged before parent or child makes a system call.
UNFORESEEN = 0.1


@dataclass
class Fork:
    """A fork that is judged.

    Judged are the pages that the parent could write to at some time, without those that parent or
    child may write to before they are seen again: their stacks, and the word of OP_FORK_STORE.
    """

    parent: Process
    before: dict[int, sv39.Entry]
    written: set[int]
    change: Change | None = None  # of a word, while the newborn child was looked at

    def judge(self, child: Process) -> None:
        """Judges the fork once parent and child have come to the checkpoint: they still share."""
        if self.change:
            self.change.undo()
        pages = self.check(child)
        if self.parent.session.chance.random() < PROVEN:
            prove([self.parent, child], pages)

    def check(self, child: Process) -> set[int]:
        """Checks that parent and child have the frames that the parent had; returns the pages."""
        parent = self.parent
        stacks = {*parent.stack, *child.stack}
        here, there = parent.leaves(), child.leaves()
        pages = (parent.data & here.keys() & there.keys()) - stacks - self.written
        check_shared([parent, child], sorted(pages))
        parent.session.notes.frames_shared.update(here[va].pa for va in pages)
        for va in sorted(pages & self.before.keys()):
            if here[va].pa != self.before[va].pa:
                expected = f"the parent to keep its frame {self.before[va].pa:#x}"
                raise Failure("shared", expected, f"{here[va].pa:#x}", page=va, process=parent.name)
        return pages

    def look(self, command: Command) -> None:
        """Stops the child as soon as it runs, while its parent waits in a loop of the probe's.

        Neither has made a system call since the fork, so a kernel that usually copies cannot know
        that it is inspected now. The parent leaves its loop when a word changes in the frame that
        it had before the fork.
        """
        session, pages = self.parent.session, self._pages_to_look_at()
        if not pages:
            return
        page = session.chance.choice(pages)
        offset = 8 * session.chance.randrange(WORDS_AHEAD, PAGE // 8)
        pa, memory = self.before[page].pa + offset, session.machine.memory
        self.change = Change(memory, pa, memory.read(pa, 8))
        old = int.from_bytes(self.change.old, "little")
        new = (old ^ session.chance.randrange(1, WORD)).to_bytes(8, "little")
        newborn, waiting = session.probe.place("newborn"), session.probe.place("parent_waits")
        if not session.notes.saw_fresh_child:
            newborn = newborn.unwatched  # no page of the place can be kept from the first child

        def visit(registers: Registers) -> None:
            session.leave(newborn)
            session.leave(waiting)
            if self._look_at_newborn(registers, page):
                memory.write(pa, new)

        command.name, command.text = "OP_FORK_LOOK", f"fork_look({page + offset:#x})"
        command.words = [OPERATIONS["OP_FORK_LOOK"], page + offset, old]
        # Where time is counted in instructions, QEMU lets it pass up to the next timer's while the
        # machine is stopped: without this stop the parent would wait for the end of its slice.
        session.visit(waiting, lambda _: session.leave(waiting))
        session.visit(newborn, visit)

    def _pages_to_look_at(self) -> list[int]:
        """Returns the pages that parent and child share in any case."""
        parent, text = self.parent, self.parent.session.probe.text
        program = range(text.address, text.address + text.size)
        return [
            va for va in sorted(parent.data & self.before.keys())
            if va not in program and va not in parent.stack
        ]

    def _look_at_newborn(self, registers: Registers, page: int) -> bool:
        """Checks what the child shares; returns False if there is none, because fork has failed."""
        session, parent = self.parent.session, self.parent
        child = session.process_at(registers, "the newborn child")
        if child in session.processes:
            return False
        session.lines.append(f"{child.name} is stopped before its first system call")
        if session.surprises.is_one(registers):
            session.notes.saw_fresh_child = True
            self.check(child)
            check_shared([parent, child], [page])
        return True


def watch(parent: Process, command: Command) -> Callable[[Process], None]:
    """Notes the parent's pages before a fork; returns what judges the child."""
    session, before = parent.session, parent.leaves()
    parent.data.update(va for va, entry in before.items() if entry.w or entry.rsw)
    written = {page_of(command.words[1])} if command.name == "OP_FORK_STORE" else set()
    fork = Fork(parent, before, written)
    is_plain = command.words[:2] == [OPERATIONS["OP_CALL"], FORK]
    if is_plain and (not session.notes.saw_fresh_child or session.chance.random() < UNFORESEEN):
        fork.look(command)
    return fork.judge
