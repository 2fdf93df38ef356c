// Completion of names in the shell's language (command.h): of programs and builtins where a command
// is expected, of paths elsewhere.
#pragma once

#include "abi/limits.h"
#include "abi/stat.h"
#include "abi/types.h"

struct completion {
    char **names; // that match: sorted, one block of malloc; what cannot be typed is left out
    size_t count;
    char directory[PATH_BYTES]; // where they are

    // To be inserted at the cursor: what all names have in common, and for a single name its end.
    char text[2 * NAME_BYTES + sizeof "' "];
};

// Completes the word that ends at that offset of the text. The result is to be destroyed.
void complete(const char *text, size_t cursor, struct completion *c);

// True if name i is a directory.
bool completion_is_directory(const struct completion *c, size_t i);

void completion_destroy(struct completion *c);
