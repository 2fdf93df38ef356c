// The interpreter.
#pragma once
#include "cpu/hart.h"

// Executes instructions of the hart until its turn ends: system->turn of them, or fewer if
// something happened that the machine has to look at. Interrupts are taken by the caller.
void execute(struct hart *h);
