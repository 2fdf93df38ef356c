// harts N: passes if N harts run programs at the same time, and if a program that stops all harts
// again and again, by looking at the process table, leaves the others time to run. Children that
// never sleep are started, and the table is read until it shows N running processes; then the time
// for a piece of work is compared with and without a process that polls the table. This is repeated
// if it fails, because the host may have had no time for one of the two.
#include "cow6.h"

enum { CHILDREN = 16, LOOKS = 2000, WORK = 100 * 1000 * 1000, SLOWDOWN = 5, TRIES = 10 };

static int running_processes(void) {
    struct procinfo info;
    int running = 0;
    for (int pid = procinfo(1, &info); pid > 0; pid = procinfo(pid + 1, &info))
        running += info.state == PROCESS_RUNNING;
    return running;
}

// Returns how many tenths of a second the workers need for a piece of work each.
static int work(int workers) {
    int start = uptime();
    for (int i = 0; i < workers; i++) {
        if (fork() != 0)
            continue;
        for (volatile int n = 0; n < WORK; n++)
            continue;
        exit(0);
    }
    for (int i = 0; i < workers; i++)
        wait(NULL);
    return uptime() - start;
}

// As work, while another process polls the table.
static int work_while_polled(int workers) {
    struct procinfo info;
    int poller = fork();
    while (poller == 0)
        procinfo(1, &info);
    int ticks = work(workers);
    kill(poller);
    wait(NULL);
    return ticks;
}

// Whether polling takes too much time from the others. Prints the test's line.
static bool polling_starves(int workers) {
    int alone = 0, polled = 0, most = -1;
    for (int i = 0; i < TRIES && polled > most; i++) {
        alone = work(workers);
        polled = work_while_polled(workers);
        most = SLOWDOWN * (alone + 2);
    }
    if (polled > most)
        printf("polling: FAIL expected %d tenths of a second to become at most %d, saw %d\n", alone,
               most, polled);
    else
        printf("polling: ok\n");
    return polled > most;
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
        while (children[i] == 0)
            continue;
    }
    for (int looks = 0; looks < LOOKS && most < wanted; looks++) {
        int running = running_processes();
        if (running > most)
            most = running;
    }
    for (int i = 0; i < CHILDREN; i++)
        kill(children[i]);
    while (wait(NULL) > 0)
        continue;
    if (most < wanted)
        printf("harts: FAIL expected %d running processes, saw %d\n", wanted, most);
    else
        printf("harts: ok\n");
    bool starved = polling_starves(wanted);
    printf("%d passed, %d failed\n", (most >= wanted) + !starved, (most < wanted) + starved);
    return most < wanted || starved;
}
