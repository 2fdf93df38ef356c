"""Reads a submission's Makefile as text, to learn which objects make the kernel and which -D flags
it gives.

It evaluates assignments, conditionals and a few pure functions; nothing is ever run. `$(shell ...)`
is empty, except for the one idiom that turns a name into capitals. What it does not understand it
leaves out: the caller has defaults for everything.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from grader.xv6_words import (
    OF_WORDS, Unreadable, find_closing, fits_wildcard, links_kernel, list_macros, list_objects,
    match_stem, split_commas,
)

ASSIGNMENT = re.compile(
    r"^(?:(?:export|override)\s+)*([\w.\-]+)\s*(\+|\?|:{1,3})?=\s*(.*)$", re.DOTALL
)
CONDITION = re.compile(r"^(ifeq|ifneq|ifdef|ifndef)\b\s*(.*)$", re.DOTALL)
TARGET_ASSIGNMENT = re.compile(
    r"^([^=:]+):\s*((?:(?:export|override)\s+)*[\w.\-]+\s*(?:\+|\?|:{1,3})?=.*)$", re.DOTALL
)
LETTERS = r"""['"]?\[?(?:%s|:%s:)\]?['"]?"""
CAPITALS = re.compile(
    rf"^\s*echo\s+(.*?)\s*\|\s*tr\s+{LETTERS % ('a-z', 'lower')}\s+{LETTERS % ('A-Z', 'upper')}\s*$"
)
WORK_LIMIT = 20_000
LENGTH_LIMIT = 200_000
TOTAL_LIMIT = 2_000_000  # characters that are produced, and comparisons of $(wildcard)
COMMAND_LIMIT = 200
CONDITIONS_MAX = 50  # nested


class Makefile:
    """The variables and recipes of a Makefile. `included` gives the text of a file it includes,
    None if there is none; `files` are the paths that $(wildcard) may find, `kernel` is the folder
    of the kernel's sources.

    The text is a stranger's: every loop has a limit, past which it is Unreadable.
    """

    def __init__(
        self, text: str, included: Callable[[str], str | None], files: Sequence[str] = (),
        kernel: str = "kernel",
    ) -> None:
        self.variables: dict[str, str] = {"CC": "cc", "MAKE": "make"}
        self.recipes: list[tuple[str, str]] = []  # the targets, and a line of what makes them
        self._included = included
        self._files = files
        self._kernel = kernel
        self._work, self._rest = WORK_LIMIT, TOTAL_LIMIT
        self._read(text, depth=0)

    def value(self, name: str) -> str:
        """The expanded value of a variable, empty if it has none."""
        return self.expand(self.variables.get(name, ""))

    def defines(self) -> list[str]:
        """The -D options among the compiler's flags and in the recipes of objects, but the
        programs', each once."""
        names: list[str] = []
        for flags in ("CPPFLAGS", "XCFLAGS", "CFLAGS"):
            names += list_macros(self.value(flags))
        for targets, recipe in self.recipes:
            if " -c " in recipe and self._has_kernel(targets):
                names += list_macros(self.expand(recipe))
        return list(dict.fromkeys("-D" + name for name in names))

    def kernel_objects(self) -> list[str]:
        """The .o files that a recipe links with a linker script into a kernel, without their
        extension; those of the OBJS variables if no such recipe is found."""
        for _, recipe in self.recipes:
            line = self.expand(recipe)
            if links_kernel(line.split()):
                found = list_objects(line)
                if len(found) > 5:
                    return found
        return list_objects(
            " ".join(self.value(name) for name in self.variables if name.startswith("OBJS"))
        )

    def expand(self, text: str, depth: int = 0) -> str:
        """The text with its variables and functions replaced."""
        self._work -= 1
        if depth > 30 or self._work < 0 or len(text) > LENGTH_LIMIT:
            raise Unreadable("expansion without end")
        parts: list[str] = []
        position = length = 0
        while True:
            dollar = text.find("$", position)
            if dollar < 0 or dollar + 1 >= len(text):
                parts.append(text[position:])
                break
            parts.append(text[position:dollar])
            opening = text[dollar + 1]
            if opening in "({":
                end = find_closing(text, dollar + 1)
                parts.append(self._reference(text[dollar + 2 : end], depth + 1))
                position = end + 1
            else:
                if opening.isalnum():
                    parts.append(self.expand(self.variables.get(opening, ""), depth + 1))
                position = dollar + 2
            length += sum(map(len, parts[-2:]))
            if length > 2 * LENGTH_LIMIT:
                raise Unreadable("expansion too long")
        self._spend(sum(map(len, parts)))
        return "".join(parts)

    def _spend(self, effort: int) -> None:
        """Takes so much from what is left of TOTAL_LIMIT."""
        self._rest -= effort
        if self._rest < 0:
            raise Unreadable("too much text")

    def _has_kernel(self, targets: str) -> bool:
        """Tells whether a rule's targets may be the kernel or its objects: not a program, not what
        is made for debugging."""
        names = self.expand(targets).split()
        return any(
            name.startswith(("kernel/", f"{self._kernel}/")) or name == "%.o" for name in names
        )

    def _reference(self, body: str, depth: int) -> str:
        """What $(body) stands for."""
        function = re.match(r"([a-z-]+)\s+(.*)$", body, re.DOTALL)
        if function:
            name, rest = function.groups()
            if name == "shell":
                command = self.expand(rest, depth).strip()
                capitals = CAPITALS.match(command) if len(command) < COMMAND_LIMIT else None
                return capitals.group(1).upper() if capitals else ""
            return self._function(
                name, [self.expand(argument, depth) for argument in split_commas(rest)]
            )
        name, _, replacement = body.partition(":")
        value = self.expand(self.variables.get(self.expand(name, depth), ""), depth)
        if "=" in replacement:
            old, new = self.expand(replacement, depth).split("=", 1)
            if "%" not in old:
                old, new = "%" + old, "%" + new
            return self._patsubst(old, new, value)
        return value

    def _patsubst(self, old: str, new: str, text: str) -> str:
        """Each word that fits `old` replaced by `new`."""
        words = text.split()
        self._spend(len(words) * len(new))
        stems = [(word, match_stem(old, word)) for word in words]
        return " ".join(word if stem is None else new.replace("%", stem, 1) for word, stem in stems)

    def _function(self, name: str, arguments: list[str]) -> str:
        """The value of one of make's text functions; empty for those not known."""
        last = arguments[-1]
        words = last.split()
        if name == "wildcard":
            self._spend(len(words) * len(self._files))
            return " ".join(
                path for pattern in words for path in self._files if fits_wildcard(path, pattern)
            )
        if name in OF_WORDS:
            return " ".join(OF_WORDS[name](words))
        if len(arguments) == 2 and name in ("filter", "filter-out"):
            patterns = arguments[0].split()
            self._spend(len(words) * len(patterns))
            fits = {
                word: any(match_stem(pattern, word) is not None for pattern in patterns)
                for word in words
            }
            return " ".join(word for word in words if fits[word] == (name == "filter"))
        if name in ("or", "and"):
            values = [argument.strip() for argument in arguments]
            if name == "or":
                return next(filter(None, values), "")
            return values[-1] if all(values) else ""
        if len(arguments) in (2, 3) and name == "if":
            return arguments[1] if arguments[0].strip() else "".join(arguments[2:])
        if len(arguments) == 2 and name == "findstring":
            return arguments[0] if arguments[0] in last else ""
        if len(arguments) == 2 and name in ("addprefix", "addsuffix"):
            self._spend(len(words) * len(arguments[0]))
            before, after = (arguments[0], "") if name == "addprefix" else ("", arguments[0])
            return " ".join(before + word + after for word in words)
        if len(arguments) == 3 and name == "patsubst":
            return self._patsubst(arguments[0].strip(), arguments[1].strip(), last)
        if len(arguments) == 3 and name == "subst":
            self._spend(last.count(arguments[0]) * len(arguments[1]))
            return last.replace(arguments[0], arguments[1]) if arguments[0] else last
        return ""

    def _read(self, text: str, depth: int) -> None:
        """Takes in the lines of a file."""
        # of each open conditional: is this branch taken, was any taken
        active: list[tuple[bool, bool]] = []
        targets = ""  # of the rule whose recipe may follow
        for raw in re.sub(r"\\\r?\n[ \t]*", " ", text).splitlines():
            if raw.startswith("\t") and targets:
                if all(taken for taken, _ in active):
                    self.recipes.append((targets, raw.strip()))
                continue
            line = re.sub(r"(?<!\\)#.*$", "", raw).strip()
            if self._conditional(line, active) or not line or not all(taken for taken, _ in active):
                continue
            include = re.match(r"^[-s]?include\s+(.*)$", line)
            assignment, targeted = ASSIGNMENT.match(line), TARGET_ASSIGNMENT.match(line)
            if include and depth < 5:
                for name in self.expand(include.group(1)).split():
                    more = self._included(name)
                    if more is not None:
                        self._spend(len(more))
                        self._read(more, depth + 1)
            elif assignment:
                targets = ""
                self._assign(*assignment.groups())
            elif targeted:
                targets = ""
                assignment = ASSIGNMENT.match(targeted.group(2))
                if assignment and self._has_kernel(targeted.group(1)):
                    self._assign(*assignment.groups())
            else:
                targets = line.partition(":")[0] if ":" in line else ""

    def _conditional(self, line: str, active: list[tuple[bool, bool]]) -> bool:
        """Follows ifeq and its kin; says whether the line was one of them."""
        if line.split(" ", 1)[0] == "endif":
            if active:
                active.pop()
            return True
        alternative = re.match(r"^else\b\s*(.*)$", line)
        if alternative:
            if not active:
                raise Unreadable("else without a condition")
            _, before = active.pop()
            condition = CONDITION.match(alternative.group(1))
            outer = all(taken for taken, _ in active)
            now = outer and not before and (condition is None or self._holds(*condition.groups()))
            active.append((now, before or now))
            return True
        condition = CONDITION.match(line)
        if condition is None:
            return False
        if len(active) > CONDITIONS_MAX:
            raise Unreadable("too many conditions")
        now = all(taken for taken, _ in active) and self._holds(*condition.groups())
        active.append((now, now))
        return True

    def _holds(self, kind: str, rest: str) -> bool:
        """Tells whether a condition is true."""
        if kind in ("ifdef", "ifndef"):
            return (self.variables.get(self.expand(rest).strip(), "") != "") == (kind == "ifdef")
        rest = rest.strip()
        if rest.startswith("(") and rest.endswith(")"):
            sides = split_commas(rest[1:-1])
        else:
            sides = [a or b for a, b in re.findall(r"\"([^\"]*)\"|'([^']*)'", rest)]
        if len(sides) != 2:
            raise Unreadable("condition not understood: " + rest[:60])
        return (self.expand(sides[0]).strip() == self.expand(sides[1]).strip()) == (kind == "ifeq")

    def _assign(self, name: str, operator: str | None, value: str) -> None:
        """Sets a variable, at once or to be expanded when used."""
        if operator == "?" and name in self.variables:
            return
        if operator == "+":
            value = (self.variables.get(name, "") + " " + value).strip()
        elif operator and operator.startswith(":"):
            value = self.expand(value).replace("$", "")
        self._spend(len(value))
        if len(value) > LENGTH_LIMIT:
            raise Unreadable("variable too long")
        self.variables[name] = value
