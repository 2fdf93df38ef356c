#!/usr/bin/env bash
# Gradescope runs this once, when it builds the image in which submissions are graded.
set -eu
cd "$(dirname "$0")/cow"
sh tools/setup

# What all gradings have in common is built now. The kernel here lacks the solution, so points are
# lost: what counts is that the grader works (a status below 3).
status=0
python3 grade-cow --sandbox reduced --seed 1 . fork_shares_pages || status=$?
[ "$status" -lt 3 ] || echo "setup.sh: the grader does not work here" >&2
