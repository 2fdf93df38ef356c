// What a debugger is told about the machine in XML: the registers of a hart, and the harts.
#pragma once
#include "debug/text.h"
#include "machine.h"

enum { DESCRIPTION_BYTES = 8192 };

// Writes the file of that name into the text. Returns false if there is none.
bool description_write(const struct machine *m, const char *name, struct text *t);

// Adds what a hart does, in words.
void description_add_hart(const struct machine *m, unsigned hart, struct text *t);
