// Does nothing for a number of seconds, which may have a decimal point.

#include "cow6.h"
#include "tool.h"

const char program_name[] = "sleep";

// Stores how many ticks the seconds are, rounded up. Returns -1 if the text is not a number or too
// large.
static int parse_ticks(const char *text, long *ticks) {
    bool some_digit = false, rest = false;
    long tick_value = TICKS_PER_SECOND;
    *ticks = 0;
    for (; char_is_digit(*text); text++, some_digit = true) {
        *ticks = 10 * *ticks + tick_value * (*text - '0');
        if (*ticks > INT32_MAX)
            return -1;
    }
    if (*text == '.')
        text++;
    for (; char_is_digit(*text); text++, some_digit = true) {
        tick_value /= 10;
        *ticks += tick_value * (*text - '0');
        rest = rest || (tick_value == 0 && *text != '0');
    }
    *ticks += rest;
    return some_digit && *text == '\0' ? 0 : -1;
}

int main(int argc, char **argv) {
    long ticks;
    if (argc != 2 || parse_ticks(argv[1], &ticks) < 0)
        usage("sleep seconds");
    return sleep((int)ticks) < 0 ? complain(argv[1]) : 0;
}
