// Turns, gates, clocks and limits of memory for the tests of cowtest.
#include "cowtest.h"

#include "cow6.h"

enum { MEGAPAGES = 1 << 18 }; // pages that one sbrk can ask for: 1 GiB

static int limit_pipe[2];
static bool limited;
static size_t filled_pages;
static int filler_pipe[2];
static bool filler_open;

void pipe_open(int *fds) {
    if (pipe(fds) < 0)
        FAIL("no pipe can be made [expected two descriptors, saw: %s]", strerror(errno));
}

void program_execute(char *argument) {
    exec(PROGRAM, (char *[]){"cowtest", argument, NULL});
    FAIL("exec fails [expected it to work, saw: %s]", strerror(errno));
}

// Waits until the child has said that it pauses, and sleeps; false if it has ended.
static bool child_pauses(const struct turns *t) {
    char byte;
    TEST_WAITS("the child to end its turn");
    if (read(t->to_parent[0], &byte, 1) != 1)
        return false;
    struct procinfo info;
    do {
        if (procinfo(t->child, &info) != t->child || info.state == PROCESS_ZOMBIE)
            return false;
    } while (info.state != PROCESS_SLEEPING);
    return true;
}

pid_t turns_fork(struct turns *t) {
    pipe_open(t->to_child);
    pipe_open(t->to_parent);
    test_own_pages();
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        close(t->to_child[1]);
        close(t->to_parent[0]);
        test_own_pages();
        turns_pause(t);
        return 0;
    }
    close(t->to_child[0]);
    close(t->to_parent[1]);
    t->child = pid;
    CHECK(child_pauses(t),
          "the child ended right after fork had made it: begin with one_page_step_by_step");
    test_own_pages();
    return pid;
}

bool turns_next(struct turns *t) {
    char byte = 0;
    return write(t->to_child[1], &byte, 1) == 1 && child_pauses(t);
}

void turns_pause(struct turns *t) {
    char byte = 0;
    write(t->to_parent[1], &byte, 1);
    read(t->to_child[0], &byte, 1);
}

void turns_close(struct turns *t) {
    close(t->to_child[1]);
    close(t->to_parent[0]);
    CHECK_CHILD(0);
}

void gate_init(struct gate *g) {
    pipe_open(g->fd);
}

void gate_wait(struct gate *g) {
    char byte;
    close(g->fd[1]);
    read(g->fd[0], &byte, 1);
    close(g->fd[0]);
}

void gate_open(struct gate *g) {
    close(g->fd[0]);
    close(g->fd[1]);
}

uint64_t time_now(void) {
    uint64_t now;
    __asm__ volatile("rdtime %0" : "=r"(now));
    return now;
}

void time_wait(uint64_t when) {
    while ((int64_t)(when - time_now()) > 0)
        ;
}

size_t frames_available(void) {
    struct memstat now = test_memstat();
    return now.frames_free - now.frames_promised;
}

void memory_limit(size_t frames) {
    int ready[2];
    char byte = 0;
    if (frames_available() <= frames)
        return;
    pipe_open(limit_pipe);
    pipe_open(ready);
    IN_CHILD {
        close(limit_pipe[1]);
        memory_fill(frames);
        write(ready[1], &byte, 1);
        read(limit_pipe[0], &byte, 1);
    }
    close(limit_pipe[0]);
    close(ready[1]);
    TEST_WAITS("a child to take memory");
    CHECK_EQUAL(1, read(ready[0], &byte, 1),
                "the child that should take memory has died: the kernel's line above says why");
    close(ready[0]);
    limited = true;
    test_own_pages();
}

void memory_unlimit(void) {
    if (!limited)
        return;
    close(limit_pipe[1]);
    CHECK_CHILD(0);
    limited = false;
}

size_t memory_fill(size_t keep) {
    for (size_t pages = MEGAPAGES; pages > 0; pages /= 2) {
        // Page tables that the reservation may include.
        size_t tables = pages > 1 ? pages / TABLE_PAGES + 2 : 0;
        while (frames_available() >= keep + pages + tables) {
            if (sbrk((int)(pages * PAGE_BYTES)) == (char *)-1)
                break;
            filled_pages += pages;
        }
    }
    // One frame is left if a page would need a table, too.
    if (frames_available() > keep && !filler_open) {
        pipe_open(filler_pipe);
        filler_open = true;
    }
    return frames_available();
}

void memory_release(void) {
    if (filler_open) {
        close(filler_pipe[0]);
        close(filler_pipe[1]);
        filler_open = false;
    }
    for (; filled_pages > 0; filled_pages -= filled_pages < MEGAPAGES ? filled_pages : MEGAPAGES)
        heap_shrink(filled_pages < MEGAPAGES ? filled_pages : MEGAPAGES);
}
