// The first process: opens the console as fd 0, 1 and 2, starts the shell, restarts it whenever it
// ends, and waits for orphans.

#include "cow6.h"

static void open_console(void) {
    if (open("/console", O_RDWR) < 0) {
        mknod("/console", DEVICE_CONSOLE, 0);
        open("/console", O_RDWR);
    }
    dup(0);
    dup(0);
}

static int start_shell(void) {
    int pid = fork();
    if (pid == 0) {
        exec("/sh", (char *[]){"sh", NULL});
        perror("init: /sh");
        exit(1);
    }
    if (pid < 0)
        perror("init: fork");
    return pid;
}

int main(void) {
    open_console();
    printf("Type \"help\" for programs and keys.\n\n");
    for (;;) {
        int status;
        int pid, shell = start_shell();
        do
            pid = wait(&status);
        while (pid >= 0 && pid != shell);
        fprintf(2, "init: the shell ended with status %d, starting another\n", status);
        if (status != 0)
            sleep(TICKS_PER_SECOND);
    }
}
