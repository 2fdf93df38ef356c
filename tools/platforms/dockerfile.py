"""Reads Dockerfile, as far as ours uses the language."""
from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from products import ROOT

DOCKERFILE = ROOT / "Dockerfile"
VARIABLE = re.compile(r"\$\{(\w+)\}")


class BadDockerfile(ValueError):
    """What a Dockerfile has that is not understood here."""


@dataclass(frozen=True)
class Step:
    """An instruction: RUN has a command, COPY files and a folder, FROM and WORKDIR one word."""

    word: str
    arguments: tuple[str, ...]


def read_dockerfile(path: Path = DOCKERFILE, **given: str) -> list[Step]:
    """Returns the steps with the values of build arguments put in, those given or the defaults;
    BadDockerfile if there is anything else."""
    values: dict[str, str] = {}
    steps = []
    for line in path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        if word == "ARG":
            name, _, default = rest.strip().partition("=")
            values[name] = given.get(name, default)
            continue
        text = VARIABLE.sub(lambda match: _value(match.group(1), values), rest.strip())
        steps.append(_step(word, text))
    unknown = given.keys() - values.keys()
    if unknown or not steps or steps[0].word != "FROM":
        raise BadDockerfile(f"no ARG {', '.join(unknown)}" if unknown else "FROM must come first")
    return steps


def _value(name: str, values: dict[str, str]) -> str:
    if name not in values:
        raise BadDockerfile(f"{name} is used before it has a value")
    return values[name]


def _step(word: str, text: str) -> Step:
    if word == "RUN":
        return Step(word, (text,))
    words = tuple(shlex.split(text))
    if word in ("FROM", "WORKDIR") and len(words) == 1:
        return Step(word, words)
    if word == "COPY" and len(words) > 1 and not text.startswith("--") and words[-1].endswith("/"):
        return Step(word, words)
    raise BadDockerfile(f"not understood: {word} {text}")
