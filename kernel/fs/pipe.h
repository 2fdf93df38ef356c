// Pipes: a ring of bytes between file descriptors.
#pragma once
#include "lib/span.h"

struct pipe;
enum pipe_end { PIPE_READER, PIPE_WRITER };

// Returns a pipe with both ends open, or NULL if there is no memory for it.
struct pipe *pipe_alloc(void);
// Closes an end; the pipe is freed with the second.
void pipe_close(struct pipe *p, enum pipe_end end);
// Reads what there is, waiting for something; 0 when it is empty for good. May sleep. Errors:
// -EINTR.
int64_t pipe_read(struct pipe *p, struct spans *to);
// Writes all, unless the task is killed or the reader goes; returns how much. May sleep. Errors:
// -EINTR, -EPIPE.
int64_t pipe_write(struct pipe *p, struct spans *from);
