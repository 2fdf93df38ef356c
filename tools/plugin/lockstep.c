// A plugin for QEMU that keeps the harts of a machine in step, so that costs on several harts can
// be told in simulated time, whatever the host has to do and however many processors it has.
//
// Time passes in rounds. In a round, each hart that runs executes `quantum` instructions, then it
// waits until the others have, too. A hart that idles (wfi) is not waited for. One that another
// hart wakes takes part from the instruction on that woke it, although the host may need a while
// until it runs: the firmware's store to the register that interrupts a hart tells. With clock.c,
// timers go by the same time, in nanoseconds; while all harts idle, it passes as on the host.
//
// A program marks a place by `slti x0, x0, NUMBER`, which does nothing. When a hart executes it,
// the plugin writes "mark NUMBER hart HART time TIME executed COUNT COUNT ...": the time in
// instructions of one hart since the machine's start, and what each hart has executed. At the end
// it writes "end slips COUNT": how often a hart was no longer waited for because it did not come.
//
//   -plugin lockstep.so,quantum=200,out=FILE      on a machine without -icount
#include "lockstep.h"
#include "qemu_plugin.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))

enum {
    FIRMWARE_START = 0x80000000, // of the machine `virt`: the kernel begins where firmware ends
    FIRMWARE_END = 0x80200000,
    WAKE_REGISTERS = 0x2000000, // one word for each hart: a store to it interrupts the hart
    MARK = 0x2013,              // slti x0, x0, NUMBER << 20
    MARK_MASK = 0xfffff,
    PATIENCE_MS = 100,
};

// Locks: [l] lock, [o] only the hart itself, but others while it waits or does not run.
struct hart {
    uint64_t executed;     // [o] instructions, those of the block that has begun included
    int64_t left;          // [o] instructions of this round; below 0: it is ahead
    bool is_running;       // [l] it takes part
    bool is_woken;         // [l] it does not run yet, but another hart has woken it: it takes part
    bool is_waiting;       // [l] it has executed its quantum
    uint64_t joined_round; // [l] the last round in which it began to run
    uint64_t idle_round;   // [l] the last one in which it ceased to
};

// What a mark's callback needs to know.
struct mark {
    unsigned number;
    unsigned insns_after; // instructions of the block from the mark on
};

EXPORT int qemu_plugin_version = PLUGIN_VERSION;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t round_has_begun = PTHREAD_COND_INITIALIZER;
static struct hart *harts;
static unsigned hart_count;
static int64_t quantum = 200;
static uint64_t current_round; // [l] changes only while all that run wait
static uint64_t idle_from;     // [l] since when no hart runs, in the host's time; 0: one does
static uint64_t idle_ns;       // [l] for how long none did, before
static uint64_t slips;         // [l]
static FILE *out;              // [l]

// ---- Time ----

// Called when harts have come or gone.
static void count_idle_time(void) {
    struct timespec host;
    clock_gettime(CLOCK_MONOTONIC_RAW, &host); // which clock.c does not change
    uint64_t now = (uint64_t)host.tv_sec * NS_PER_SECOND + (uint64_t)host.tv_nsec;
    if (idle_from != 0)
        idle_ns += now - idle_from;
    idle_from = now;
    for (unsigned i = 0; i < hart_count; i++)
        idle_from = harts[i].is_running || harts[i].is_woken ? 0 : idle_from;
}

uint64_t simulated_time_ns(void) {
    pthread_mutex_lock(&lock);
    count_idle_time();
    uint64_t ns = idle_ns + current_round * (uint64_t)quantum;
    pthread_mutex_unlock(&lock);
    return ns;
}

// ---- Rounds ----

static void begin_round(void) {
    current_round++;
    for (unsigned i = 0; i < hart_count; i++) {
        if (harts[i].is_waiting)
            harts[i].left += quantum;
        harts[i].is_waiting = false;
    }
    pthread_cond_broadcast(&round_has_begun);
}

// Begins a round if some hart waits, and none is waited for.
static void begin_round_if_due(void) {
    bool some = false;
    for (unsigned i = 0; i < hart_count; i++) {
        const struct hart *h = &harts[i];
        if ((h->is_running || h->is_woken) && !h->is_waiting)
            return;
        some = some || h->is_waiting;
    }
    if (some)
        begin_round();
}

static struct timespec end_of_patience(void) {
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += PATIENCE_MS * 1000000L;
    end.tv_sec += end.tv_nsec / NS_PER_SECOND;
    end.tv_nsec %= NS_PER_SECOND;
    return end;
}

// Goes on without the harts that have not come: QEMU itself may have stopped one until this one
// comes to the end of its block, and one that was woken may be idle again already.
static void slip(void) {
    slips++;
    for (unsigned i = 0; i < hart_count; i++)
        harts[i].is_woken = false;
    begin_round();
}

// Waits until all others have executed their quantum, too.
static void finish_round(struct hart *h) {
    pthread_mutex_lock(&lock);
    uint64_t finished = current_round;
    struct timespec end = end_of_patience();
    h->is_waiting = true;
    begin_round_if_due();
    while (current_round == finished) {
        int error = pthread_cond_timedwait(&round_has_begun, &lock, &end);
        if (error == ETIMEDOUT && current_round == finished)
            slip();
    }
    pthread_mutex_unlock(&lock);
}

static void join(struct hart *h) {
    pthread_mutex_lock(&lock);
    if (!h->is_woken)
        h->left = quantum;
    h->is_running = true;
    h->is_woken = false;
    h->joined_round = current_round;
    count_idle_time();
    pthread_mutex_unlock(&lock);
}

// A hart begins to execute a block.
static void on_block(unsigned vcpu, void *size) {
    struct hart *h = &harts[vcpu];
    if (!h->is_running)
        join(h);
    h->executed += (uintptr_t)size;
    h->left -= (int64_t)(uintptr_t)size;
    while (h->left <= 0)
        finish_round(h);
}

// ---- Idle harts ----

// Also called when the machine stops. QEMU holds a lock of its own, so nothing may wait here.
static void on_idle(qemu_plugin_id_t id, unsigned vcpu) {
    (void)id;
    struct hart *h = &harts[vcpu];
    pthread_mutex_lock(&lock);
    h->is_running = h->is_woken = false;
    h->idle_round = current_round;
    count_idle_time();
    begin_round_if_due();
    pthread_mutex_unlock(&lock);
}

// A hart has woken another, which may already have run and be idle again: if so, both happened in
// this round, as the waker has not finished it.
static void wake(struct hart *h, const struct hart *waker) {
    pthread_mutex_lock(&lock);
    bool has_run = h->idle_round == current_round && h->joined_round == current_round;
    if (!h->is_running && !h->is_woken && !has_run) {
        h->is_woken = true;
        h->left = waker->left;
        count_idle_time();
    }
    pthread_mutex_unlock(&lock);
}

// The firmware, which runs without translation of addresses, has stored something.
static void on_store(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *data) {
    (void)info;
    (void)data;
    uint64_t index = (address - WAKE_REGISTERS) / sizeof(uint32_t);
    if (index < hart_count && index != vcpu)
        wake(&harts[index], &harts[vcpu]);
}

// ---- Marks ----

static void on_mark(unsigned vcpu, void *data) {
    const struct mark *mark = data;
    const struct hart *h = &harts[vcpu];
    pthread_mutex_lock(&lock);
    int64_t time = (int64_t)current_round * quantum + quantum - h->left - mark->insns_after;
    fprintf(out, "mark %u hart %u time %lld executed", mark->number, vcpu, (long long)time);
    for (unsigned i = 0; i < hart_count; i++)
        fprintf(out, " %llu",
                (unsigned long long)(harts[i].executed - (i == vcpu ? mark->insns_after : 0)));
    fprintf(out, "\n");
    fflush(out);
    pthread_mutex_unlock(&lock);
}

static void on_exit_of_qemu(qemu_plugin_id_t id, void *data) {
    (void)id;
    (void)data;
    pthread_mutex_lock(&lock);
    fprintf(out, "end slips %llu\n", (unsigned long long)slips);
    fflush(out);
    pthread_mutex_unlock(&lock);
}

// ---- Translation ----

// Returns the number of a mark, or -1 for any other instruction.
static int mark_number(const struct qemu_plugin_insn *insn) {
    uint32_t word;
    const void *bytes = qemu_plugin_insn_haddr(insn);
    if (bytes == NULL || qemu_plugin_insn_size(insn) != sizeof word)
        return -1;
    memcpy(&word, bytes, sizeof word);
    return (word & MARK_MASK) == MARK ? (int)(word >> 20) : -1;
}

static void watch_for_mark(struct qemu_plugin_insn *insn, unsigned insns_after) {
    int number = mark_number(insn);
    if (number < 0)
        return;
    struct mark *mark = malloc(sizeof *mark); // for good, like the block
    *mark = (struct mark){(unsigned)number, insns_after};
    qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, QEMU_PLUGIN_CB_NO_REGS, mark);
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    (void)id;
    size_t count = qemu_plugin_tb_n_insns(tb);
    uint64_t start = qemu_plugin_tb_vaddr(tb);
    bool is_firmware = start >= FIRMWARE_START && start < FIRMWARE_END;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS,
                                         (void *)(uintptr_t)count);
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        if (is_firmware)
            qemu_plugin_register_vcpu_mem_cb(insn, on_store, QEMU_PLUGIN_CB_NO_REGS,
                                             QEMU_PLUGIN_MEM_W, NULL);
        else
            watch_for_mark(insn, (unsigned)(count - i));
    }
}

// ---- Start ----

static bool read_argument(const char *argument) {
    if (strncmp(argument, "quantum=", 8) == 0)
        quantum = atoll(argument + 8);
    else if (strncmp(argument, "out=", 4) == 0)
        out = fopen(argument + 4, "w");
    else
        return false;
    return true;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                               char **argv) {
    out = stderr;
    for (int i = 0; i < argc; i++) {
        if (!read_argument(argv[i])) {
            fprintf(stderr, "lockstep: there is no argument %s\n", argv[i]);
            return -1;
        }
    }
    hart_count = info->system_emulation ? (unsigned)info->system.max_vcpus : 0;
    harts = calloc(hart_count, sizeof *harts);
    if (harts == NULL || out == NULL || quantum <= 0) {
        fprintf(stderr, "lockstep: it needs a machine with harts, a file, and a quantum above 0\n");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_vcpu_idle_cb(id, on_idle);
    qemu_plugin_register_vcpu_exit_cb(id, on_idle);
    qemu_plugin_register_atexit_cb(id, on_exit_of_qemu, NULL);
    return 0;
}
