"""The export for JPlag and MOSS: what students changed, the starter, and commands that work."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from classes import make_class
from products import ROOT
from reports.similarity import Export, export_similarity, jplag_words, read_base, run_jplag
from submissions import find_sandbox

OURS = b"int cow_by_ada(void) { return 1; }\n"
ECHO = '#!/bin/sh\nfor word; do echo "$word"; done\n'


@pytest.fixture(name="export", scope="module")
def fixture_export(tmp_path_factory: pytest.TempPathFactory) -> Export:
    """The export of a class of four: a folder, an archive, a broken one, and nothing."""
    folder = tmp_path_factory.mktemp("similarity")
    info, records = make_class(4)
    ada = folder / "handed-in/ada"
    shutil.copytree(ROOT / "kernel", ada / "kernel", ignore=shutil.ignore_patterns("*.o", "*.d"))
    for name, data in read_base(1).items():
        (ada / name).write_bytes(data)
    with (ada / "kernel/vm/cow.c").open("ab") as file:
        file.write(OURS)
    with zipfile.ZipFile(folder / "handed-in/li.zip", "w") as archive:
        for path in (ada / "kernel").rglob("*.[chS]"):
            archive.write(path, path.relative_to(ada))
    (folder / "handed-in/broken.zip").write_bytes(b"PK\x03\x04 broken")
    sources = [str(ada), str(folder / "handed-in/li.zip"), str(folder / "handed-in/broken.zip"), ""]
    out = folder / "report"
    (out / "results").mkdir(parents=True)
    for record, source in zip(records, sources):
        record["submission"]["source"] = source
        path = out / "results" / f"{record['submission']['id']}.json"
        path.write_text(json.dumps(record))
    (out / "class.json").write_text(json.dumps(info))
    return export_similarity(out, out / "similarity", 1, find_sandbox())


def test_only_what_a_student_changed_is_copied(export: Export) -> None:
    place = export.folder / "jplag/cow6/submissions"
    assert sorted(path.name for path in place.iterdir()) == ["1000", "1001"]
    for identity in ("1000", "1001"):
        files = [path for path in (place / identity).rglob("*") if path.is_file()]
        assert [path.relative_to(place / identity).as_posix() for path in files] == [
            "kernel/vm/cow.c"
        ]
        assert files[0].read_bytes().endswith(OURS)
        assert (export.folder / f"moss/cow6/submissions/{identity}/kernel-vm-cow.c").is_file()


def test_the_starter_is_the_base_code(export: Export) -> None:
    base = export.folder / "jplag/cow6/base"
    found = {
        path.relative_to(base).as_posix(): path.read_bytes()
        for path in base.rglob("*") if path.is_file()
    }
    assert found == read_base(1)
    assert len(list((export.folder / "moss/cow6/base").iterdir())) == len(found)


def test_whoever_cannot_be_compared_is_told(export: Export) -> None:
    assert [note.partition(":")[0] for note in export.notes] == ["1002", "1003"]
    assert "nothing handed in" in export.notes[1]


def script(export: Export, folder: Path, *words: str, **environment: str) -> list[str]:
    """Runs the script with programs that print their options; returns these."""
    for name in ("jplag", "moss", "java"):
        (folder / name).write_text(ECHO)
        (folder / name).chmod(0o755)
    done = subprocess.run(
        ["sh", str(export.folder / "compare.sh"), *words], capture_output=True, text=True,
        check=True, env={"PATH": f"{folder}:{os.environ['PATH']}", **environment},
    )
    return done.stdout.splitlines()


def test_the_commands_name_what_is_there(export: Export, tmp_path: Path) -> None:
    jplag = script(export, tmp_path, "jplag")
    assert jplag[-1] == "./jplag/cow6/submissions" and "./jplag/cow6/base" in jplag
    moss = script(export, tmp_path, "moss")
    assert moss[:3] == ["-l", "c", "-d"] and moss.count("-b") == len(read_base(1))
    assert moss[-1] == "moss/cow6/submissions/1001/kernel-vm-cow.c"
    java = script(export, tmp_path, "jplag", JPLAG="/some place/j.jar")
    assert java[:2] == ["-jar", "/some place/j.jar"]
    assert (export.folder / "README.md").is_file()


def test_jplag_runs_if_it_is_installed(
    export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JPLAG", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run_jplag(export) is None
    program = tmp_path / "jplag"
    program.write_text('#!/bin/sh\necho compared "$@"\n')
    program.chmod(0o755)
    (done,) = run_jplag(export) or []
    assert done.succeeded and "-bc" in done.output and "jplag/cow6/submissions" in done.output
    monkeypatch.setenv("JPLAG", "/x/jplag.jar")
    assert jplag_words() is None
    (tmp_path / "java").symlink_to("/bin/true")
    assert jplag_words() == [str(tmp_path / "java"), "-jar", "/x/jplag.jar"]


def test_other_folders_are_not_removed(export: Export, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ValueError, match="not empty"):
        export_similarity(export.folder.parent, tmp_path, 1, find_sandbox())
    assert (tmp_path / "thesis.tex").exists()
