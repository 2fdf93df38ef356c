// The tables of forkcmp.
#include "forkcmp.h"

static const char *const kind_names[KINDS] = {"eager fork", "copy-on-write fork", "vfork"};

// Writes a number in at most 5 characters, large ones with three digits: 1234, 12.3K, 1.88M.
static void format_short(char *out, size_t size, uint64_t number) {
    uint64_t divisor = 1000, hundredths;
    const char *unit = "KMGT";
    for (; number / divisor >= 1000 && unit[1] != '\0'; divisor *= 1000)
        unit++;
    hundredths = number / (divisor / 100);
    if (number < 10000)
        snprintf(out, size, "%lu", number);
    else if (hundredths < 1000)
        snprintf(out, size, "%lu.%02lu%c", hundredths / 100, hundredths % 100, *unit);
    else if (hundredths < 10000)
        snprintf(out, size, "%lu.%lu%c", hundredths / 100, hundredths / 10 % 10, *unit);
    else
        snprintf(out, size, "%lu%c", hundredths / 100, *unit);
}

static void print_result(const struct result *r) {
    char instructions[16] = "-";
    if (r->instructions != 0)
        format_short(instructions, sizeof instructions, r->instructions);
    if (r->state == MEASURED)
        put_text(" %5u %5u %5u %5s", r->frames, r->faults, r->copies, instructions);
    else
        put_text(" %23s", r->state == NO_MEMORY ? "not enough memory" : "not measured");
}

static const char *act_name(int act) {
    static char name[8];
    snprintf(name, sizeof name, "%d%%", act);
    return act == EXEC ? "exec" : name;
}

static bool has_row(size_t row, size_t act) {
    return heap_sizes[row] > 0 || acts[act] <= 0;
}

void table_print(void) {
    put_text("\nheap    ");
    for (int kind = 0; kind < KINDS; kind++)
        put_text(" %23s", kind_names[kind]);
    put_text("\nMiB then");
    for (int kind = 0; kind < KINDS; kind++)
        put_text(" frame fault  copy instr");
    for (size_t row = 0; row < HEAPS; row++)
        for (size_t act = 0; act < ACTS; act++) {
            if (!has_row(row, act))
                continue;
            put_text("\n%3u %4s", heap_sizes[row], act_name(acts[act]));
            for (int kind = 0; kind < KINDS; kind++)
                print_result(&table[kind][row][act]);
        }
    put_text("\n");
}

// How many percent of eager fork's instructions copy-on-write takes, rounded; 0 if that is unknown.
static uint64_t price(size_t row, size_t act) {
    const struct result *eager = &table[EAGER][row][act], *cow = &table[COW][row][act];
    uint64_t whole = eager->instructions;
    return whole != 0 ? (cow->instructions * 100 + whole / 2) / whole : 0;
}

void prices_print(void) {
    put_text("\nThe price of copy-on-write: instructions in percent of eager fork's\n\nMiB then");
    for (size_t act = 0; act < ACTS; act++)
        put_text(" %6s", act_name(acts[act]));
    for (size_t row = 0; row < HEAPS; row++) {
        put_text("\n%3u     ", heap_sizes[row]);
        for (size_t act = 0; act < ACTS; act++)
            if (price(row, act) != 0 && has_row(row, act))
                put_text(" %6lu", price(row, act));
            else
                put_text("      -");
    }
    put_text("\n");
}
