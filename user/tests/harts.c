// harts N: passes if N harts run programs at once. Children that never sleep are started, and the process table is
// looked at until it shows N running processes.
#include "cow6.h"

enum { CHILDREN = 16, LOOKS = 2000 };

static int running_processes(void) {
    struct procinfo info;
    int running = 0;
    for (int pid = procinfo(1, &info); pid > 0; pid = procinfo(pid + 1, &info)) running += info.state == PROCESS_RUNNING;
    return running;
}

int main(int argc, char **argv) {
    int wanted = argc == 2 ? atoi(argv[1]) : 0;
    if (wanted < 1 || wanted > CHILDREN) {
        fprintf(2, "usage: harts NUMBER (1 to %d)\n", CHILDREN);
        return 1;
    }
    int children[CHILDREN], most = 0;
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        while (children[i] == 0) continue;
    }
    for (int looks = 0; looks < LOOKS && most < wanted; looks++) {
        int running = running_processes();
        if (running > most) most = running;
    }
    for (int i = 0; i < CHILDREN; i++) kill(children[i]);
    while (wait(NULL) > 0) continue;
    if (most < wanted)
        printf("harts: FAIL expected %d running processes, saw %d\n", wanted, most);
    else
        printf("harts: ok\n");
    printf("%d passed, %d failed\n", most >= wanted, most < wanted);
    return most < wanted;
}
