// Makes directories.

#include "cow6.h"
#include "tool.h"

const char program_name[] = "mkdir";

int main(int argc, char **argv) {
    int status = 0;
    if (argc < 2)
        usage("mkdir directory ...");
    for (int i = 1; i < argc; i++)
        if (mkdir(argv[i]) < 0)
            status = complain(argv[i]);
    return status;
}
