"""Dockerfile and .devcontainer: no Docker runs here, so they are read as Docker would read them.
`make check-docker-steps` takes the steps."""
from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from platforms.docker_steps import SUITES
from platforms.dockerfile import BadDockerfile, read_dockerfile
from products import ROOT

SETUP = (ROOT / "tools/setup").read_text(encoding="utf-8")


def test_the_machine_is_set_up_by_our_list() -> None:
    steps = read_dockerfile()
    assert [step.word for step in steps] == ["FROM", "WORKDIR", "COPY", "RUN"]
    assert steps[0].arguments[0] in SUITES
    assert steps[-1].arguments[0].startswith("sh tools/setup grading && ")


def test_what_setup_reads_is_copied() -> None:
    *files, folder = read_dockerfile()[2].arguments
    assert folder == "tools/"
    read = {f"tools/{name}" for name in re.findall(r"\$tools/([\w-]+)", SETUP)}
    assert set(files) == read | {"tools/setup"}
    assert all((ROOT / file).is_file() for file in files)


def test_docker_is_shown_only_what_is_copied() -> None:
    first, *others = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert first == "*"
    assert others == [f"!{file}" for file in read_dockerfile()[2].arguments[:-1]]


def test_the_development_container_has_all_tools() -> None:
    file = ROOT / ".devcontainer/devcontainer.json"
    build = json.loads(file.read_text(encoding="utf-8"))["build"]
    assert (file.parent / build["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert (file.parent / build["context"]).resolve() == ROOT
    run = read_dockerfile(**build["args"])[-1].arguments[0]
    assert run.startswith("sh tools/setup all && ")


@pytest.mark.parametrize("text, said", [
    ("RUN x\n", "FROM must come first"), ("FROM a\nUSER b\n", "USER b"),
    ("FROM ${A}\n", "A is used before"), ("FROM a\nCOPY x y\n", "COPY x y"),
    ("FROM a\nCOPY --from=b x y/\n", "--from"), ("", "FROM must"),
])
def test_what_is_not_understood_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "Dockerfile").write_text(text)
    with pytest.raises(BadDockerfile, match=said):
        read_dockerfile(tmp_path / "Dockerfile")


def test_arguments_are_put_in(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("# a\nARG A=x\nFROM ${A}\nARG B\nRUN a \\\n  ${B}\n")
    steps = read_dockerfile(tmp_path / "Dockerfile", B="b")
    assert [" ".join(step.arguments) for step in steps] == ["x", "a    b"]
    with pytest.raises(BadDockerfile, match="no ARG C"):
        read_dockerfile(tmp_path / "Dockerfile", C="c")
