// Commands of the debugger's user.
#include "debug/monitor.h"
#include "debug/description.h"
#include "debug/parse.h"

#include <string.h>

enum { COMMAND_BYTES = 200, ANSWER_BYTES = 1500 };

static const char help[] = "time          instructions since the machine was started\n"
                           "hash          a hash of its state\n"
                           "harts         what the harts do\n"
                           "snapshot      keep this state, so that coming back takes no time\n"
                           "snapshots     how much is kept\n"
                           "stop-at N     let continue and reverse-continue end at time N\n"
                           "stop-at       let them run on\n";

static void print_harts(const struct machine *m, struct text *t) {
    for (unsigned i = 0; i < m->system.hart_count; i++) {
        text_add(t, i == m->turns.current ? "* hart " : "  hart ");
        text_add_number(t, i);
        text_add(t, ": pc ");
        text_add_address(t, m->system.harts[i].r.pc);
        text_add(t, ", ");
        description_add_hart(m, i, t);
        text_add(t, "\n");
    }
}

static void print_snapshots(const struct history *h, struct text *t) {
    text_add_number(t, h->count);
    text_add(t, " snapshots, from time ");
    text_add_number(t, history_first(h));
    text_add(t, " on; ");
    text_add_number(t, h->input_count);
    text_add(t, " bytes were typed; known until time ");
    text_add_number(t, h->reached);
    text_add(t, "\n");
}

static void stop_at(struct remote *r, const char *at, struct text *t) {
    if (*at == '\0')
        r->stop_time = UINT64_MAX;
    else if (!parse_word(&at, " ") || !parse_number(&at, &r->stop_time) || *at != '\0')
        text_add(t, "stop-at takes a time, in instructions\n");
}

static void serve(struct remote *r, const char *command, struct text *t) {
    const struct machine *m = r->history->machine;
    if (strcmp(command, "time") == 0) {
        text_add_number(t, machine_time(m));
        text_add(t, "\n");
    } else if (strcmp(command, "hash") == 0) {
        text_add_hex(t, snapshot_hash(m), 16);
        text_add(t, "\n");
    } else if (strcmp(command, "harts") == 0) {
        print_harts(m, t);
    } else if (strcmp(command, "snapshot") == 0) {
        text_add(t, history_keep(r->history) ? "kept\n" : "there is no memory for it\n");
    } else if (strcmp(command, "snapshots") == 0) {
        print_snapshots(r->history, t);
    } else if (parse_word(&command, "stop-at")) {
        stop_at(r, command, t);
    } else if (r->serve_more == NULL || !r->serve_more(r, command)) {
        text_add(t, help);
    }
}

void monitor_command(struct remote *r, const char *digits, struct text *out) {
    char command[COMMAND_BYTES] = "", answer[ANSWER_BYTES];
    struct text t = text_in(answer, sizeof answer);
    parse_bytes(&digits, (uint8_t *)command, sizeof command - 1);
    serve(r, command, &t);
    if (t.used > 0)
        session_print(r, answer);
    text_add(out, "OK");
}
