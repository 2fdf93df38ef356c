// A program of cow6 that changes files and says after each change that it was made. As process 1:
// init=/writer,SEED,TASKS,CHANGES. tests/simulator/power.py knows what it does.
#include "cow6.h"

enum { NAMES = 4, BYTES_MAX = 9000 };

struct writer {
    uint64_t random;
    int task;
    char path[8], other[8];
};

static unsigned next(struct writer *w, unsigned limit) {
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return (w->random >> 33) % limit;
}

// Stores "/T/x".
static void name_file(struct writer *w, char *path) {
    path[0] = path[2] = '/';
    path[1] = (char)('0' + w->task);
    path[3] = (char)('a' + next(w, NAMES));
    path[4] = '\0';
}

static void write_file(struct writer *w, int change, int flags) {
    static char bytes[BYTES_MAX];
    int count = 1 + (int)next(w, BYTES_MAX);
    for (int i = 0; i < count; i++)
        bytes[i] = (char)(change * 31 + w->task * 17 + i * 7 + i / 256);
    int fd = open(w->path, flags);
    if (fd < 0)
        return;
    if (write(fd, bytes, count) == count)
        errno = 0;
    close(fd);
}

// Returns whether the disk is well. Changes of files that are not there, or are already, fail.
static bool make_change(struct writer *w, int change) {
    unsigned kind = next(w, 5);
    name_file(w, w->path);
    name_file(w, w->other);
    errno = 0;
    switch (kind) {
    case 0:
    case 1:
        write_file(w, change, O_CREATE | O_TRUNC | O_WRONLY);
        break;
    case 2:
        write_file(w, change, O_WRONLY);
        break;
    case 3:
        unlink(w->path);
        break;
    default:
        link(w->path, w->other);
    }
    return errno != EIO;
}

// Ends when the disk fails.
static void run_task(unsigned seed, int task, int changes) {
    struct writer w = {.random = seed * 8 + (unsigned)task, .task = task};
    name_file(&w, w.path);
    w.path[2] = '\0';
    if (mkdir(w.path) != 0)
        return;
    printf("%d 0\n", task);
    for (int change = 1; change <= changes && make_change(&w, change); change++)
        printf("%d %d\n", task, change);
}

static int number(const char *text) {
    int value = 0;
    for (; *text >= '0' && *text <= '9'; text++)
        value = value * 10 + *text - '0';
    return value;
}

int main(int argc, char **argv) {
    if (argc != 4)
        return 2;
    int tasks = number(argv[2]);
    for (int task = 0; task < tasks; task++) {
        if (fork() == 0) {
            run_task((unsigned)number(argv[1]), task, number(argv[3]));
            return 0;
        }
    }
    for (int task = 0; task < tasks; task++)
        wait(NULL);
    return 0;
}
