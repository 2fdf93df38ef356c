// Lists the processes: what the sleeping ones wait for, how long each has run, how many of its
// pages are present, and how many its regions cover.

#include "cow6.h"
#include "tool.h"

const char program_name[] = "ps";

static const char *const state_names[] = {
    [PROCESS_RUNNING] = "running",
    [PROCESS_RUNNABLE] = "ready",
    [PROCESS_SLEEPING] = "sleeping",
    [PROCESS_ZOMBIE] = "zombie",
};

static const char *const wait_names[] = {
    [WAITS_FOR_FILES] = "files", [WAITS_FOR_PIPE] = "pipe", [WAITS_FOR_CHILD] = "child",
    [WAITS_FOR_KEYS] = "keys",   [WAITS_FOR_TIME] = "time",
};

static const char *name_in(const char *const *names, size_t count, int i) {
    return i >= 0 && (size_t)i < count ? names[i] : "?";
}

int main(int argc, char **argv) {
    struct procinfo info;
    (void)argv;
    if (argc != 1)
        usage("ps");
    put_text("  PID PARENT STATE    FOR      TIME PRESENT  PAGES NAME\n");
    for (int pid = 1; procinfo(pid, &info) > 0; pid = info.pid + 1) {
        const char *wait = name_in(wait_names, ARRAY_SIZE(wait_names), info.waits_for);
        unsigned long hundredths = info.run_microseconds / 10000;
        put_text("%5d %6d %-8s %-5s %4lu.%02lu %7lu %6lu %s\n", info.pid, info.parent,
                 name_in(state_names, ARRAY_SIZE(state_names), info.state),
                 info.state == PROCESS_SLEEPING ? wait : "", hundredths / 100, hundredths % 100,
                 info.pages_resident, info.pages_region, info.name);
    }
    return 0;
}
