// The serial line, and the end.
#include "guest.h"

#define UART 0x10000000
#define FINISHER 0x100000
enum { DATA = 0, LINE_CONTROL = 3, EIGHT_BITS = 3, PASS = 0x5555 };

static void put(char c) {
    *(volatile uint8_t *)(uint64_t)(UART + DATA) = c;
}

void print(const char *text) {
    *(volatile uint8_t *)(uint64_t)(UART + LINE_CONTROL) = EIGHT_BITS; // programs change it
    while (*text != '\0')
        put(*text++);
}

void print_hex(uint64_t value) {
    char text[17] = "0";
    unsigned digits = 1;
    while (digits < 16 && value >> 4 * digits != 0)
        digits++;
    for (unsigned i = 0; i < digits; i++)
        text[i] = "0123456789abcdef"[value >> 4 * (digits - 1 - i) & 15];
    text[digits] = '\0';
    print(text);
}

void print_named(const char *name, uint64_t value) {
    print(" ");
    print(name);
    print("=");
    print_hex(value);
}

void finish(void) {
    device_write(FINISHER, PASS);
    for (;;)
        ;
}
