"""Settings of pytest for all tests.

pyproject.toml says where modules are found. To run a single test:
`$(sh tools/find-python) -m pytest tests/test_tools.py -k litter`.
"""
from __future__ import annotations

import os

from hypothesis import settings
from products import product

# The same examples on every run, so that no test fails by chance; nothing is written into the tree.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(product("build/hypothesis")))
settings.register_profile("check", derandomize=True, database=None, deadline=None)
settings.load_profile("check")
