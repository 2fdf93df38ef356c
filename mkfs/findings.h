// Findings of the checker. They are kept as text and printed at the end, when all paths are known.
#pragma once

#include <stdio.h>

#include "facts.h"

// Makes room for findings; the counts start at 0.
void findings_init(struct check *c);

void findings_destroy(struct check *c);

// Notes a violation that concerns an inode (0: none) and the `other` inode, with which the text
// ends.
void report_two(struct check *c, uint32_t inode, uint32_t other, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#define report(c, inode, ...) report_two(c, inode, 0, __VA_ARGS__)

// Notes something that is unusual, but not wrong.
void warn(struct check *c, uint32_t inode, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Prints the findings, one line each. If there are many, prints the first ones, and how many more
// there are.
void findings_print(const struct check *c, FILE *out, bool warnings);
