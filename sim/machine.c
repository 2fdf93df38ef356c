// The machine as a whole.
#include "machine.h"
#include "cpu/access.h"
#include "cpu/breakpoints.h"
#include "cpu/code.h"
#include "cpu/execute.h"
#include "cpu/fast.h"
#include "cpu/translate.h"
#include "cpu/trap.h"
#include "devices/block.h"
#include "memory/host.h"

enum { QUANTUM = 1000, TICK_TURNS = 16 };

// ---- Making ----

static void init_hart(struct system *s, unsigned id) {
    struct hart *h = &s->harts[id];
    h->system = s;
    h->r = (struct registers){
        .id = id,
        .privilege = MACHINE,
        .pc = MEMORY_START,
        .stimecmp = UINT64_MAX,
        .reserved_address = RESERVED_NONE,
    };
    code_init(h);
    fast_init(h);
    fast_select(h);
}

static void init_devices(struct machine *m) {
    struct system *s = &m->system;
    clint_init(&m->clint, s);
    plic_init(&m->plic, s);
    uart_init(&m->uart, s, &m->plic);
    m->uart.put = m->settings.put;
    m->uart.owner = m->settings.owner;
    finisher_init(&m->finisher, &s->bus);
    for (unsigned i = 0; i < VIRTIO_SLOTS; i++)
        virtio_init(&m->slots[i], i, s, &m->plic, NULL, 0);
    m->firmware = (struct firmware){s, &m->uart, &m->finisher};
}

struct machine *machine_create(const struct machine_settings *settings) {
    if (settings->harts < 1 || settings->harts > HARTS_MAX || settings->memory_bytes == 0 ||
        settings->memory_bytes % PAGE_BYTES != 0 || settings->memory_bytes > MACHINE_MEMORY_MAX)
        return NULL;
    struct machine *m = host_alloc(sizeof *m);
    if (m == NULL)
        return NULL;
    m->settings = *settings;
    m->system.random = settings->seed;
    m->system.profile = settings->profile;
    m->system.hart_count = settings->harts;
    if (!paged_init(&m->system.bus.memory, settings->memory_bytes)) {
        host_free(m);
        return NULL;
    }
    if (!schedule_init(&m->schedule, &m->system)) {
        machine_destroy(m);
        return NULL;
    }
    for (unsigned i = 0; i < settings->harts; i++)
        init_hart(&m->system, i);
    init_devices(m);
    return m;
}

void machine_destroy(struct machine *m) {
    if (m == NULL)
        return;
    code_destroy(&m->system);
    schedule_destroy(&m->schedule);
    paged_destroy(&m->system.bus.memory);
    paged_destroy(&m->disk);
    medium_destroy(&m->medium);
    host_free(m);
}

bool machine_set_disk(struct machine *m, const void *contents, uint64_t bytes) {
    uint64_t whole = (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    struct virtio *v = &m->slots[0];
    if (!paged_init(&m->disk, whole) || !paged_fill(&m->disk, 0, contents, bytes) ||
        !medium_init(&m->medium, &m->disk))
        return false;
    v->block.pages = &m->disk;
    v->block.medium = &m->medium;
    v->block.bytes = bytes / SECTOR_BYTES * SECTOR_BYTES;
    v->is_legacy = m->settings.legacy_disk;
    v->errors = m->settings.disk_errors;
    return true;
}

// ---- Running ----

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

// Lets devices do what is due. Returns when the next thing is.
static uint64_t update_devices(struct machine *m) {
    uint64_t next = smaller(clint_update(&m->clint), queue_update(&m->slots[0]));
    return smaller(next, plic_update(&m->plic)); // the last, as the others tell it something
}

static bool can_run(struct hart *h) {
    if (h->r.mode == HART_WAITING && trap_wakes(h))
        h->r.mode = HART_RUNNING;
    return h->r.mode == HART_RUNNING;
}

// What happens by chance in a hart, before its turn.
static void tick(struct hart *h) {
    translate_tick(h);
    code_tick(h);
    if (h->stores.count > 0) // stores become visible after a while
        access_drain(h);
}

// Returns the hart that executes next, NULL if all wait.
static struct hart *choose_hart(struct machine *m) {
    if (m->turns.quantum == 0) {
        m->turns.quantum = QUANTUM / 2 + system_random(&m->system) % QUANTUM;
        m->turns.current = (m->turns.current + 1) % m->system.hart_count;
        tick(&m->system.harts[m->turns.current]);
    }
    for (unsigned i = 0; i < m->system.hart_count; i++) {
        struct hart *h = &m->system.harts[m->turns.current];
        if (can_run(h))
            return h;
        m->turns.current = (m->turns.current + 1) % m->system.hart_count;
    }
    return NULL;
}

// The same, if a schedule decides. Every now and then, chance has its turn.
static struct hart *choose_scheduled(struct machine *m) {
    struct system *s = &m->system;
    uint32_t ready = 0, interrupted = 0;
    for (unsigned i = 0; i < s->hart_count; i++) {
        ready |= can_run(&s->harts[i]) ? 1u << i : 0;
        interrupted |= trap_pending(&s->harts[i]) != 0 ? 1u << i : 0;
    }
    schedule_unblock(&m->schedule, interrupted);
    bool is_new = m->schedule.state.budget == 0;
    struct hart *h = schedule_choose(&m->schedule, ready);
    for (unsigned i = 0; i < s->hart_count; i++)
        s->harts[i].r.reserved_address = &s->harts[i] == h ? h->r.reserved_address : RESERVED_NONE;
    if (h != NULL && is_new && system_random(s) % TICK_TURNS == 0)
        tick(h);
    return h;
}

static void note_users(struct machine *m) {
    unsigned users = 0;
    for (unsigned i = 0; i < m->system.hart_count; i++)
        users +=
            m->system.harts[i].r.privilege == USER && m->system.harts[i].r.mode == HART_RUNNING;
    if (users > m->users_together)
        m->users_together = users;
}

static void execute_turn(struct system *s, struct hart *h, uint64_t instructions) {
    unsigned interrupt = trap_pending(h);
    if (interrupt != 0)
        trap_enter(h, CAUSE_INTERRUPT | interrupt, 0);
    s->turn = h->left = breakpoints_limit(h, instructions);
    s->running = h;
    execute(h);
    s->running = NULL;
    s->time += s->turn;
    if (s->turn > 0) {
        h->last_end = s->time;
        breakpoints_turn_ended(h);
    }
    h->r.retired += s->turn;
}

static void run_turn(struct machine *m, struct hart *h, uint64_t instructions) {
    execute_turn(&m->system, h, smaller(instructions, m->turns.quantum));
    m->turns.quantum -= m->system.turn;
    if (m->turns.quantum == 0 || h->r.mode != HART_RUNNING) // another hart is next
        h->r.reserved_address = RESERVED_NONE;
}

static void run_scheduled(struct machine *m, struct hart *h, uint64_t instructions) {
    execute_turn(&m->system, h, smaller(instructions, m->schedule.state.budget));
    schedule_ran(&m->schedule, m->system.turn);
}

static void skip_to(struct machine *m, uint64_t time, uint64_t next) {
    m->turns.idle += time - m->system.time;
    m->system.time = time;
    if (time == next)
        schedule_unblock(&m->schedule, UINT32_MAX);
}

enum machine_stop machine_run(struct machine *m, uint64_t until) {
    m->system.breakpoints.pause.reason = NO_PAUSE;
    while (m->system.time < until) {
        uint64_t next = update_devices(m);
        bool is_scheduled = schedule_is_on(&m->schedule);
        struct hart *h = is_scheduled ? choose_scheduled(m) : choose_hart(m);
        if (h == NULL && next == UINT64_MAX) {
            if (schedule_looks_again(&m->schedule))
                continue;
            return m->schedule.state.has_looked_again ? STOP_DEADLOCK : STOP_IDLE;
        }
        if (h == NULL)
            skip_to(m, smaller(next, until), next);
        else
            (is_scheduled ? run_scheduled : run_turn)(m, h, smaller(next, until) - m->system.time);
        if (h != NULL && h->r.privilege == USER)
            note_users(m);
        if (m->finisher.written != 0)
            return m->finisher.written == FINISHER_RESET ? STOP_RESET : STOP_FINISHED;
        if (m->system.bus.is_out_of_memory)
            return STOP_NO_MEMORY;
        enum pause_reason reason = m->system.breakpoints.pause.reason;
        if (reason != NO_PAUSE)
            return reason == PAUSE_EVENT ? STOP_EVENT : STOP_BREAKPOINT;
    }
    return STOP_TIME;
}

bool machine_can_type(const struct machine *m) {
    return uart_can_type(&m->uart);
}

void machine_type(struct machine *m, uint8_t byte) {
    uart_type(&m->uart, byte);
}

uint64_t machine_time(const struct machine *m) {
    return m->system.time;
}

uint64_t machine_idle_time(const struct machine *m) {
    return m->turns.idle;
}

int machine_exit_status(const struct machine *m) {
    bool is_failure = (m->finisher.written & 0xffff) == FINISHER_FAIL;
    return is_failure ? m->finisher.written >> 16 : 0;
}
