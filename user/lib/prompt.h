// Lines that are typed at the console after a prompt, with history and completion. They are read
// key by key, so that keys typed after a line go to the program that the line starts.
#pragma once

#include "lib/lineedit.h"

enum prompt_result {
    PROMPT_LINE,
    PROMPT_END,      // Ctrl-D
    PROMPT_DROPPED,  // Ctrl-C
    PROMPT_TOO_LONG, // dropped, too
    PROMPT_FAILED,   // errno says why
};

// Writes the prompt and reads a line, which gets a zero in place of its newline.
enum prompt_result prompt_read(const char *prompt, char line[LINE_BYTES]);
