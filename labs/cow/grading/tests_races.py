"""Part G: several harts at once."""
from __future__ import annotations

from collections.abc import Iterator

from grader.run import Failure
from labs.cow.grading import evidence
from labs.cow.grading.evidence import fill_heap
from labs.cow.grading.hidden import check_hidden
from labs.cow.grading.process import PAGE, Command, Process
from labs.cow.grading.session import PATIENCE, Session, lost
from labs.cow.grading.tests_pages_back import check_pages_back
from labs.cow.grading.passing import Passing
from labs.cow.grading.visits import prove

RACE_PAGES, SCHEDULED_PAGES = 24, 8
ROUNDS = 60
CHURN_ROUNDS = 24
LEARNING_ROUNDS, LEARNING_PAGES = 4, 4
STRATEGIES = ("pos", "surw", "pct")
SEEDS = 1 << 62
MEETINGS = 3  # of a race
MEETING_STEP = 4  # in the churn, rounds that are 2 modulo 4 have a child and a grandchild


def race(
    session: Session, operation: str, rounds: int, number: int, has_orphans: bool = False
) -> None:
    """Runs one of the probe's races, in which so many processes meet; it must lose no page. Where
    schedules can be chosen, it is run with several."""
    is_scheduled = session.machine.schedules is not None
    first, pages = session.begin(), SCHEDULED_PAGES if is_scheduled else RACE_PAGES
    heap, seed = fill_heap(first, pages)
    session.end(first.fork("child"), first)

    def deed() -> None:
        learn_words(session, first, operation, heap)
        for _ in schedules(session):
            words = rounds_and_meetings(session, rounds)
            command = first.start(operation, heap, pages, words, seed)
            wrong = run_race(session, first, command, number, has_orphans)
            if wrong:
                seen = "fork failed" if wrong == -1 else f"{wrong} words or processes were wrong"
                expected = "all processes to have what they wrote, and what was there at the fork"
                raise Failure("counts", expected, seen, process="init", wrong=wrong)

    check_pages_back(session, first, "the race", deed)
    if has_orphans:  # its first process writes nothing
        first.check(heap, pages * PAGE, seed)
    evidence.check_sole_writers(session)
    check_hidden(session)


def rounds_and_meetings(session: Session, rounds: int) -> int:
    """Returns an operand of the probe's races: how many rounds, and in which processes meet."""
    period = rounds // MEETINGS // MEETING_STEP * MEETING_STEP
    first_meeting = 2 if period < 4 * MEETING_STEP else 2 + 2 * MEETING_STEP
    meeting = session.chance.randrange(first_meeting, period, MEETING_STEP)
    return rounds | period << 16 | meeting << 32


def learn_words(session: Session, first: Process, operation: str, heap: int) -> None:
    """Where schedules can be chosen, runs a short race to learn which words harts share."""
    if session.machine.schedules is None:
        return
    words = LEARNING_ROUNDS | LEARNING_ROUNDS << 16 | LEARNING_ROUNDS << 32  # nobody meets
    command = first.start(operation, heap, LEARNING_PAGES, words, 0)
    session.machine.schedules.learn(session.chance.randrange(SEEDS))
    session.finish(first, command)
    session.machine.schedules.end()


def schedules(session: Session) -> Iterator[None]:
    """Has one kind of schedule after the other decide which hart executes next, if that can be
    chosen; otherwise it is done once, as the machine likes it."""
    chooser = session.machine.schedules
    if chooser is None:
        yield
        return
    for strategy in session.chance.sample(STRATEGIES, len(STRATEGIES)):
        chooser.begin(strategy, session.chance.randrange(SEEDS))
        yield
        chooser.end()


def run_race(
    session: Session, first: Process, command: Command, number: int, has_orphans: bool
) -> int:
    """Runs a race to its end and inspects the processes that meet; returns how much was wrong."""
    heap, pages = command.words[1:3]
    vas = range(heap, heap + pages * PAGE, PAGE)
    session.newcomers.expect_any()
    patience, meetings, passing = PATIENCE, 0, Passing(session, vas)
    while command.answer is None:
        session.next(f"{first.name}: {command.text}", 1)
        together = [process for process in session.processes if process.meets]
        patience -= 1
        passing.has_met |= bool(together)
        if len(together) == number:
            look_at_meeting(session, together, vas, has_orphans)
            patience, meetings = PATIENCE, meetings + 1
        if patience == 0:
            raise lost(first, f"{number} processes to meet", f"{len(together)} do", command.text)
    session.newcomers.expect_no_more()
    if meetings < MEETINGS:
        expected = f"the processes to meet in at least {MEETINGS} rounds"
        raise Failure("counts", expected, f"the race ended after {meetings}", process=first.name)
    passing.end()
    return command.answer.value


def look_at_meeting(
    session: Session, together: list[Process], vas: range, has_orphans: bool
) -> None:
    """Checks that the processes of a race share all pages that they are about to write to. An
    orphan of an earlier round may share them, too, and copy what is changed in them from
    outside."""
    evidence.check_shared(together, vas)
    prove(together, vas, changes=not has_orphans)
    for process in together:
        is_child = process.race is None
        session.send(process, process.start("OP_GO"))
        if is_child:
            session.forget(process)


def race_writers(session: Session) -> None:
    """Three processes write to the same pages."""
    race(session, "OP_RACE_WRITERS", ROUNDS, 3)


def race_last_owners(session: Session) -> None:
    """Two write, or one exits while the other writes."""
    race(session, "OP_RACE_OWNERS", ROUNDS, 2)


def race_churn(session: Session) -> None:
    """Three processes fork, write and exit, and so do their children."""
    race(session, "OP_RACE_CHURN", CHURN_ROUNDS, 3, has_orphans=True)
