// The run of a machine in the user's terminal.
#include "command/run.h"
#include "command/console.h"

enum { INSTRUCTIONS_PER_MILLISECOND = 100000 };
enum { SLICE = INSTRUCTIONS_PER_MILLISECOND }; // between two looks at what is typed

enum machine_stop run(struct machine *m, struct trace *trace, uint64_t end) {
    for (;;) {
        uint64_t now = machine_time(m), idle = machine_idle_time(m);
        uint64_t until = end - now < SLICE ? end : now + SLICE;
        enum machine_stop stop = trace != NULL ? trace_run(trace, until) : machine_run(m, until);
        console_flush();
        if ((stop != STOP_TIME && stop != STOP_IDLE) || machine_time(m) >= end)
            return stop;
        if (console_leaves())
            return stop;
        bool is_idle = stop == STOP_IDLE;
        if (!machine_can_type(m)) {
            if (is_idle)
                return stop; // typing does not wake it
            continue;
        }
        int waited = (machine_idle_time(m) - idle) / INSTRUCTIONS_PER_MILLISECOND;
        int byte = console_get(is_idle ? CONSOLE_FOREVER : waited);
        if (byte >= 0)
            machine_type(m, byte);
        if (byte == CONSOLE_LEAVE || (byte == CONSOLE_END && is_idle))
            return stop;
    }
}
