// Makes empty files where there are none.

#include "cow6.h"
#include "tool.h"

const char program_name[] = "touch";

int main(int argc, char **argv) {
    int status = 0;
    if (argc < 2)
        usage("touch file ...");
    for (int i = 1; i < argc; i++) {
        int fd = open(argv[i], O_WRONLY | O_CREATE);
        if (fd < 0)
            status = complain(argv[i]);
        else
            close(fd);
    }
    return status;
}
