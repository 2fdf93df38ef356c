// Pipes.
#include "fs_machine.h"
#include "sched/task.h"

TEST(pipe_passes_bytes_and_ends) {
    start(1000, 50, 100);
    struct file *r, *w;
    char text[5000], seen[5000];
    uint64_t free_before = frame_counts().frames_free;
    CHECK_EQUAL(0, file_open_pipe(&r, &w));
    fill(text, sizeof text, 1);
    for (int i = 0; i < 10; i++) {
        CHECK_EQUAL(3000, write_bytes(w, text, 3000));
        CHECK_EQUAL(1000, read_bytes(r, seen, 1000));
        CHECK_EQUAL(2000, read_bytes(r, seen + 1000, 4000));
        CHECK(memcmp(text, seen, 3000) == 0);
    }
    CHECK_EQUAL(0, write_bytes(w, text, 0));
    CHECK_EQUAL(-EBADF, write_bytes(r, text, 1));
    CHECK_EQUAL(-EBADF, read_bytes(w, text, 1));
    CHECK_EQUAL(-EBADF, file_stat(r, &(struct stat){0}));
    CHECK_EQUAL(10, write_bytes(w, text, 10));
    file_put(w);
    CHECK_EQUAL(10, read_bytes(r, seen, 4000));
    CHECK_EQUAL(0, read_bytes(r, seen, 4000));
    file_put(r);
    CHECK_EQUAL(0, file_open_pipe(&r, &w));
    file_put(r);
    CHECK_EQUAL(-EPIPE, write_bytes(w, text, 1));
    file_put(w);
    CHECK_EQUAL(free_before, frame_counts().frames_free);
}

static struct file *pipe_reader, *pipe_writer;
static struct task *reader_task;
static bool was_killed;

static void pipe_writing(void *unused) {
    (void)unused;
    static char text[100000];
    fill(text, sizeof text, 5);
    CHECK_EQUAL(sizeof text, write_bytes(pipe_writer, text, sizeof text));
    file_put(pipe_writer);
}

static void pipe_reading(void *unused) {
    (void)unused;
    static char wanted[100000], seen[100000];
    fill(wanted, sizeof wanted, 5);
    size_t total = 0;
    int64_t n;
    while ((n = read_bytes(pipe_reader, seen + total, 1 + host_random(7000))) > 0)
        total += (size_t)n;
    CHECK_EQUAL(sizeof wanted, total);
    CHECK(memcmp(wanted, seen, total) == 0);
    file_put(pipe_reader);
}

TEST(pipe_ends_wait_for_each_other) {
    start(1000, 50, 100);
    for (int i = 0; i < 10; i++) {
        CHECK_EQUAL(0, file_open_pipe(&pipe_reader, &pipe_writer));
        host_task_start(pipe_writing, NULL);
        host_task_start(pipe_reading, NULL);
        host_task_wait_all();
    }
}

static void pipe_read_killed(void *unused) {
    (void)unused;
    char c;
    reader_task = task_self();
    CHECK_EQUAL(-EINTR, read_bytes(pipe_reader, &c, 1));
    was_killed = true;
}

static void killer(void *unused) {
    (void)unused;
    while (reader_task == NULL || reader_task->state != TASK_SLEEPING)
        task_yield();
    task_kill(reader_task);
}

TEST(killed_reader_leaves_the_pipe) {
    start(1000, 50, 100);
    CHECK_EQUAL(0, file_open_pipe(&pipe_reader, &pipe_writer));
    host_task_start(pipe_read_killed, NULL);
    host_task_start(killer, NULL);
    host_task_wait_all();
    CHECK(was_killed);
}
