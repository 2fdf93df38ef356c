// Kills processes.

#include "cow6.h"
#include "tool.h"

const char program_name[] = "kill";

static int kill_one(const char *text) {
    long pid;
    if (number_parse(text, &pid) < 0 || pid <= 0 || pid > INT32_MAX)
        return warn("%s: not a pid", text);
    if (kill((int)pid) == 0)
        return 0;
    if (errno != EPERM)
        return complain(text);
    return warn("%s: the first process cannot be killed (poweroff powers the machine off)", text);
}

int main(int argc, char **argv) {
    int status = 0;
    if (argc < 2)
        usage("kill pid ...");
    for (int i = 1; i < argc; i++)
        status |= kill_one(argv[i]);
    return status;
}
