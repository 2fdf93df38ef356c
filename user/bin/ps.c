// Lists the processes: pages that are present, pages that their regions cover.

#include "cow6.h"
#include "tool.h"

static const char *const state_names[] = {
    [PROCESS_RUNNING] = "running",
    [PROCESS_RUNNABLE] = "ready",
    [PROCESS_SLEEPING] = "sleeping",
    [PROCESS_ZOMBIE] = "zombie",
};

int main(void) {
    struct procinfo info;
    put_text("ps", "  PID PARENT STATE    PRESENT  PAGES NAME\n");
    for (int pid = 1; procinfo(pid, &info) > 0; pid = info.pid + 1) {
        bool known = info.state >= 0 && (size_t)info.state < ARRAY_SIZE(state_names);
        put_text("ps", "%5d %6d %-8s %7lu %6lu %s\n", info.pid, info.parent, known ? state_names[info.state] : "?",
                 info.pages_resident, info.pages_region, info.name);
    }
    return 0;
}
