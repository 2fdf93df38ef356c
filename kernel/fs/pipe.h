// Pipes: a ring of bytes between file descriptors.
#pragma once
#include "lib/span.h"

struct pipe;
enum pipe_end { PIPE_READER, PIPE_WRITER };

// Boot: sets aside the memory for pipes, but for their contents.
void pipe_init(size_t pipes_max);

// Returns a pipe with both ends open, or NULL if there is no memory for it. There must not be more
// than pipes_max.
struct pipe *pipe_alloc(void);

// Closes an end. The second one to be closed frees the pipe.
void pipe_close(struct pipe *p, enum pipe_end end);

// Waits until there is something to read, and reads what there is. Returns 0 if the pipe is empty
// and its writing end is closed. May sleep. Errors: -EINTR.
int64_t pipe_read(struct pipe *p, struct spans *to);

// Writes everything, unless the task is killed or the reading end is closed. Returns how many bytes
// were written. May sleep. Errors, if none were: -EINTR, -EPIPE.
int64_t pipe_write(struct pipe *p, struct spans *from);
