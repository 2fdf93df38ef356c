"""Makes classes for tests of the reports: students with results such as grade-cow writes, and
hostile ones."""
from __future__ import annotations

import random
from collections.abc import Sequence

from classroom.record import ClassInfo, Key, Record, Submission, TestInfo
from grader.cards import card_text
from grader.display import display
from grader.results import PartResult, ProcessPages, Results, TestResult
from grader.run import load_lab
from products import ROOT

FORMAT = 1
LAB = load_lab(ROOT / "labs/cow")
TESTS: list[TestInfo] = [
    {"id": test.id, "part": test.part, "points": test.points, "shows": test.shows}
    for test in LAB.TESTS
]
MOST = sum(test["points"] for test in TESTS)
CAUSES = {
    "copy-incomplete": "the new frame does not have the whole page: copy all 4096 bytes, from the "
    "start of the page, before you drop the old frame.",
    "parent-writable": "fork takes the right to write from the child's entries, not from the "
    "parent's.",
    "count-not-locked": "two harts change a reference count at the same time: hold the lock from "
    "the test to the change.",
}
FIRST = ("Ada", "Grace", "Edsger", "Barbara", "Jorge", "Mei", "Søren", "Łucja", "Aïcha", "Nguyễn")
LAST = ("Lovelace", "Hopper", "Liskov", "García", "Li", "Kierkegård", "O'Brien", "Müller", "Sato")


def pages(page: int, count: int = 10) -> list[ProcessPages]:
    """Returns a page map of a parent and its child, who broke the sharing of one page."""
    found: list[ProcessPages] = []
    for pid, name in enumerate(("init", "child"), 1):
        process: ProcessPages = {
            "name": name, "pid": pid, "root": 0x80400000 + (pid << 12), "pages": [], "left_out": 0,
            "problem": "",
        }
        for n in range(count):
            va = 0xC000 + (n << 12)
            own = va == page and pid == 2
            process["pages"].append({
                "va": va, "pa": (0x80822000 if own else 0x80816000 + (n << 12)),
                "flags": "VRWUAD" if own else "VRUA", "rsw": 0 if own else 1,
            })
        found.append(process)
    return found


def make_test(info: TestInfo, passed: bool, chance: random.Random) -> TestResult:
    """Returns the verdict on a test."""
    seconds = round(chance.uniform(0.2, 2.5), 2)
    result: TestResult = {
        "id": info["id"], "part": info["part"], "shows": info["shows"],
        "score": info["points"] if passed else 0, "max_score": info["points"],
        "status": "passed" if passed else "failed", "trials": 1,
        "failed_trials": [] if passed else [0], "seconds": seconds, "wall_seconds": seconds,
        "cpu_seconds": seconds, "cause": "", "card": [], "output": "", "page": None, "pages": [],
    }
    if passed:
        return result
    result["cause"] = chance.choice(list(CAUSES))
    result["page"] = page = 0xC000 + (chance.randrange(10) << 12)
    result["pages"] = pages(page)
    result["card"] = [
        ("shows", info["shows"]),
        ("expected", f"child to have the old contents around what it wrote, at {page + 8:#x}"),
        ("seen", "0000000000000000; 8 of 4096 bytes differ"),
        ("invariant", "a write gives the writer a frame of its own, with the old contents"),
        ("where", f"page {page:#x}, child"), ("likely", CAUSES[result["cause"]]),
        ("again", f"./grade-cow /home/prof/os/handed-in/cow.zip --seed 7 {info['id']}"),
        ("files", f"/home/prof/os/report/files/{info['id']}/{{console,steps,pages}}.txt"),
    ]
    result["output"] = card_text(result["card"])
    return result


def make_parts(tests: Sequence[TestResult]) -> list[PartResult]:
    """Returns the points of the parts."""
    return [
        {
            "part": part, "title": title,
            "score": sum(test["score"] for test in tests if test["part"] == part),
            "max_score": sum(test["max_score"] for test in tests if test["part"] == part),
        }
        for part, title in LAB.PARTS.items()
    ]


def make_results(
    submission: Submission, chance: random.Random, lost: float, status: str = "graded",
    reason: str = "",
) -> Results:
    """Returns results in which about this share of the tests is lost."""
    tests = [make_test(info, chance.random() >= lost, chance) for info in TESTS]
    if status != "graded":
        for test in tests:
            test["status"], test["score"], test["page"] = "not run", 0, None
            test["card"], test["output"], test["cause"], test["pages"] = [], "", "", []
            test["cpu_seconds"] = 0.0
    return {
        "format": FORMAT, "source": display(submission["source"], lines=1), "tree": "cow6",
        "seed": submission["seed"], "status": status, "reason": reason,
        "complete": status != "machine-fault", "score": sum(test["score"] for test in tests),
        "max_score": MOST, "cpu_seconds": round(sum(test["cpu_seconds"] for test in tests), 2),
        "wall_seconds": 30.0, "parts": make_parts(tests), "tests": tests, "protections": [],
        "missing": [],
    }


def make_submission(number: int, chance: random.Random) -> Submission:
    """Returns what a student handed in, as Moodle names it."""
    name = f"{chance.choice(FIRST)} {chance.choice(LAST)}"
    original = f"{name}_{1000 + number}_assignsubmission_file_"
    return {
        "id": str(1000 + number), "name": name, "login": str(1000 + number),
        "section": f"Group {number % 4 + 1}", "source": f"/home/prof/os/handed-in/{original}",
        "original": original, "submitted": f"2026-11-{number % 20 + 1:02}T18:30:00+00:00",
        "late_days": 0 if number % 7 else 1, "attempts": 1, "problem": "", "seed": 7 * number,
    }


def make_info(submissions: Sequence[Submission]) -> ClassInfo:
    """Returns the plan of a class."""
    return {
        "format": FORMAT, "title": "Copy-on-write fork", "parts": LAB.PARTS, "tests": TESTS,
        "max_score": MOST, "seed": 7, "grader": "cow6 1.6", "grace_days": 0, "words": [],
        "deadline": "2026-11-15T23:59:00+00:00", "submissions": list(submissions),
    }


def make_record(submission: Submission, results: Results) -> Record:
    """Returns the record of a student."""
    key: Key = {"input": "0" * 64, "seed": results["seed"], "grader": "cow6 1.6", "tests": []}
    return {
        "format": FORMAT, "submission": submission, "key": key,
        "gradings": 1, "worker": "grading-host-3", "finished": "2026-11-16T08:00:00+00:00",
        "memory_bytes": 300 << 20, "results": results,
    }


def make_class(students: int, seed: int = 1) -> tuple[ClassInfo, list[Record]]:
    """Returns a class in which some are refused, some handed nothing in, and for some the machine
    failed."""
    chance = random.Random(seed)
    submissions, records = [], []
    for number in range(students):
        submission = make_submission(number, chance)
        submissions.append(submission)
        lost = chance.choice((0.0, 0.0, 0.05, 0.1, 0.3, 0.7))
        results = make_results(submission, chance, lost)
        if number % 25 == 7:
            reason = "kernel/vm/cow.c:12: error: expected ';' before 'return'"
            results = make_results(submission, chance, 1, "does-not-compile", reason)
        elif number % 40 == 11:
            reason = "no space left on /scratch/grading"
            results = make_results(submission, chance, 1, "machine-fault", reason)
        elif number % 30 == 13:
            submission["source"], submission["problem"] = "", "nothing was handed in"
            results = make_results(submission, chance, 1, "unreadable", submission["problem"])
        records.append(make_record(submission, results))
    return make_info(submissions), records


def make_hostile(text: str, raw: str) -> tuple[ClassInfo, list[Record]]:
    """Returns a class with a text wherever a student has an influence: `text` as the grader writes
    it, after display(), and `raw` where names are not changed."""
    chance = random.Random(3)
    shown, name = display(text), display(text, lines=1)
    submission, refused = make_submission(1, chance), make_submission(2, chance)
    submission["name"] = submission["login"] = submission["section"] = name
    for each in (submission, refused):
        each["source"] = each["original"] = raw
    results = make_results(submission, chance, 0.15)
    results["reason"], results["source"] = shown, display(raw, lines=1)
    for test in results["tests"]:
        if test["status"] == "failed":
            test["card"] = [(label, shown) for label, _ in test["card"]]
            test["output"] = card_text(test["card"])
            test["pages"][0]["name"], test["pages"][0]["problem"] = name, shown
    graded = make_record(submission, results)
    other = make_record(refused, make_results(refused, chance, 1, "unreadable", shown))
    return make_info([submission, refused]), [graded, other]
