// Requests of a debugger that are about registers, memory, breakpoints and descriptions.
#pragma once
#include "debug/session.h"

// Serves a request; one that is not known leaves the answer empty.
void remote_access(struct remote *r, const char *packet, struct text *out);

// Serves qXfer: a part of a description.
void remote_transfer(const struct remote *r, const char *at, struct text *out);
