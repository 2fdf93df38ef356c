// For code built with -fsanitize=thread, which calls __tsan_... before each access to memory. The
// compiler's runtime is not linked: observed.c has these functions instead, and they call
// observed_access, which the test has.
#pragma once

#define NOT_OBSERVED __attribute__((no_sanitize("thread")))

// Another access to memory is about to begin.
void observed_access(void);
