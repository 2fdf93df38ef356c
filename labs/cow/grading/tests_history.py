"""The last test of part B: random forks, writes and exits, compared with a model."""
from __future__ import annotations

from grader.run import Failure
from labs.cow.grading import evidence
from labs.cow.grading.evidence import check_bytes, start_family
from labs.cow.grading.process import PAGE, Process
from labs.cow.grading.session import Session
from labs.cow.grading.visits import prove

STEPS = 90
PROCESSES_MAX = 5
PAGES = 5
OTHER_PROCESSES = 2  # a kernel may have so many of its own
LOOKS = 0.15  # the share of steps after which two processes are inspected between instructions


class Model:
    """What each process has in its pages, and which copy of a page that is.

    Processes that have the same copy share a frame; a write makes a new copy unless no other
    process has the old one.
    """

    def __init__(self, session: Session, first: Process, heap: int, contents: bytes) -> None:
        self.session, self.first, self.heap = session, first, heap
        self.memory: dict[Process, bytearray] = {first: bytearray(contents)}
        self.copies: dict[Process, list[int]] = {first: list(range(PAGES))}
        self.next_copy = PAGES
        self.dead = 0  # zombies: not waited for yet
        self.most = max(3, session.slots - OTHER_PROCESSES)

    def add(self, parent: Process, child: Process) -> None:
        """Adds a child, which has and shares what its parent has."""
        self.memory[child] = bytearray(self.memory[parent])
        self.copies[child] = list(self.copies[parent])

    def step(self) -> None:
        """Does something at random."""
        chance = self.session.chance
        process = chance.choice(list(self.memory))
        action = chance.random()
        if action < 0.18 and len(self.memory) < min(PROCESSES_MAX, self.most - self.dead):
            self.add(process, process.fork(f"process {len(self.memory) + self.dead + 1}"))
        elif action < 0.3 and process is not self.first:
            self.end(process)
        else:
            self.write(process)

    def end(self, process: Process) -> None:
        """Has a process exit."""
        process.exit()
        del self.memory[process], self.copies[process]
        self.dead += 1

    def write(self, process: Process) -> None:
        """Stores something somewhere."""
        chance = self.session.chance
        size = chance.choice((1, 2, 4, 8))
        offset = chance.randrange(PAGES * PAGE - size)
        value = chance.getrandbits(8 * size)
        process.store(self.heap + offset, value, size)
        self.memory[process][offset:offset + size] = value.to_bytes(size, "little")
        for page in {offset // PAGE, (offset + size - 1) // PAGE}:
            self.copies[process][page] = self.next_copy
            self.next_copy += 1
            others = [other for other in self.memory if other is not process]
            evidence.check_own(process, self.heap + page * PAGE, others)

    def check(self) -> None:
        """Compares memory with the model."""
        what = "what only its own writes changed since it was forked"
        for process, contents in self.memory.items():
            check_bytes(process, self.heap, bytes(contents), "untouched", what)
        self.check_sharing()
        evidence.check_sole_writers(self.session)
        if self.session.chance.random() < LOOKS:
            some = self.session.chance.sample(list(self.memory), min(2, len(self.memory)))
            prove(some, range(self.heap, self.heap + PAGES * PAGE, PAGE))

    def check_sharing(self) -> None:
        """Checks that processes with the same copy of a page have the same frame."""
        sharers: dict[tuple[int, int], list[Process]] = {}
        for process, copies in self.copies.items():
            for page, copy in enumerate(copies):
                sharers.setdefault((page, copy), []).append(process)
        for (page, _), processes in sharers.items():
            if len(processes) > 1:
                evidence.check_shared(processes, [self.heap + page * PAGE])


def random_history(session: Session) -> None:
    """Forks, writes and exits at random, everything compared after each."""
    family = start_family(session, PAGES)
    parent, heap = family.parent, family.heap
    model = Model(session, parent, heap, family.expected(heap, PAGES * PAGE))
    model.add(parent, family.child)
    for _ in range(STEPS):
        model.step()
        model.check()
    for process in list(model.memory)[1:]:
        model.end(process)
    for _ in range(model.dead):
        answer = parent.wait()
        if answer.value < 0 or answer.more != 0:
            seen = f"{answer.value}, status {answer.more}"
            raise Failure("result", "wait to return a child with status 0", seen, process="init")
    check_bytes(parent, heap, bytes(model.memory[parent]), "untouched", "what it wrote")
