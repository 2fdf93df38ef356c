// The checker of disk images: finds every departure from the format and prints a line for it. It
// trusts nothing in the image; time and memory are bounded by the image's size.
#pragma once

#include "findings.h"

// Checks the superblock. The other checks make sense only if this returns true.
bool check_superblock(struct check *c, struct image *image);

// Counts the committed records of the log and, if `replay`, copies their blocks to where they
// belong.
void check_log(struct check *c, bool replay);

// Checks everything else.
void check_contents(struct check *c);

void check_destroy(struct check *c);
