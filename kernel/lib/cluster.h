// The parts of a text that the line editor treats as units. A cluster is what the cursor steps
// over: a character and those that combine with it, the two letters of a flag, or emoji that
// joiners (U+200D) connect. A part of a cluster is what every terminal shows in the same columns:
// each letter of a flag, each of the joined emoji.
#pragma once
#include "abi/types.h"

// Valid UTF-8.
struct text {
    const char *bytes;
    size_t length;
};

// Returns the end of the part that starts at i, and stores how many columns it takes.
size_t cluster_part_end(struct text t, size_t i, unsigned *width);

// Returns the end of the first cluster that ends after `i`.
size_t cluster_next(struct text t, size_t i);

// Returns the start of the last cluster that starts before `i`.
size_t cluster_previous(struct text t, size_t i);

// True if the character at i combines with the one before it, and takes no column.
bool cluster_combines(struct text t, size_t i);

// Stores in *shown the character to show for the one at i, or 0 for none; returns where the next
// character starts. Characters that join others are not shown, because terminals differ in how they
// show them.
size_t cluster_show(struct text t, size_t i, uint32_t *shown);
