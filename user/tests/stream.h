// What the pipe tests share: a pipe that must work, and streams of the pattern through it.
#pragma once

#include "support.h"

struct pipe {
    int from, to;
};

struct pipe pipe_make(void);
void pipe_close(struct pipe p);

// Reads to the end, in pieces of at most `piece` bytes; returns how many bytes with the pattern
// came.
size_t read_pattern(int fd, size_t piece);

// Writes that many bytes with the pattern, in pieces of at most `piece` bytes.
void write_pattern(int fd, size_t total, size_t piece);
