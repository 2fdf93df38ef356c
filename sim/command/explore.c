// Many schedules of one run.
//
// The first runs learn which words harts share, and how many accesses to them there are. All later
// ones know the same, so that each can be repeated by itself.
#include "command/explore.h"
#include "command/accesses.h"
#include "command/console.h"
#include "cpu/breakpoints.h"
#include "snapshot.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>

enum { LEARNING = 8, START_MAX = 1000 * 1000 * 1000, KEPT_BYTES = 256 << 20 };

static enum strategy strategy_of(uint64_t number) {
    static const enum strategy in_turn[] = {
        STRATEGY_POS,
        STRATEGY_SURW,
        STRATEGY_POS,
        STRATEGY_PCT,
    };
    return number < LEARNING - 1 ? STRATEGY_QUANTA : in_turn[(number + 1) % 4];
}

static const char *name_of(enum strategy strategy) {
    static const char *const names[] = {"quanta", "POS", "SURW", "PCT"};
    return names[strategy];
}

// What came of a schedule.
struct outcome {
    enum machine_stop stop;
    int status;
    uint64_t instructions, accesses; // accesses: to shared words
};

static bool is_good(const struct outcome *o) {
    return o->stop == STOP_FINISHED && o->status == 0;
}

static void describe(uint64_t number, const struct outcome *o) {
    static const char *const stops[] = {
        [STOP_TIME] = "it does not end",
        [STOP_RESET] = "the guest wants to start again",
        [STOP_IDLE] = "all harts wait",
        [STOP_DEADLOCK] = "all harts wait or go round in loops",
        [STOP_NO_MEMORY] = "this computer has no memory left",
    };
    fprintf(stderr, "sim: schedule %" PRIu64 " (%s): ", number, name_of(strategy_of(number)));
    if (o->stop == STOP_FINISHED)
        fprintf(stderr, "status %d", o->status);
    else
        fputs(stops[o->stop], stderr);
    fprintf(stderr, " after %" PRIu64 " instructions, %" PRIu64 " accesses to shared words\n",
            o->instructions, o->accesses);
}

static struct outcome run(struct machine *m, const struct options *o, const struct snapshot *start,
                          uint64_t number) {
    uint64_t seed = (o->machine.seed + number) * UINT64_C(0x9e3779b97f4a7c15);
    if (!snapshot_restore(m, start))
        return (struct outcome){.stop = STOP_NO_MEMORY};
    uint64_t begin = machine_time(m);
    m->system.random = seed;
    schedule_begin(&m->schedule, strategy_of(number), seed, number < LEARNING);
    enum machine_stop stop = machine_run(m, begin + o->schedule_instructions);
    schedule_end(&m->schedule);
    return (struct outcome){stop, machine_exit_status(m), machine_time(m) - begin,
                            m->schedule.state.accesses};
}

// Learns, then runs one schedule, with its console.
static int repeat(struct machine *m, const struct options *o, const struct symbols *symbols,
                  const struct snapshot *start) {
    for (uint64_t i = 0; i < LEARNING && i < o->schedule; i++)
        run(m, o, start, i);
    m->uart.put = console_put;
    struct outcome outcome = run(m, o, start, o->schedule);
    console_flush();
    describe(o->schedule, &outcome);
    if (!is_good(&outcome))
        accesses_show(&m->schedule, symbols);
    return is_good(&outcome) ? 0 : 1;
}

static int run_all(struct machine *m, const struct options *o, const struct snapshot *start) {
    uint64_t failed = 0, instructions = 0;
    for (uint64_t i = 0; i < o->schedules; i++) {
        struct outcome outcome = run(m, o, start, i);
        instructions += outcome.instructions;
        if (is_good(&outcome))
            continue;
        failed++;
        describe(i, &outcome);
    }
    fprintf(stderr,
            "sim: %" PRIu64 " schedules, %" PRIu64 " failed; %" PRIu64 " instructions, %" PRIu64
            " words are shared\n",
            o->schedules, failed, instructions, m->schedule.words.watched);
    return failed == 0 ? 0 : 1;
}

// Runs the machine to where the schedules begin. Returns false if it does not get there.
static bool run_to_start(struct machine *m, const struct options *o) {
    if (o->explore_from_place == NULL)
        return machine_run(m, o->explore_from) == STOP_TIME;
    bool is_there = machine_run(m, START_MAX) == STOP_BREAKPOINT;
    breakpoints_remove_all(&m->system);
    return is_there;
}

int explore(struct machine *m, const struct options *o, const struct symbols *symbols) {
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES); // the next schedule needs it again
    mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
    m->uart.put = NULL;
    bool is_there = run_to_start(m, o);
    struct snapshot *start = snapshot_take(m);
    if (!is_there || start == NULL) {
        fputs(start == NULL ? "sim: there is not enough memory\n"
                            : "sim: --from: the machine ends before that\n",
              stderr);
        snapshot_free(start);
        return 2;
    }
    int status = o->schedules != 0 ? run_all(m, o, start) : repeat(m, o, symbols, start);
    snapshot_free(start);
    return status;
}
