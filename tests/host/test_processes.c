// Tests of the process table: what is found by pid, and in the order of pids, is what a plain list
// says.
#include "test.h"

#include <string.h>

#include "arch/hart.h"
#include "proc/table.h"
#include "sched/clock.h"
#include "sched/schedule.h"
#include "sched/stop.h"
#include "vm/pagemap.h"

enum { SLOTS = PROCS_MAX, STEPS = 20000 };

static char memory[SLOTS * sizeof(struct proc)] __attribute__((aligned(16)));

// ---- What the table needs of the kernel ----

void *frame_set_aside(size_t bytes) {
    CHECK(bytes <= sizeof memory);
    return memset(memory, 0xa5, bytes); // not zeroes
}

void task_init(struct task *t, unsigned stack, void (*entry)(void)) {
    (void)entry;
    CHECK(stack >= HARTS_MAX && stack < HARTS_MAX + SLOTS);
    memset(t, 0, sizeof *t);
}

void waitq_init(struct waitq *q) {
    list_init(&q->waiters);
}

bool sched_is_stopped(void) {
    return false;
}

uint64_t clock_microseconds(uint64_t time) {
    return time;
}

void pagemap_measure(const struct addrspace *as, uint64_t *resident, uint64_t *region) {
    (void)as;
    *resident = *region = 0;
}

// ---- A plain list beside it ----

static struct proc *alive[SLOTS];
static size_t alive_count;

static struct proc *start(void) {
    struct proc *p = proc_alloc(NULL);
    if (p != NULL)
        alive[alive_count++] = p;
    return p;
}

static void end(size_t i) {
    spin_lock(&proc_table_lock);
    proc_free(alive[i]);
    spin_unlock(&proc_table_lock);
    alive[i] = alive[--alive_count];
}

static struct proc *plain_next(pid_t from) {
    struct proc *found = NULL;
    for (size_t i = 0; i < alive_count; i++) {
        if (alive[i]->pid >= from && (found == NULL || alive[i]->pid < found->pid))
            found = alive[i];
    }
    return found;
}

static void compare(pid_t pid) {
    spin_lock(&proc_table_lock);
    struct proc *next = plain_next(pid), *same = next != NULL && next->pid == pid ? next : NULL;
    CHECK(proc_find(pid) == same);
    CHECK(proc_next(pid) == next);
    spin_unlock(&proc_table_lock);
}

// ---- Tests ----

// Many live for so long that later pids come into their hash chains.
TEST(processes_are_found_by_pid) {
    pid_t last = 0;
    proc_init(SLOTS);
    for (unsigned step = 0; step < STEPS; step++) {
        if (alive_count == 0 || host_random(20) < 11) {
            struct proc *p = start();
            CHECK(p == NULL ? alive_count == SLOTS : p->pid == last + 1);
            last = p == NULL ? last : p->pid;
        } else {
            end(host_random((uint32_t)alive_count));
        }
        compare((pid_t)host_random((uint32_t)last + 3));
        compare(alive_count > 0 ? alive[host_random((uint32_t)alive_count)]->pid : 1);
    }
}

TEST(every_slot_can_be_used_again) {
    proc_init(SLOTS);
    for (unsigned round = 0; round < 3; round++) {
        while (start() != NULL)
            continue;
        CHECK_EQUAL(SLOTS, alive_count);
        while (alive_count > 0)
            end(host_random((uint32_t)alive_count));
    }
}

TEST(no_process_has_pid_0) {
    proc_init(SLOTS);
    start();
    end(0);
    compare(0);
    compare(-1);
    CHECK(start()->next == NULL);
}
