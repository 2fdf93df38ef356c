// The serial line (16550), which is the console.
#pragma once
#include "devices/plic.h"

enum { UART_IRQ = 10, UART_FIFO = 16 };

#define UART_START 0x10000000u
#define UART_BYTES 0x100u

struct uart_registers {
    uint8_t interrupt_enable, line_control, modem_control, scratch;
    uint8_t divisor[2];
    uint8_t is_sent;      // the line has become free, and nobody has been told yet
    uint8_t listening;    // whether the guest wants to know what is typed
    uint8_t first, count; // of the bytes in the FIFO
    uint8_t fifo[UART_FIFO];
};

struct uart {
    struct uart_registers r;
    struct plic *plic;
    void (*put)(void *owner, uint8_t byte); // prints
    void *owner;
};

void uart_init(struct uart *u, struct system *system, struct plic *plic);

// True if the guest listens, and has read what was typed before.
bool uart_can_type(const struct uart *u);

// Gives the guest a byte that was typed. Returns false if there is no room for it.
bool uart_type(struct uart *u, uint8_t byte);

// Takes a byte that was typed; -1 if there is none. For firmware.
int uart_take(struct uart *u);
