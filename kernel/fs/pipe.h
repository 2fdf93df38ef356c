// Pipes: a ring of bytes between file descriptors.
#pragma once

#include "abi/types.h"
#include "lib/span.h"

struct pipe;

// Boot. / Returns a pipe with both ends open, or NULL if there is no memory for it.
void pipe_init(void);
struct pipe *pipe_alloc(void);

// Close an end; the pipe is freed with the second.
void pipe_close_reader(struct pipe *p);
void pipe_close_writer(struct pipe *p);

// Reads what there is, waiting for something; 0 when it is empty for good. May sleep. Errors: -EINTR.
int64_t pipe_read(struct pipe *p, struct spans *to);

// Writes everything, unless it is killed or the reader goes meanwhile; returns the bytes written. May
// sleep. Errors: -EINTR, -EPIPE.
int64_t pipe_write(struct pipe *p, struct spans *from);
