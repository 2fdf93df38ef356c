// The run of a machine in the user's terminal.
#include "command/run.h"
#include "command/console.h"

enum run_end run_type(struct machine *m, bool is_dead, uint64_t idle,
                      void (*type)(void *owner, uint8_t byte), void *owner) {
    if (!machine_can_type(m))
        return is_dead ? RUN_DEAD : RUN_GOES_ON; // typing does not wake it
    int byte = console_get(is_dead ? CONSOLE_FOREVER : (int)(idle / RUN_MILLISECOND));
    if (byte >= 0)
        type(owner, byte);
    if (byte == CONSOLE_LEAVE)
        return RUN_LEFT;
    return byte == CONSOLE_END && is_dead ? RUN_DEAD : RUN_GOES_ON;
}

static void type(void *owner, uint8_t byte) {
    machine_type(owner, byte);
}

enum machine_stop run(struct machine *m, struct trace *trace, uint64_t end) {
    for (;;) {
        uint64_t now = machine_time(m), idle = machine_idle_time(m);
        uint64_t until = end - now < RUN_SLICE ? end : now + RUN_SLICE;
        enum machine_stop stop = trace != NULL ? trace_run(trace, until) : machine_run(m, until);
        console_flush();
        if ((stop != STOP_TIME && stop != STOP_IDLE) || machine_time(m) >= end)
            return stop;
        if (console_leaves())
            return stop;
        if (run_type(m, stop == STOP_IDLE, machine_idle_time(m) - idle, type, m) != RUN_GOES_ON)
            return stop;
    }
}

const char *run_reason(enum machine_stop stop) {
    switch (stop) {
    case STOP_FINISHED:
        return "the guest has ended";
    case STOP_RESET:
        return "the guest wants to start again";
    case STOP_IDLE:
        return "all harts wait for what nobody will type";
    case STOP_DEADLOCK:
        return "all harts wait or go round in loops";
    case STOP_NO_MEMORY:
        return "this computer has no memory left";
    default:
        return "stopped";
    }
}
