// Patterns for text: a character matches itself, . any character, [a-z] one of these, [^a-z] one of
// the others; * after one of these repeats it any number of times; ^ at the start matches only at
// the start of the text, $ at the end only at its end; \ makes the next character match itself.
#pragma once

#include "abi/types.h"

struct regex {
    struct regex_atom *atoms;
    size_t count;
    bool from_start, to_end;
    bool *now, *next; // states, see regex.c
};

// Returns NULL, or what is wrong. any_case: letters match both their forms. *r is to be destroyed
// in both cases.
const char *regex_init(struct regex *r, const char *pattern, bool any_case);
void regex_destroy(struct regex *r);

// Returns whether the pattern matches anywhere in the text. The time is always proportional to the
// length of the text times that of the pattern.
bool regex_matches(struct regex *r, const char *text, size_t length);
