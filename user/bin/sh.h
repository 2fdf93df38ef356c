// What the two parts of the shell share: running commands (sh.c) and reading them (sh_input.c).
#pragma once

#include "command.h"
#include "cow6.h"
#include "tool.h"

enum {
    STATUS_INTERRUPTED = 130,
    STATUS_KILLED = 137,
    STATUS_NOT_RUN = 126,
    STATUS_NOT_FOUND = 127,
    STATUS_WRONG = 2
};

extern bool interactive; // commands come from the console
extern int last_status;

// Runs the jobs one after the other. Returns the status of the last.
int run_jobs(const struct job *jobs);

// Run the commands of a text, of fd 0 and of a file, each when it is complete. run_text returns
// whether the text is the beginning of a command whose rest may follow.
bool run_text(const char *text, bool at_end);
int run_input(void);
int run_file(const char *path);
