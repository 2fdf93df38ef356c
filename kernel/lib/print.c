// A message is formatted into a buffer and handed over whole.
#include "lib/print.h"
#include "arch/hart.h"
#include "lib/format.h"

// The firmware writes until the serial port's driver is ready.
static void (*output)(const char *text, size_t n) = firmware_write;

void print_list(const char *format, va_list arguments) {
    char text[256];
    output(text, format_list(text, sizeof text, format, arguments));
}

void print(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_list(format, arguments);
    va_end(arguments);
}

void print_to(void (*write)(const char *text, size_t n)) {
    output = write;
}
