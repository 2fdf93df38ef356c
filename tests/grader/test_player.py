"""What the probe's player assumes of a kernel."""
from __future__ import annotations

import random
from unittest.mock import Mock, call, patch

import pytest
from grader.built import Traits
from grader.run import Failure
from labs.cow.grading.checkpoints import STARVING
from labs.cow.grading.process import PAGE, Process
from labs.cow.grading import tests_races
from labs.cow.grading.session import Session
from labs.cow.grading.tests_history import Model


def forking(_: object = None) -> Mock:
    """Returns a process whose fork returns another such."""
    return Mock(fork=Mock(side_effect=forking))


@pytest.mark.parametrize("pages, hole", [(1, 0x7000), (3, 0x5000)])
def test_hole_is_below_all_pages_of_the_stack(pages: int, hole: int) -> None:
    """However many there are."""
    process = Process(Mock(is_cow6=False), "init", 1, 0)
    process.stack_pointer = 0x8F00
    lowest = 0x9000 - pages * 0x1000
    with patch.object(Process, "find", lambda _, va, lowest=lowest: va >= lowest or None):
        assert process.below_stack & -0x1000 == hole


@pytest.mark.parametrize("executable, content, seen", [
    (True, b"code", ""), (True, b"c0de", "other bytes"), (False, b"code", "cannot be executed"),
])
def test_program_is_ours(executable: bool, content: bytes, seen: str) -> None:
    """A page of it that faults when it is executed would tell the kernel where a process is."""
    text = Mock(address=0, content=b"code" + bytes(PAGE))
    probe = Mock(text=text, symbols={"code_limit": PAGE})
    session = Session(Mock(), Mock(dialect="cow6"), probe, Mock())
    process = Mock(read=lambda va, size: (content + bytes(PAGE))[:size])
    process.name = "init"
    process.entry.return_value = Mock(x=executable)
    said = ""
    try:
        session.check_program(process)
    except Failure as failure:
        said = failure.seen
    assert seen in said and bool(seen) == bool(said)


def test_few_processes() -> None:
    """A random history never has more processes, with those not waited for, than the kernel has
    room for."""
    session = Session(
        Mock(), Mock(dialect="xv6", traits=Traits(processes=8)), Mock(), random.Random(1)
    )
    model = Model(session, forking(), 0, b"")
    with patch.object(Model, "write"):
        for _ in range(300):
            model.step()
            assert len(model.memory) + model.dead <= 6
    assert len(model.memory) + model.dead == 6


def test_starving() -> None:
    """A process that never comes gets a time in which all others sleep, however long a tick
    is."""
    machine = Mock()
    session = Session(machine, Mock(dialect="xv6"), Mock(), Mock())
    session.processes = [Process(session, str(i), i, i) for i in range(3)]
    with patch.object(session, "advance"):
        for _ in range(STARVING + 1):
            assert call(0, 11, 6) not in machine.set_register.mock_calls
            session.parked = session.processes[0]
            session.next("nothing", 1)
    assert call(0, 11, 6) in machine.set_register.mock_calls


@pytest.mark.parametrize("has_orphans", [False, True])
def test_nothing_is_changed_that_an_orphan_may_copy(has_orphans: bool) -> None:
    """One of an earlier round, which has yet to write, would find the change in its memory."""
    with patch.object(tests_races, "prove") as prove, patch.object(tests_races, "evidence"):
        tests_races.look_at_meeting(Mock(), [], range(0), has_orphans)
    prove.assert_called_once_with([], range(0), changes=not has_orphans)
