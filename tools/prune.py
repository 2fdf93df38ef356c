"""Leaves out of a package of python modules what nothing needs that is kept: functions, classes,
constants, imports, whole modules.

Only statements at the outermost level of a module are looked at, and their text stays as it is.
What a statement needs is found by the names in it, also where it has them from another module.
"""
from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

Sources = dict[str, str]  # modules of the package: name and text
Root = tuple[str, str]  # a module, and a name in it
EVERYTHING = "*"  # as a name: all names of the module
COLUMNS = 100


@dataclass(frozen=True)
class Imported:
    """What a name stands for that a statement imports: a module of the package ("", if it is not of
    this package), and a name in it, "" for the module itself."""

    module: str
    name: str


class Module:
    """A module, and the names in it that are needed."""

    def __init__(self, text: str, package: str) -> None:
        self.text = text
        self.statements = ast.parse(text).body
        self.imports = find_imports(self.statements, package)
        self.needed: set[str] = set()
        self.unnamed: list[ast.stmt] = []  # statements that define no name
        self.definitions: dict[str, list[ast.stmt]] = {}
        for statement in self.statements:
            names = defined_names(statement)
            for name in names:
                self.definitions.setdefault(name, []).append(statement)
            self.unnamed += [] if names else [statement]

    def is_kept(self, statement: ast.stmt) -> bool:
        """Tells whether a statement is needed, or there whatever is needed."""
        names = defined_names(statement)
        return not names or not names.isdisjoint(self.needed)


def defined_names(statement: ast.stmt) -> set[str]:
    """Returns the names that a statement defines for its module."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        if getattr(statement, "module", "") == "__future__":
            return set()
        return {alias.asname or alias.name.split(".")[0] for alias in statement.names}
    if isinstance(statement, ast.If):
        return {name for inner in statement.body for name in defined_names(inner)}
    return {
        node.id for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def find_imports(statements: Iterable[ast.AST], package: str) -> dict[str, Imported]:
    """Returns what the imported names stand for."""
    found = {}
    for statement in statements:
        for node in ast.walk(statement):
            if not isinstance(node, ast.ImportFrom):
                continue
            for alias in node.names:
                name, module = alias.asname or alias.name, node.module or ""
                if module == package:
                    found[name] = Imported(alias.name, "")
                elif module.startswith(f"{package}."):
                    found[name] = Imported(module[len(package) + 1:], alias.name)
    return found


def used_names(statement: ast.stmt) -> Iterator[tuple[str, str]]:
    """Yields the names that a statement uses, each with the attribute that it wants of it, or with
    EVERYTHING."""
    attributes = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            attributes.add(id(node.value))
            yield node.value.id, node.attr
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and id(node) not in attributes:
            yield node.id, EVERYTHING


def prune(sources: Sources, package: str, roots: Iterable[Root]) -> Sources:
    """Returns the modules of a package that the roots need, and of each only what they need."""
    modules = {name: Module(text, package) for name, text in sources.items()}
    mark(modules, roots)
    return {name: kept_text(module) for name, module in modules.items() if module.needed}


def mark(modules: dict[str, Module], roots: Iterable[Root]) -> None:
    """Notes in each module what is needed."""
    open_roots = list(roots)
    while open_roots:
        place, name = open_roots.pop()
        module = modules[place]
        if name == EVERYTHING:
            open_roots += [(place, each) for each in module.definitions]
            continue
        if name in module.needed:
            continue
        statements = list(module.definitions.get(name, ()))
        statements += [] if module.needed else module.unnamed
        module.needed.add(name)
        uses = [use for statement in statements for use in used_names(statement)]
        open_roots += [(place, used) for used, _ in uses if used in module.definitions]
        for used, attribute in [*uses, (name, "")]:
            target = module.imports.get(used)
            wanted = (target.name or attribute) if target is not None else ""
            if target is not None and wanted and target.module in modules:
                open_roots.append((target.module, wanted))


# ---- Text ----


def kept_text(module: Module) -> str:
    """Returns the text of a module with what is needed."""
    lines = module.text.splitlines(keepends=True)
    for statement in reversed(module.statements):
        if not module.is_kept(statement):
            cut(lines, statement)
        elif isinstance(statement, (ast.Import, ast.ImportFrom)) and defined_names(statement):
            names = [
                alias for alias in statement.names
                if (alias.asname or alias.name.split(".")[0]) in module.needed
            ]
            if len(names) < len(statement.names):
                statement.names = names
                lines[statement.lineno - 1:statement.end_lineno] = [import_text(statement)]
    return re.sub(r"\n{4,}", "\n\n\n", "".join(lines)).rstrip("\n") + "\n"


def cut(lines: list[str], node: ast.stmt | ast.expr) -> None:
    """Takes a statement, or an element of a list, out of the lines, and the comment just above."""
    decorators = getattr(node, "decorator_list", [])
    start = min([node.lineno, *(found.lineno for found in decorators)]) - 1
    while start and lines[start - 1].lstrip().startswith("#"):
        start -= 1
    del lines[start:node.end_lineno]


def import_text(statement: ast.Import | ast.ImportFrom) -> str:
    """Returns the text of an import, which may have several lines."""
    text = ast.unparse(statement)
    if len(text) <= COLUMNS:
        return f"{text}\n"
    head, _, names = text.partition(" import ")
    lines = [f"{head} import ("]
    line = "   "
    for name in names.split(", "):
        if len(f"{line} {name},") > COLUMNS:
            lines.append(line)
            line = "   "
        line += f" {name},"
    return "\n".join([*lines, line, ")\n"])


def list_elements(text: str, name: str) -> list[ast.Call]:
    """Returns the calls in the lists of a module whose names end so."""
    return [
        element
        for statement in ast.parse(text).body
        if any(each.endswith(name) for each in defined_names(statement))
        for element in getattr(getattr(statement, "value", None), "elts", [])
        if isinstance(element, ast.Call)
    ]


def without_elements(text: str, name: str, is_cut: Callable[[ast.Call], bool]) -> str:
    """Returns the text of a module in which some calls are taken out of these lists.

    Each element is on lines of its own.
    """
    lines = text.splitlines(keepends=True)
    for element in reversed(list_elements(text, name)):
        if is_cut(element):
            cut(lines, element)
    return "".join(lines)
