"""What every fork is judged by, whatever the test is about: that the pages are shared at all."""
from __future__ import annotations

from typing import Callable, Dict, Set

from grader import sv39
from grader.run import Failure
from labs.cow.grading.evidence import check_shared
from labs.cow.grading.process import Command, Process, page_of
from labs.cow.grading.visits import prove

PROVEN = 0.5  # the share of forks after which tables are looked at in passing, too


def watch(parent: Process, command: Command) -> Callable[[Process], None]:
    """Notes the parent's pages before a fork; returns what judges the child.

    Judged is what the parent could write to at some time. Left out are pages that parent or child
    may write to before they are seen again: their stacks, and the word of OP_FORK_STORE.
    """
    before = parent.leaves()
    parent.data.update(va for va, entry in before.items() if entry.w or entry.rsw)
    written = {page_of(command.words[1])} if command.name == "OP_FORK_STORE" else set()
    return lambda child: _judge(parent, child, before, written)


def _judge(
    parent: Process, child: Process, before: Dict[int, sv39.Entry], written: Set[int]
) -> None:
    """Parent and child have the frames that the parent had."""
    stacks = {*parent.stack, *child.stack}
    here, there = parent.leaves(), child.leaves()
    pages = (parent.data & here.keys() & there.keys()) - stacks - written
    check_shared([parent, child], sorted(pages))
    for va in sorted(pages & before.keys()):
        if here[va].pa != before[va].pa:
            raise Failure(
                "shared", f"the parent to keep its frame {before[va].pa:#x}", f"{here[va].pa:#x}",
                page=va, process=parent.name,
            )
    if parent.session.chance.random() < PROVEN:
        prove([parent, child], pages)
