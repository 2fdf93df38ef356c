// Schedules, as commands.
#include "command/observed_schedule.h"
#include "debug/parse.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LINE_BYTES = 200 };

static struct schedule *schedule_of(const struct remote *r) {
    return &r->history->machine->schedule;
}

static void print_accesses(struct remote *r) {
    const struct schedule *s = schedule_of(r);
    uint64_t count = s->recorded_count;
    for (uint64_t i = count > RECORDED_MAX ? count - RECORDED_MAX : 0; i < count; i++) {
        const struct recorded *a = &s->recorded[i % RECORDED_MAX];
        char line[LINE_BYTES];
        snprintf(line, sizeof line,
                 "%" PRIu64 " %" PRIu64 " %" PRIx64 " %" PRIu64 " %" PRIx64 " %" PRIx64 "\n",
                 a->time, a->hart, a->pc, a->kind & (OBSERVED_READ | OBSERVED_WRITE), a->word,
                 a->before);
        session_print(r, line);
    }
}

static void print_users(struct remote *r) {
    struct machine *m = r->history->machine;
    char line[LINE_BYTES];
    snprintf(line, sizeof line, "%u\n", m->users_together);
    session_print(r, line);
    m->users_together = 0;
}

static void end(struct remote *r) {
    if (schedule_is_on(schedule_of(r)))
        schedule_end(schedule_of(r));
}

static void begin(struct remote *r, const char *command) {
    static const char *const names[] = {
        [STRATEGY_QUANTA] = "quanta ",
        [STRATEGY_POS] = "pos ",
        [STRATEGY_SURW] = "surw ",
        [STRATEGY_PCT] = "pct ",
    };
    uint64_t seed;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (parse_word(&command, names[i]) && parse_number(&command, &seed) && *command == '\0') {
            end(r);
            schedule_begin(schedule_of(r), i, seed, false);
            return;
        }
    }
    session_print(r, "schedule takes pos, surw, pct or quanta, and a seed; or end\n");
}

static void learn(struct remote *r, const char *command) {
    uint64_t seed;
    if (!parse_number(&command, &seed) || *command != '\0') {
        session_print(r, "learn takes a seed\n");
        return;
    }
    end(r);
    schedule_begin(schedule_of(r), STRATEGY_QUANTA, seed, true);
}

bool observed_schedule_serve(struct remote *r, const char *command) {
    if (strcmp(command, "accesses") == 0)
        print_accesses(r);
    else if (strcmp(command, "together") == 0)
        print_users(r);
    else if (strcmp(command, "schedule end") == 0)
        end(r);
    else if (parse_word(&command, "schedule "))
        begin(r, command);
    else if (parse_word(&command, "learn "))
        learn(r, command);
    else
        return false;
    return true;
}
