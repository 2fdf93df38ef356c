#!/bin/bash
# Moodle's VPL runs this beside cow.tar.gz and the student's files, and then vpl_execution.
# shellcheck source=/dev/null
. ./vpl_environment.sh

# The grader moves to a folder of its own, in which a student cannot have put anything, and whatever
# is not the student's goes.
rm -rf .cow-grader
mkdir .cow-grader && tar -xzf cow.tar.gz -C .cow-grader || exit 1
rm -f cow.tar.gz

{
    cat vpl_environment.sh
    echo 'exec python3 .cow-grader/cow/tools/platforms/run.py vpl'
} >vpl_execution
chmod +x vpl_execution
