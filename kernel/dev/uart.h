// The serial port: a 16550 (PC16550D data sheet).
#pragma once
#include "abi/types.h"

// From now on kernel messages go to the port at that address, each on a line of its own, and the
// port raises its interrupt when it receives bytes.
void uart_init(paddr_t address);

// Sends the bytes in one piece, each "\n" as "\r\n".
void uart_write(const char *text, size_t n);

// Returns how many bytes have been sent, without the "\r".
uint64_t uart_written(void);

// Takes at most `limit` received bytes and returns how many there were. Only for the port's
// interrupt handler, because there must be only one caller at a time.
size_t uart_read(char *to, size_t limit);
