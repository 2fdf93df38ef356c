// The terminal at the other end of the serial port: it is asked how wide it is and where its cursor
// is, and answers among the keys, or never. The console's lock is held at every call.
#pragma once
#include "abi/terminal.h"
#include "abi/types.h"

// Asks, unless answers are awaited already.
void terminal_ask(void);

// True while answers are awaited.
bool terminal_is_asked(void);

// The value of clock_ticks at which they are given up.
uint64_t terminal_deadline(void);

// Call it when the key "R" arrives. If it completes an answer, takes it from the key ring and
// returns true.
bool terminal_take_answer(void);

// What the terminal has answered, or what is assumed if it has not.
struct terminal terminal_answer(void);
