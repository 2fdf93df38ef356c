"""Grades a class on a Slurm cluster: queues arrays of tasks over the report's folder, which all
machines share, waits until they have ended, and queues again what is missing.

What is true is in the folder and in Slurm's queue, nowhere else: this program can be ended at any
time and started again, also twice at once.
"""
from __future__ import annotations

import math
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from classroom.grading import Child
from classroom.progress import ClassProgress
from classroom.record import ClassInfo, Record, Submission
from classroom.refused import refused
from classroom.slurm_queue import Queue, SlurmError, Tasks, Wishes
from classroom.slurm_round import Round, choose_size, split
from classroom.unit import (
    FAULT, GRADED, KEPT, Outcome, Way, find_newest_record, find_record, lock, make_key, make_record
)
from grader.display import display_name
from grader.errors import MACHINE_FAULT

ROUNDS = 3  # in which a submission is tried
LOOK_SECONDS = 5.0  # between two looks at the queue
WORKER = Path(__file__).with_name("worker.py")  # grades a student
MINUTES_EACH, MINUTES_MORE = 5, 15  # that a task may take besides the time for tests
USUAL_REASONS = {"None", "Resources", "Priority", "JobArrayTaskLimit", "Dependency"}
ADVICE = {
    "held": "`scontrol release jobname={}` lets them go",
    "begintime": "Slurm lets what a node has lost wait for two minutes",
    "limit": "they do not fit into the partition, or there are too many: `scancel --name={}` ends "
    "them",
}


@dataclass(frozen=True)
class SlurmOptions:
    """How a class is given to Slurm: so many submissions per task (chosen if None), at most so many
    tasks at a time, more words for sbatch; and for how long tests of a submission are started."""

    per_task: int | None
    throttle: int
    extra: Sequence[str]
    time_limit: float


def grade_on_slurm(
    way: Way, info: ClassInfo, submissions: Sequence[Submission], options: SlurmOptions,
    progress: ClassProgress,
) -> list[Outcome]:
    """Grades the submissions on Slurm. SlurmError if it cannot be used, or if the folder is full;
    on KeyboardInterrupt, what is queued stays in the queue. Either way, what is graded stays, and a
    call with the same folder goes on from there."""
    try:
        campaign = Campaign(way, info, options, progress)
        campaign.run(submissions)
    except OSError as error:
        raise SlurmError(
            f"{display_name(way.out)} cannot be used: {error.strerror or error}. What is graded "
            "is safe: make room, and run the same command again"
        ) from None
    return [campaign.outcomes[submission["id"]] for submission in submissions]


def read_name(file: Path) -> str:
    """Returns the name of this report's tasks, which no other report's have."""
    try:
        name = file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        name = f"cow6-{secrets.token_hex(5)}"
        file.write_text(name + "\n", encoding="utf-8")
    if not re.fullmatch(r"cow6-\w+", name):
        raise SlurmError(f"{display_name(file)} is damaged: remove it if no task is queued")
    return name


class Campaign:
    """The grading of a class, until all have an outcome."""

    def __init__(
        self, way: Way, info: ClassInfo, options: SlurmOptions, progress: ClassProgress
    ) -> None:
        self.way, self.info, self.options, self.progress = way, info, options, progress
        self.folder = way.out / "slurm"
        with lock(self.folder, "submit"):
            self.queue = Queue(read_name(self.folder / "name"))
        self.outcomes: dict[str, Outcome] = {}
        self.told = ""  # about the queue

    def run(self, submissions: Sequence[Submission]) -> None:
        """Grades all; on KeyboardInterrupt says how to come back."""
        try:
            self.run_rounds(self.unfinished(submissions))
        except KeyboardInterrupt:
            self.progress.say(
                "Tasks that are queued go on without this program. The same command waits for them "
                f"again; `scancel --name={self.queue.name}` ends them."
            )
            raise

    def run_rounds(self, rest: Sequence[Submission]) -> None:
        """Grades in rounds: each has the submissions that are still missing."""
        used = 0
        while rest and used < ROUNDS:
            with lock(self.folder, "submit"):
                other = self.others()
                ours = None if other else self.submit(rest, alone=used > 0)
            if other:
                self.progress.say("Tasks of this report are queued already: waiting for them.")
                self.wait_for_end(other)
                rest = self.unfinished(rest)
            if ours:
                self.wait_for_results(ours)
                done = ours.done()
                rest = [submission for submission in rest if submission["id"] not in done]
                used += 1
                self.explain(ours, len(rest), last=used == ROUNDS)
        for submission in rest:
            self.give_up(submission)

    # ---- Submissions ----

    def unfinished(self, submissions: Sequence[Submission]) -> list[Submission]:
        """Returns those without a valid result; what is in a repository counts as one of these,
        since only a worker finds out whether it has changed."""
        rest = []
        for submission in submissions:
            record = find_record(self.way.out, submission["id"])
            key = make_key(self.info, submission)
            if record and record["results"]["complete"] and record["key"] == key:
                self.note(Outcome(KEPT, record))
            else:
                rest.append(submission)
        return rest

    def collect(self, round_: Round) -> None:
        """Tells of those whose results have come."""
        new = [identity for identity in sorted(round_.done()) if identity not in self.outcomes]
        for identity in new:
            record = find_record(self.way.out, identity)
            if record is None:
                record = find_newest_record(self.way.out, identity)
            if record is not None:
                self.note(Outcome(GRADED, record))

    def note(self, outcome: Outcome) -> None:
        """Keeps an outcome, and tells of it if it is a student's first."""
        identity = outcome.record["submission"]["id"]
        if identity not in self.outcomes:
            self.progress.done(outcome)
        self.outcomes[identity] = outcome

    def give_up(self, submission: Submission) -> None:
        """Tells that a submission is not graded, and why: in a worker's words if it came to its
        end."""
        record = find_record(self.way.out, submission["id"])
        if record is None or record["results"]["complete"]:
            record = self.fault(submission)
        self.note(Outcome(FAULT, record))

    def fault(self, submission: Submission) -> Record:
        """Returns the record of a submission that no task came to the end of."""
        reason = f"no task came to its end in {ROUNDS} rounds; their logs are in {self.folder}"
        results = refused(self.info, submission, MACHINE_FAULT, reason)
        return make_record(submission, make_key(self.info, submission), Child(results), 0)

    # ---- Slurm ----

    def others(self) -> Round | None:
        """Returns the round of which tasks are queued; None if there are none. SlurmError if Slurm
        does not tell."""
        tasks = self.queue.tasks()
        if tasks is None:
            raise SlurmError("Slurm's controller does not answer (`squeue`): try again later")
        newest = Round.newest(self.folder)
        if tasks.left and newest is None:
            raise SlurmError(
                f"tasks of this report are queued, but not what they are to do: end them with "
                f"`scancel --name={self.queue.name}`"
            )
        return newest if tasks.left else None

    def submit(self, rest: Sequence[Submission], alone: bool) -> Round:
        """Queues a round, `alone` with one submission per task: so what brings a task down again
        costs nobody else. SlurmError if Slurm refuses; parts of it may be queued then."""
        size = self.options.per_task or choose_size(len(rest), self.options.throttle)
        batches = split([submission["id"] for submission in rest], 1 if alone else size)
        minutes_each = MINUTES_EACH + math.ceil(self.options.time_limit / 60)
        minutes = minutes_each * max(map(len, batches)) + MINUTES_MORE
        wishes = Wishes(self.options.throttle, minutes, self.options.extra)
        round_ = Round.create(self.way.out, batches, WORKER)
        most, arrays = self.queue.array_size_max(), [""]
        for first in range(0, len(batches), most):
            count = min(most, len(batches) - first)
            arrays.append(self.queue.submit(round_.script, first, count, wishes, arrays[-1]))
        self.progress.say(
            f"{len(batches)} tasks for {len(rest)} submissions are queued: array "
            f"{', '.join(arrays[1:])}, named {self.queue.name}"
        )
        return round_

    def wait_for_results(self, round_: Round) -> None:
        """Waits until all of a round are done, or none of its tasks is left."""
        wanted = {identity for batch in round_.batches() for identity in batch}
        while self.look(round_) and not wanted <= round_.done():
            time.sleep(LOOK_SECONDS)

    def wait_for_end(self, round_: Round) -> None:
        """Waits until no task is left, and tells of what those of a round do."""
        while self.look(round_):
            time.sleep(LOOK_SECONDS)

    def look(self, round_: Round) -> bool:
        """Tells of what has happened, and whether tasks are left; if none is, all that they have
        done is seen. OSError if the folder cannot be written to then."""
        tasks = self.queue.tasks()  # before looking at what they have done
        is_over = tasks is not None and not tasks.left
        if is_over:
            round_.refresh()
        self.collect(round_)
        self.tell(tasks)
        return not is_over

    def tell(self, tasks: Tasks | None) -> None:
        """Shows how many tasks run, and says why others do not, if that is odd and new."""
        text = "Slurm's controller does not answer; the tasks that run go on." if not tasks else ""
        if tasks:
            self.progress.count_running(tasks.running)
            odd = [reason for reason in tasks.reasons if reason not in USUAL_REASONS]
            text = f"{tasks.waiting} tasks wait: {', '.join(odd)}" if odd else ""
            advice = [ADVICE[word] for word in ADVICE if word in text.lower()]
            text += f" ({advice[0].format(self.queue.name)})" if advice else ""
        if text and text != self.told:
            self.progress.say(text)
        self.told = text

    def explain(self, round_: Round, missing: int, last: bool) -> None:
        """Says what the tasks said last if results are missing."""
        if missing:
            again = "" if last else ", and are queued again, each in a task of its own"
            said = round_.complaints() or ["No task left a log: were they cancelled?"]
            lines = [f"{missing} submissions are still missing{again}.", *said]
            self.progress.say("\n    ".join(lines))
