// Names for addresses in a program, for messages.
#pragma once

#include "proc/proc.h"

enum { SYMBOL_NAME = 40 };

// Looks up the function of the running program that contains pc in the symbol table of its file;
// stores its name and pc's offset in it. Returns false if there is none. May sleep.
bool symbol_find(const struct proc *p, vaddr_t pc, char name[SYMBOL_NAME], uint64_t *offset);
