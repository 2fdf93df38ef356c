// A trace: the machine executes one instruction at a time, and its registers are compared.
#include "debug/trace.h"
#include "cpu/decode.h"
#include "debug/csr_names.h"
#include "debug/disassemble.h"
#include "debug/registers.h"
#include "debug/trap_name.h"
#include "debug/view.h"

#include <string.h>

enum { LINE_BYTES = 400 };
enum { TIME_COLUMN = 11, NAME_COLUMN = 37, CODE_COLUMN = 62, EFFECT_COLUMN = 98 };

// ---- Parts of a line ----

// Adds when, which hart with which privilege, and where.
static void add_beginning(const struct trace *t, struct text *line, uint64_t time,
                          const struct registers *r) {
    static const char privileges[] = {[USER] = 'U', [SUPERVISOR] = 'S', [MACHINE] = 'M'};
    struct text number = text_in((char[24]){0}, 24);
    text_add_number(&number, time);
    for (size_t i = number.used; i < TIME_COLUMN; i++)
        text_add_byte(line, ' ');
    text_add(line, number.bytes);
    text_add(line, " h");
    text_add_number(line, r->id);
    text_add_byte(line, ' ');
    text_add_byte(line, privileges[r->privilege]);
    text_add_byte(line, ' ');
    text_add_hex(line, r->pc, 16);
    text_pad(line, NAME_COLUMN);
    symbols_add_name(t->symbols, r->pc, line);
    text_pad(line, CODE_COLUMN);
}

// Adds a register or a word of memory that has a value now.
static void add_value(struct text *line, const char *name, uint64_t value) {
    text_add_byte(line, ' ');
    text_add(line, name);
    text_add_byte(line, '=');
    text_add_address(line, value);
}

static void add_memory(struct text *line, const char *before, uint64_t address) {
    text_add(line, before);
    text_add_byte(line, '[');
    text_add_address(line, address);
    text_add_byte(line, ']');
}

static uint64_t cut(uint64_t value, unsigned bytes) {
    return bytes < 8 ? value & ((UINT64_C(1) << 8 * bytes) - 1) : value;
}

// Adds what the instruction did with memory.
static void add_memory_use(struct text *line, const struct hart *h, const struct registers *before,
                           const struct operation *op) {
    enum memory_use use = disassemble_memory_use(op);
    unsigned bytes = disassemble_memory_bytes(op);
    bool has_offset = op->code != OP_LR && use != USES_ATOMIC;
    uint64_t address = before->x[op->rs1] + (has_offset ? op->immediate : 0), now = 0;
    if (use == USES_LOAD)
        add_memory(line, " from ", address);
    if (use == USES_STORE)
        now = cut(before->x[op->rs2], bytes);
    else if (use == USES_ATOMIC)
        view_read(h, VIEW_VIRTUAL, address, (uint8_t *)&now, bytes);
    bool writes = op->code != OP_SC || h->r.x[op->rd] == 0;
    if ((use == USES_STORE || use == USES_ATOMIC) && writes) {
        add_memory(line, " ", address);
        text_add_byte(line, '=');
        text_add_address(line, now);
    }
}

// Adds the registers that were written.
static void add_registers(struct text *line, struct hart *h, const struct registers *before,
                          const struct operation *op) {
    bool is_csr = op->code == OP_CSRRW || op->code == OP_CSRRS || op->code == OP_CSRRC;
    unsigned number = op->immediate & (CSR_IMMEDIATE - 1);
    uint64_t value;
    for (unsigned i = 1; i < NO_REGISTER; i++) {
        if (h->r.x[i] != before->x[i])
            add_value(line, registers_name(i), h->r.x[i]);
    }
    if (is_csr && (op->rs1 != 0 || op->code == OP_CSRRW) && csr_name_find(number) != NULL &&
        registers_read(h, REGISTER_CSR + number, &value))
        add_value(line, csr_name_find(number), value);
}

// ---- Traps ----

// Puts a line for the trap with which that hart is at its handler now.
static void put_trap(const struct trace *t, const struct hart *h, uint64_t time) {
    char bytes[LINE_BYTES];
    struct text line = text_in(bytes, sizeof bytes);
    uint64_t cause = t->trap.cause;
    bool is_machine = h->r.privilege == MACHINE;
    add_beginning(t, &line, time, &h->r);
    text_add(&line, "trap: ");
    text_add(&line, trap_name(cause));
    text_pad(&line, EFFECT_COLUMN - 1);
    add_value(&line, is_machine ? "mcause" : "scause", cause);
    add_value(&line, is_machine ? "mepc" : "sepc", t->trap.pc);
    text_add(&line, " <");
    if (symbols_add_name(t->symbols, t->trap.pc, &line))
        text_add_byte(&line, '>');
    else
        bytes[line.used -= 2] = '\0';
    add_value(&line, is_machine ? "mtval" : "stval", t->trap.value);
    t->put(t->owner, bytes);
}

// The line of a trap that an instruction raises comes after that of the instruction.
static void trapped(struct listener *l, const struct hart *h, uint64_t cause, uint64_t value) {
    struct trace *t = (struct trace *)l;
    uint64_t pc = h->r.privilege == MACHINE ? h->r.mepc : h->r.sepc, now = system_now(h->system);
    bool is_first = h->system->running == NULL; // an interrupt, before an instruction
    t->trap = (struct trap){true, cause, value, pc};
    if ((is_first ? now : now - 1) < t->from) {
        t->trap.is_there = false;
        return;
    }
    if (!is_first && !t->only_traps)
        return;
    put_trap(t, h, is_first ? now : now - 1);
    t->trap.is_there = false;
    t->before[h->r.id] = h->r;
}

// ---- Instructions ----

// Reads the instruction that the hart has executed, as it was before.
static bool get_instruction(struct hart *h, const struct registers *before, uint32_t *bits) {
    struct registers now = h->r;
    h->r = *before;
    bool was_fetched = view_instruction(h, before->pc, bits);
    h->r = now;
    return was_fetched;
}

static void put_instruction(struct trace *t, struct hart *h, uint64_t time) {
    char bytes[LINE_BYTES];
    struct text line = text_in(bytes, sizeof bytes);
    const struct registers *before = &t->before[h->r.id];
    uint32_t bits;
    add_beginning(t, &line, time, before);
    if (get_instruction(h, before, &bits)) {
        struct operation op = decode(bits);
        disassemble(&line, &op, before->pc, t->symbols);
        text_pad(&line, EFFECT_COLUMN - 1);
        if (!t->trap.is_there) {
            add_registers(&line, h, before, &op);
            add_memory_use(&line, h, before, &op);
        }
    } else {
        text_add(&line, "(cannot be fetched)");
    }
    while (line.used > 0 && bytes[line.used - 1] == ' ')
        bytes[--line.used] = '\0';
    t->put(t->owner, bytes);
    if (t->trap.is_there)
        put_trap(t, h, time);
}

static enum machine_stop step(struct trace *t) {
    struct system *s = &t->machine->system;
    uint64_t time = s->time;
    t->trap.is_there = false;
    enum machine_stop stop = machine_run(t->machine, time + 1);
    for (unsigned i = 0; i < s->hart_count; i++) {
        if (s->time > time && s->harts[i].last_end == s->time)
            put_instruction(t, &s->harts[i], time);
    }
    for (unsigned i = 0; i < s->hart_count; i++)
        t->before[i] = s->harts[i].r;
    return stop;
}

void trace_init(struct trace *t) {
    t->listener = (struct listener){.trapped = trapped};
    t->machine->system.listener = &t->listener;
}

enum machine_stop trace_run(struct trace *t, uint64_t until) {
    struct machine *m = t->machine;
    enum machine_stop stop = STOP_TIME;
    if (t->only_traps)
        return machine_run(m, until);
    if (machine_time(m) < t->from)
        stop = machine_run(m, until < t->from ? until : t->from);
    for (unsigned i = 0; i < m->system.hart_count; i++)
        t->before[i] = m->system.harts[i].r;
    while (stop == STOP_TIME && machine_time(m) >= t->from && machine_time(m) < until)
        stop = step(t);
    return stop;
}
