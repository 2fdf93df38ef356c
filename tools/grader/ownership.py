"""Another user for commands: who that is, what that user can come to, and what is handed over to
it for the time of a command."""
from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from grader.errors import HiddenError, InfraError

# What a process needs to become another user, to give files away, and to end that user's processes.
CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, KILL, SETGID, SETUID = 0, 1, 2, 5, 6, 7
NEEDED = (CHOWN, DAC_OVERRIDE, KILL, SETGID, SETUID)
FIRST_USER = 0x70000000  # a range in which systems have no users
NOBODY = 65534


def capabilities() -> int:
    """Returns the rights of this process as a set of bits; none where the system does not tell."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("CapEff:"):
                return int(line.split()[1], 16)
    except (OSError, ValueError):
        pass
    return 0


def mapped_users() -> Iterator[range]:
    """Yields the users that exist in this user namespace."""
    try:
        for line in Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines():
            first, _, count = map(int, line.split())
            yield range(first, first + count)
    except (OSError, ValueError):
        return


@dataclass(frozen=True)
class User:
    """A user, and a group of the same number, that only one grading at a time has; `reader` is the
    capability with which it can read all files, if a command is to have that."""

    number: int
    reader: int
    shared: list[Path] = field(default_factory=list)

    @classmethod
    def find(cls) -> User | None:
        """Returns a user for commands; none unless this process may become others."""
        held = capabilities()
        if os.geteuid() != 0 or any(not held >> needed & 1 for needed in NEEDED):
            return None
        reader = DAC_READ_SEARCH if held >> DAC_READ_SEARCH & 1 else DAC_OVERRIDE
        wanted, pid = list(mapped_users()), os.getpid()
        # The number of a process that lives belongs to one grading only.
        for number in (FIRST_USER + pid, 1 << 15 | pid % (1 << 14), NOBODY):
            if any(number in users for users in wanted):
                return cls(number, reader)
        return None

    def reaches(self, path: Path) -> bool:
        """Tells whether this user can read a file or folder, as far as the usual permissions
        tell."""
        try:
            real = Path(os.path.realpath(path))
            needed = 5 if real.is_dir() else 4
            return self._may(real, needed) and all(self._may(place, 1) for place in real.parents)
        except OSError:
            return False

    def _may(self, path: Path, needed: int) -> bool:
        """Tells whether the bits of a file's mode give this user what is needed."""
        state = os.stat(path)
        shift = 6 if state.st_uid == self.number else 3 if state.st_gid == self.number else 0
        return state.st_mode >> shift & needed == needed

    def need(self, *paths: Path) -> None:
        """HiddenError if this user cannot read these."""
        for path in paths:
            if not self.reaches(path):
                raise HiddenError(
                    f"{path} is not readable for other users: without bubblewrap, commands run as "
                    "a user of their own"
                )

    def share(self, folder: Path) -> None:
        """Lets this user, and no others, come to what show() and give() name in a folder of
        ours."""
        os.chown(folder, -1, self.number)
        folder.chmod(0o750)
        self.shared.append(Path(os.path.realpath(folder)))

    def show(self, *paths: Path) -> None:
        """Lets this user's group read what is in shared folders, whatever our umask is."""
        for path in paths:
            if self._open_way(path):
                for place, state in find_own(path):
                    self._add_rights(place, state)

    def give(self, *paths: Path) -> None:
        """Gives files, and folders with all that is in them, to this user."""
        for path in paths:
            self._open_way(path)
            change_owner(path, self.number)

    def take_back(self, *paths: Path) -> None:
        """Makes them ours again. None of this user's commands may be running."""
        for path in paths:
            change_owner(path, os.geteuid())

    def _open_way(self, path: Path) -> bool:
        """Opens the folders between a shared one and the path; False if it is in none."""
        real = Path(os.path.realpath(path))
        top = next((folder for folder in self.shared if real.is_relative_to(folder)), None)
        for place in real.parents if top else ():
            if place == top or top == real:
                break
            self._add_rights(str(place), os.stat(place))
        return top is not None

    def _add_rights(self, place: str, state: os.stat_result) -> None:
        """Lets the group do what we can do with a file or folder, except for writing."""
        if state.st_gid != self.number:
            os.chown(place, -1, self.number)
        mode = stat.S_IMODE(state.st_mode)
        wanted = mode | mode >> 3 & 0o050
        if mode != wanted:
            os.chmod(place, wanted)


def find_own(path: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yields a file, or a folder and what is in it, with its state. Left out are links, and files
    with other names, which may be outside."""
    unseen = [str(path)]
    while unseen:
        place = unseen.pop()
        try:
            state = os.lstat(place)
            is_folder = stat.S_ISDIR(state.st_mode)
            unseen += [f"{place}/{name}" for name in os.listdir(place)] if is_folder else []
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                continue
            raise InfraError(f"{place} cannot be handed over: {error}") from None
        if is_folder or stat.S_ISREG(state.st_mode) and state.st_nlink == 1:
            yield place, state


def change_owner(path: Path, owner: int) -> None:
    """Changes the owner of a file, or of a folder and what is in it."""
    for place, state in find_own(path):
        if state.st_uid != owner:
            os.chown(place, owner, -1, follow_symlinks=False)
