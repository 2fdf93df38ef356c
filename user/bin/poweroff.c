// Turns the machine off. The emulator exits with the status, 0 if none is given.

#include "cow6.h"
#include "tool.h"

const char program_name[] = "poweroff";

int main(int argc, char **argv) {
    long status = 0;
    if (argc > 2 ||
        (argc == 2 && (number_parse(argv[1], &status) < 0 || status < 0 || status > 255)))
        usage("poweroff [status]");
    poweroff((int)status);
    return complain("machine");
}
