// Checks of what must be true. A failure means the kernel is wrong; bad input never gets here.
#pragma once

// Stays on in all builds.
#define assert(condition) ((condition) ? (void)0 : assert_failed(__FILE__, __LINE__, #condition))

_Noreturn void assert_failed(const char *file, int line, const char *condition);

// Prints the message, hart, process and a backtrace, stops the other harts and powers off (under
// test) or halts.
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));
