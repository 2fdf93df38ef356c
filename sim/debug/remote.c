// Requests of a debugger, by their first letters.
#include "debug/remote.h"
#include "cpu/breakpoints.h"
#include "debug/description.h"
#include "debug/monitor.h"
#include "debug/parse.h"
#include "debug/remote_data.h"

#include <string.h>

static struct machine *machine_of(const struct remote *r) {
    return r->history->machine;
}

// ---- Stops ----

static void add_thread(struct text *t, unsigned hart) {
    text_add(t, "thread:");
    text_add_hex(t, hart + 1, 1);
    text_add_byte(t, ';');
}

// Adds which data was accessed, if that is the reason.
static void add_watch(struct text *t, const struct pause *pause) {
    static const char *const names[] = {
        [WATCH_READS] = "rwatch:",
        [WATCH_WRITES] = "watch:",
        [WATCH_READS | WATCH_WRITES] = "awatch:",
    };
    if (pause->reason != PAUSE_WATCHPOINT)
        return;
    text_add(t, names[pause->watch.kinds]);
    text_add_hex(t, pause->watch.start, 1);
    text_add_byte(t, ';');
}

void remote_stopped(struct remote *r, enum remote_reason reason) {
    struct machine *m = machine_of(r);
    const struct pause *pause = &m->system.breakpoints.pause;
    struct text t = text_in(r->stop, sizeof r->stop);
    r->stopped_hart = reason == REMOTE_PAUSED ? pause->hart : m->turns.current;
    r->hart = r->stopped_hart;
    r->step_hart = -1;
    text_add(&t, reason == REMOTE_INTERRUPTED ? "T02" : "T05");
    if (reason == REMOTE_PAUSED)
        add_watch(&t, pause);
    if (reason == REMOTE_BEGINNING)
        text_add(&t, "replaylog:begin;");
    add_thread(&t, r->stopped_hart);
    bool is_stopped = pause->reason == PAUSE_BREAKPOINT || pause->reason == PAUSE_WATCHPOINT;
    if (reason == REMOTE_PAUSED && is_stopped) // this need not be told again
        breakpoints_pass(&m->system.harts[r->stopped_hart]);
    packets_send(&r->packets, &t);
}

void remote_exited(struct remote *r, int status) {
    struct text t = text_in(r->stop, sizeof r->stop);
    text_add_byte(&t, 'W');
    text_add_hex(&t, status & 0xff, 2);
    packets_send(&r->packets, &t);
}

// ---- Threads ----

// Reads a thread's number. Stores the hart; -1 for any, and for all.
static bool parse_thread(const struct remote *r, const char **at, int *hart) {
    uint64_t id;
    *hart = -1;
    if (parse_word(at, "-1"))
        return true;
    if (!parse_hex(at, &id) || id > machine_of(r)->system.hart_count)
        return false;
    *hart = (int)id - 1;
    return true;
}

static void list_threads(const struct remote *r, struct text *out) {
    for (unsigned i = 0; i < machine_of(r)->system.hart_count; i++) {
        text_add_byte(out, i == 0 ? 'm' : ',');
        text_add_hex(out, i + 1, 1);
    }
}

static const char *select_thread(struct remote *r, const char *at) {
    int hart;
    bool is_for_steps = *at == 'c';
    if (*at == '\0')
        return "E01";
    at++;
    if (!parse_thread(r, &at, &hart))
        return "E01";
    if (is_for_steps)
        r->step_hart = hart;
    else
        r->hart = hart >= 0 ? (unsigned)hart : r->stopped_hart;
    return "OK";
}

static void describe_thread(const struct remote *r, const char *at, struct text *out) {
    char bytes[80];
    struct text words = text_in(bytes, sizeof bytes);
    int hart;
    if (!parse_thread(r, &at, &hart) || hart < 0)
        return;
    description_add_hart(machine_of(r), hart, &words);
    for (size_t i = 0; i < words.used; i++)
        text_add_hex(out, (uint8_t)bytes[i], 2);
}

// ---- Running ----

static unsigned hart_to_step(const struct remote *r) {
    return r->step_hart >= 0 ? (unsigned)r->step_hart : r->stopped_hart;
}

static void wish(struct remote *r, enum remote_wish what) {
    r->wish = what;
    r->wish_hart = hart_to_step(r);
}

// Actions with the harts that they are for. If some hart is to be stepped, the machine runs until
// it has executed an instruction, with all others when it is their turn.
static bool resume(struct remote *r, const char *at) {
    enum remote_wish what = WISH_NOTHING;
    int hart = -1;
    while (parse_word(&at, ";")) {
        bool steps = *at == 's' || *at == 'S';
        uint64_t signal;
        int of = -1;
        if (!steps && *at != 'c' && *at != 'C')
            return false;
        bool has_signal = *at == 'S' || *at == 'C';
        at++;
        if ((has_signal && !parse_hex(&at, &signal)) ||
            (parse_word(&at, ":") && !parse_thread(r, &at, &of)))
            return false;
        if (what == WISH_STEP)
            continue;
        what = steps ? WISH_STEP : WISH_RUN;
        hart = of;
    }
    if (*at != '\0' || what == WISH_NOTHING)
        return false;
    r->step_hart = hart >= 0 ? hart : r->step_hart;
    wish(r, what);
    return true;
}

// Requests that have no answer but the stop that follows. Returns false if this is none.
static bool receive_wish(struct remote *r, const char *at) {
    if (strcmp(at, "bs") == 0)
        wish(r, WISH_STEP_BACK);
    else if (strcmp(at, "bc") == 0)
        wish(r, WISH_RUN_BACK);
    else if (*at == 'c' || *at == 'C')
        wish(r, WISH_RUN);
    else if (*at == 's' || *at == 'S')
        wish(r, WISH_STEP);
    else if (strcmp(at, "k") == 0)
        wish(r, WISH_KILL);
    else
        return parse_word(&at, "vCont") && resume(r, at);
    return true;
}

// ---- Requests ----

static void query(struct remote *r, const char *at, struct text *out) {
    if (parse_word(&at, "Supported"))
        text_add(out, "PacketSize=1000;QStartNoAckMode+;qXfer:features:read+;qXfer:threads:read+;"
                      "vContSupported+;ReverseStep+;ReverseContinue+");
    else if (parse_word(&at, "Xfer:"))
        remote_transfer(r, at, out);
    else if (parse_word(&at, "Rcmd,"))
        monitor_command(r, at, out);
    else if (parse_word(&at, "ThreadExtraInfo,"))
        describe_thread(r, at, out);
    else if (strcmp(at, "fThreadInfo") == 0)
        list_threads(r, out);
    else if (strcmp(at, "sThreadInfo") == 0)
        text_add_byte(out, 'l');
    else if (strcmp(at, "Attached") == 0)
        text_add_byte(out, '1');
    else if (strcmp(at, "C") == 0) {
        text_add(out, "QC");
        text_add_hex(out, r->hart + 1, 1);
    } else if (parse_word(&at, "Symbol:"))
        text_add(out, "OK");
    else if (strcmp(at, "qemu.PhyMemMode") == 0) // cow6.py and others ask for it
        text_add_number(out, r->space == VIEW_PHYSICAL);
}

static void set(struct remote *r, const char *at, struct text *out) {
    if (strcmp(at, "StartNoAckMode") == 0) {
        r->packets.is_trusted = true;
        text_add(out, "OK");
    } else if (parse_word(&at, "qemu.PhyMemMode:")) {
        r->space = *at == '1' ? VIEW_PHYSICAL : VIEW_VIRTUAL;
        text_add(out, "OK");
    }
}

static void request_of_v(struct remote *r, const char *at, struct text *out) {
    if (strcmp(at, "Cont?") == 0)
        text_add(out, "vCont;c;C;s;S");
    else if (parse_word(&at, "Cont"))
        text_add(out, "E01"); // one that makes no sense
    else if (parse_word(&at, "Kill")) {
        wish(r, WISH_KILL);
        text_add(out, "OK");
    }
}

static void request(struct remote *r, const char *at, struct text *out) {
    int hart;
    switch (*at++) {
    case '?':
        text_add(out, r->stop);
        break;
    case 'q':
        query(r, at, out);
        break;
    case 'Q':
        set(r, at, out);
        break;
    case 'v':
        request_of_v(r, at, out);
        break;
    case 'H':
        text_add(out, select_thread(r, at));
        break;
    case 'T':
        text_add(out, parse_thread(r, &at, &hart) && hart >= 0 ? "OK" : "E01");
        break;
    case 'D':
        wish(r, WISH_DETACH);
        text_add(out, "OK");
        break;
    default:
        remote_access(r, at - 1, out);
    }
}

void remote_receive(struct remote *r, uint8_t byte) {
    r->wish = WISH_NOTHING;
    enum packet_event event = packets_receive(&r->packets, byte);
    if (event == PACKET_INTERRUPT)
        r->wish = WISH_INTERRUPT;
    if (event != PACKET_WHOLE || receive_wish(r, r->packets.received))
        return;
    struct text out = text_in(r->out, sizeof r->out);
    request(r, r->packets.received, &out);
    packets_send(&r->packets, &out);
}

void remote_init(struct remote *r, struct history *history,
                 void (*send)(void *owner, const char *bytes, size_t count), void *owner) {
    *r = (struct remote){
        .packets = {.send = send, .owner = owner},
        .history = history,
        .step_hart = -1,
        .stopped_hart = history->machine->turns.current,
        .stop_time = UINT64_MAX,
    };
    r->hart = r->stopped_hart;
    struct text t = text_in(r->stop, sizeof r->stop);
    text_add(&t, "T05");
    add_thread(&t, r->hart);
}
