// The terminal at the other end of the serial port. It is asked how wide it is and where its cursor
// is; its answers arrive among the keys, or never. The console's lock is held at every call.
#pragma once
#include "abi/terminal.h"
#include "abi/types.h"

// Asks, unless answers are already awaited.
void terminal_ask(void);

// True while answers are awaited.
bool terminal_is_asked(void);

// Returns the value of clock_ticks at which the wait for answers ends.
uint64_t terminal_deadline(void);

// Call it when the key "R" arrives. If it completes an answer, takes it from the key ring and
// returns true.
bool terminal_take_answer(void);

// Returns what the terminal has answered, or what is assumed if it has not answered.
struct terminal terminal_answer(void);
