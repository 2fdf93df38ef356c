// explore SCENARIO PROCESSES: lets the processes meet in one of the kernel's protocols, and passes
// if all that they see is right, and no frame is lost. It is process 1, so the machine ends with
// its status. There must be a hart for each process.
//
// In a first round the processes work one after the other, so that all pages are there which the
// program needs. The second one calls uptime when all processes wait to begin: from there on,
// schedules differ.
#include "explore.h"

struct shared *shared;
int process_count;
volatile int pids[PROCESSES_MAX];
int round_number;

void fail(const char *file, int line, const char *condition) {
    printf("%s:%d: not so: %s\n", file, line, condition);
    exit(1);
}

void expect_child(int status) {
    int seen;
    CHECK(wait(&seen) > 0);
    CHECK(seen == status);
}

static void touch_program(void) {
    extern char _start[];
    for (const volatile char *p = _start; p < (const char *)touch_program; p += PAGE_BYTES)
        (void)*p;
}

// True if the processes work one after the other, so that no race can be lost.
static bool in_turn(const struct scenario *s) {
    return round_number == 0 && !s->is_joint;
}

static _Noreturn void be_child(const struct scenario *s, int number) {
    if (s->arrive != NULL)
        s->arrive(number);
    __atomic_fetch_add(&shared->arrived, 1, __ATOMIC_ACQ_REL);
    while (shared->begin == 0 || (in_turn(s) && shared->turn != number))
        continue;
    s->work(number);
    exit(s->status);
}

static int running(void) {
    struct procinfo info;
    int count = 0;
    for (int pid = procinfo(1, &info); pid > 0; pid = procinfo(pid + 1, &info))
        count += info.state == PROCESS_RUNNING;
    return count;
}

// Starts the other processes, and returns when each of them waits on a hart of its own.
static void start_children(const struct scenario *s) {
    for (int i = 1; i < process_count; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            be_child(s, i);
        CHECK(pids[i] > 0);
    }
    if (s->arrive != NULL)
        s->arrive(0);
    while (shared->arrived + 1 < (uint32_t)process_count || running() < process_count)
        continue;
}

// Waits until that many children have ended, or all.
static void wait_for(const struct scenario *s, int count) {
    for (int status; count > 0 && wait(&status) > 0; count--)
        CHECK(status == s->status || status == 0);
}

static void run_round(const struct scenario *s) {
    struct memstat before, after;
    memset(shared, 0, sizeof *shared);
    CHECK(memstat(&before, 0) == 0);
    if (s->prepare != NULL)
        s->prepare();
    start_children(s);
    if (round_number > 0)
        uptime();
    shared->begin = 1;
    while (in_turn(s) && ++shared->turn < process_count)
        wait_for(s, 1);
    s->work(0);
    wait_for(s, PROCESSES_MAX * PROCESSES_MAX);
    if (s->finish != NULL)
        s->finish();
    CHECK(memstat(&after, MEMSTAT_CHECK) == 0);
    CHECK(after.violations == 0);
    CHECK(round_number == 0 || after.frames_free == before.frames_free);
}

static const struct scenario *find(const struct scenario *s, const char *name) {
    while (s->name != NULL && strcmp(s->name, name) != 0)
        s++;
    return s->name != NULL ? s : NULL;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "leave") == 0)
        return OTHER_PROGRAM;
    const struct scenario *s = NULL;
    process_count = argc == 3 ? atoi(argv[2]) : 0;
    if (process_count >= 2 && process_count <= PROCESSES_MAX) {
        s = find(memory_scenarios, argv[1]);
        s = s != NULL ? s : find(process_scenarios, argv[1]);
        s = s != NULL ? s : find(file_scenarios, argv[1]);
    }
    if (s == NULL) {
        fprintf(2, "usage: explore SCENARIO PROCESSES (2 to %d)\n", PROCESSES_MAX);
        return 2;
    }
    touch_program();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    for (round_number = 0; round_number < 2; round_number++)
        run_round(s);
    return 0;
}
