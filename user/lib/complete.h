// Completion of names in the shell's language (command.h): of programs and of what the shell has
// built in where a command is to come, else of paths.
#pragma once

#include "abi/limits.h"
#include "abi/stat.h"
#include "abi/types.h"

struct completion {
    char **names; // that fit: sorted, one block of malloc; what cannot be typed is left out
    size_t count;
    char directory[PATH_BYTES];              // where they are
    char text[2 * NAME_BYTES + sizeof "' "]; // for the cursor's place: what they have in common; if
                                             // it is one, its end
};

// Completes the word that ends at that offset of the text. The result is to be destroyed.
void complete(const char *text, size_t cursor, struct completion *c);

// True if name i is a directory's.
bool completion_is_directory(const struct completion *c, size_t i);

void completion_destroy(struct completion *c);
