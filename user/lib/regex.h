// Patterns for text: a character stands for itself, . for any, [a-z] for one of them, [^a-z] for
// one of the others; * behind one of these repeats it any number of times; ^ in front is the start
// of the text, $ behind its end; \ makes a character stand for itself.
#pragma once

#include "abi/types.h"

struct regex {
    struct regex_atom *atoms;
    size_t count;
    bool from_start, to_end;
    bool *now, *next; // states, see regex.c
};

// Returns NULL or what is wrong. any_case: a letter stands for both its forms.
const char *regex_init(struct regex *r, const char *pattern, bool any_case);
void regex_destroy(struct regex *r);

// Does the pattern match somewhere in the text? Takes time proportional to the text's length and
// the pattern's, whatever they are.
bool regex_matches(struct regex *r, const char *text, size_t length);
