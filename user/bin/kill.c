// Kills processes.

#include "cow6.h"
#include "tool.h"

int main(int argc, char **argv) {
    int status = 0;
    if (argc < 2) usage("kill pid ...");
    for (int i = 1; i < argc; i++) {
        long pid;
        if (number_parse(argv[i], &pid) < 0 || pid <= 0 || pid > INT32_MAX) usage("kill pid ...");
        if (kill((int)pid) < 0) status = complain("kill", argv[i]);
    }
    return status;
}
