// Makes events of what the machine tells its observer and its listener.
#include "debug/events.h"

#include <assert.h>
#include <stddef.h>

// ---- Reporting ----

// An instruction is counted when it does something.
static struct event make(const struct events *e, enum event_kind kind, const struct hart *h) {
    const struct system *s = &e->machine->system;
    return (struct event){
        .kind = kind,
        .time = s->running != NULL ? system_now(s) - 1 : system_now(s),
        .hart = h != NULL ? h->r.id : NO_HART,
        .pc = h != NULL ? h->r.pc : 0,
    };
}

static void report(struct events *e, const struct event *event) {
    struct system *s = &e->machine->system;
    if (!(e->wanted & event->kind) || !e->happened(e->owner, event))
        return;
    s->breakpoints.pause = (struct pause){.reason = PAUSE_EVENT, .hart = event->hart};
    if (s->running != NULL)
        hart_end_turn(s->running);
}

// ---- Page tables ----

static void entry_changed(void *owner, const struct table_change *change) {
    struct events *e = owner;
    const struct table *table = change->table;
    struct event event = e->change;
    event.address = change->address;
    event.before = change->before;
    event.after = change->after;
    event.level = table->level;
    event.root = table->root;
    uint64_t entry = change->address % PAGE_BYTES / 8;
    uint64_t va = table->va + (entry << LEVEL_BITS * table->level << PAGE_SHIFT);
    event.va = SIGNED(va << 25) >> 25; // bits 63 to 39 are copies of bit 38
    event.by = change->is_found ? BY_NOBODY : e->change.by;
    report(e, &event);
}

static void written(struct events *e, const struct hart *h, enum event_cause by, uint64_t pa,
                    uint64_t bytes) {
    e->change = make(e, EVENT_ENTRY, h);
    e->change.by = by;
    tables_written(&e->tables, pa, bytes);
}

static void find(struct events *e, const struct hart *h) {
    e->change = make(e, EVENT_ENTRY, h);
    tables_find(&e->tables);
}

static bool before(struct observer *o, struct hart *h, uint64_t pa, unsigned bytes, unsigned kind) {
    return true;
}

static void ordered(struct observer *o, struct hart *h) {}

static void changed(struct observer *o, struct hart *h, uint64_t pa, uint64_t bytes) {
    written((struct events *)o, h, h != NULL ? BY_STORE : BY_DEVICE, pa, bytes);
}

static bool is_quiet(struct observer *o, uint64_t pa, bool is_write) {
    return !is_write || !tables_watch(&((struct events *)o)->tables, pa);
}

// ---- What the machine tells ----

static struct events *of(struct listener *l) {
    return (struct events *)((char *)l - offsetof(struct events, listener));
}

static bool is_page_fault(uint64_t cause) {
    return cause == FETCH_PAGE_FAULT || cause == LOAD_PAGE_FAULT || cause == STORE_PAGE_FAULT;
}

static void trapped(struct listener *l, const struct hart *h, uint64_t cause, uint64_t value) {
    bool is_machine = h->r.privilege == MACHINE;
    struct event event = make(of(l), is_page_fault(cause) ? EVENT_FAULT : EVENT_TRAP, h);
    event.pc = is_machine ? h->r.mepc : h->r.sepc;
    event.cause = cause;
    event.value = value;
    event.from = is_machine                   ? (h->r.status & STATUS_MPP) >> STATUS_MPP_SHIFT
                 : (h->r.status & STATUS_SPP) ? SUPERVISOR
                                              : USER;
    event.to = h->r.privilege;
    report(of(l), &event);
}

static void switched(struct listener *l, const struct hart *h, uint64_t satp) {
    struct event event = make(of(l), EVENT_SWITCH, h);
    event.before = satp;
    event.after = h->r.satp;
    report(of(l), &event);
    if (of(l)->wanted & EVENT_ENTRY)
        find(of(l), h);
}

static void fenced(struct listener *l, const struct hart *h, uint64_t va, uint64_t asid) {
    struct event event = make(of(l), EVENT_FENCE, h);
    event.fenced = va;
    event.space = asid;
    report(of(l), &event);
}

static void fenced_code(struct listener *l, const struct hart *h) {
    struct event event = make(of(l), EVENT_FENCE, h);
    event.is_code = true;
    report(of(l), &event);
}

static void marked(struct listener *l, const struct hart *h, uint64_t pa) {
    if (of(l)->wanted & EVENT_ENTRY)
        written(of(l), h, BY_HARDWARE, pa, 8);
}

// ---- Making ----

bool events_init(struct events *e) {
    e->observer = (struct observer){before, ordered, changed, is_quiet};
    e->listener = (struct listener){trapped, switched, fenced, fenced_code, marked};
    e->wanted = 0;
    e->tables = (struct tables){&e->machine->system, entry_changed, e, NULL, 0, NULL};
    return tables_init(&e->tables);
}

void events_destroy(struct events *e) {
    tables_destroy(&e->tables);
}

void events_begin(struct events *e, uint64_t kinds) {
    struct system *s = &e->machine->system;
    assert(s->observer == NULL && s->listener == NULL);
    e->wanted = kinds;
    s->listener = &e->listener;
    if (kinds & EVENT_ENTRY) {
        s->observer = &e->observer;
        find(e, NULL);
    }
}

void events_end(struct events *e) {
    e->machine->system.observer = NULL;
    e->machine->system.listener = NULL;
    tables_leave(&e->tables);
}
