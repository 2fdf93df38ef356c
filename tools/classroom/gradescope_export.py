"""Reads the folder that Gradescope exports: submission_metadata.yml says who handed in what and
when, and each submission_ID/ has the files."""
from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from classroom.finder import Contents, Found, HandedIn
from classroom.listing import BadList
from classroom.times import parse_time, with_zone
from litter import is_litter

METADATA = "submission_metadata.yml"
METADATA_BYTES = 200 << 20


def find_metadata(folder: Path) -> Path | None:
    """Returns the description of the export in the folder, or in the only one below it. Among
    others, a folder is a student's, and so is a description in it."""
    below = [path for path in folder.iterdir() if not is_litter(path.name)]
    places = [folder, *(below if len(below) == 1 else [])]
    found = [place / METADATA for place in places if not place.is_symlink()]
    return next((path for path in found if path.is_file() and not path.is_symlink()), None)


def read_export(metadata: Path) -> Found:
    """Reads an export; BadList if its description makes no sense."""
    found = Found()
    for folder_name, facts in _load(metadata).items():
        if not isinstance(folder_name, str) or not isinstance(facts, dict):
            raise BadList(f"{metadata} is no description of an export of Gradescope's")
        found.attempts.append(_attempt(metadata.parent, folder_name, facts))
    return found


def _attempt(folder: Path, name: str, facts: dict[Any, Any]) -> HandedIn:
    """Returns the attempt that an entry describes; of a group the first is named for all."""
    people = [person for person in _get(facts, "submitters") or [] if isinstance(person, dict)]
    logins = [str(_get(person, "sid") or _get(person, "email") or "") for person in people]
    names = ", ".join(str(_get(person, "name") or "") for person in people)
    login = next((login for login in logins if login), name)
    place = folder / Path(name).name
    if place.is_dir():
        source, problem = Contents(place).choose()
    else:
        source, problem = "", "nothing was handed in: the export has no folder of this submission"
    return HandedIn(
        login, names, "", source, name, _time(_get(facts, "created_at")), problem=problem
    )


def _get(facts: dict[Any, Any], key: str) -> Any:
    """Returns a value; Gradescope writes a colon before its keys."""
    return facts.get(f":{key}", facts.get(key))


def _time(value: object) -> datetime | None:
    """Returns a time as YAML or its text has it."""
    if isinstance(value, datetime):
        return with_zone(value)
    try:
        return parse_time(str(value)) if value else None
    except ValueError:
        return None


def _load(metadata: Path) -> dict[Any, Any]:
    """Reads the YAML file; its tags of Ruby's mean nothing to us."""
    import yaml  # type: ignore[import]  # only this kind of folder needs it

    class Loader(yaml.SafeLoader):
        """Takes a value with an unknown tag for what it looks like."""

    def plain(loader: Any, _: str, node: Any) -> object:
        if isinstance(node, yaml.MappingNode):
            return loader.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        return loader.construct_scalar(node)

    Loader.add_multi_constructor("", plain)
    if metadata.stat().st_size > METADATA_BYTES:
        raise BadList(f"{metadata} is too large")
    try:
        value = yaml.load(metadata.read_bytes(), Loader)
    except (yaml.YAMLError, ValueError) as error:
        raise BadList(f"{metadata} cannot be read: {error}") from None
    if not isinstance(value, dict):
        raise BadList(f"{metadata} is no description of an export of Gradescope's")
    return value
