// The kernel's command line: words that say how to start.
#pragma once
#include "abi/limits.h"
#include "abi/types.h"

struct options {
    const char *init;        // NULL: "/init", which is not expected to end
    unsigned argument_count; // of init, including its own name
    const char *arguments[ARGS_MAX];
    bool fork_eagerly;      // fork=eager
    size_t frames;          // frames=N, 0: all
    size_t fail_frame;      // failframe=N, 0: none
    bool fail_all_frames;   // failframe=N+
    unsigned unknown_count; // words that are no options
    const char *unknown[8];
};

// Reads the line, and cuts it into words, to which *o points from then on.
void options_read(struct options *o, char *line);
