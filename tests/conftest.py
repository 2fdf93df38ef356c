"""Settings of pytest for all tests.

pyproject.toml says where modules are found. To run a single test:
`$(sh tools/find-python) -m pytest tests/test_tools.py -k litter`.
"""
from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from products import product

# An assertion that fails in one of these shows its values, as those in tests do.
pytest.register_assert_rewrite("grading_scripts", "submissions", "workplace", "xv6_trees")

# The same examples on every run, so that no test fails by chance; nothing is written into the tree.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(product("build/hypothesis")))
settings.register_profile("check", derandomize=True, database=None, deadline=None)
settings.load_profile("check")

NO_BWRAP = "#!/bin/sh\necho No permissions to create a new namespace >&2\nexit 1\n"


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Returns a folder that is removed after the test; pytest's own would stay, disk images and
    all."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture
def no_bwrap(tmp_path: Path) -> Iterator[None]:
    """bubblewrap says that it cannot make namespaces."""
    tmp_path.chmod(0o755)
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "bwrap").write_text(NO_BWRAP)
    (folder / "bwrap").chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        yield
