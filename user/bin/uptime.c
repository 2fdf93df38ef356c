// Shows how long the machine has been running.

#include "cow6.h"
#include "tool.h"

const char program_name[] = "uptime";

int main(void) {
    int ticks = uptime();
    put_text("up %d.%d seconds\n", ticks / TICKS_PER_SECOND, ticks % TICKS_PER_SECOND);
    return 0;
}
