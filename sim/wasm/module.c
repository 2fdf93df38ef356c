// The functions of sim.wasm. There is one machine in a module; who wants two instantiates it twice.
// sim.mjs calls these functions, and has the documentation for users.
#include "cpu/breakpoints.h"
#include "cpu/translate.h"
#include "debug/csr_names.h"
#include "debug/events.h"
#include "debug/history.h"
#include "debug/registers.h"
#include "debug/symbols.h"
#include "debug/trap_name.h"
#include "debug/view.h"
#include "memory/host.h"

#include <string.h>

#define EXPORT(name) __attribute__((export_name(#name))) name
#define IMPORT(name) __attribute__((import_module("sim"), import_name(#name))) name

enum { OUTPUT_BYTES = 65536, SNAPSHOTS = 64, TEXT_BYTES = 4096 };

static struct machine *machine;
static struct events events;
static struct symbols *symbols;
static struct snapshot *snapshots[SNAPSHOTS];
static char words[TEXT_BYTES]; // from the caller, or for it
static const char *problem = "";

static struct history history;
static bool keeps_history;

static bool wants_stop;        // at an event
static const struct hart *met; // stands at a breakpoint; NULL: none does

static uint8_t output[OUTPUT_BYTES];
static uint32_t output_used;

static void put(void *owner, uint8_t byte) {
    if (output_used < sizeof output)
        output[output_used++] = byte;
}

// Takes an event over at once; returns whether the machine is to stop.
bool IMPORT(sim_event)(const struct event *e);

static bool tell(void *owner, const struct event *e) {
    wants_stop |= sim_event(e);
    return wants_stop;
}

// ---- Making a machine ----

// Returns memory for a file or a buffer, to be given back with sim_free.
void *EXPORT(sim_alloc)(uint32_t bytes) {
    return host_alloc(bytes);
}

void EXPORT(sim_free)(void *memory) {
    host_free(memory);
}

// Where a text is to be put, with a 0 at its end: the kernel's command line, or a name.
char *EXPORT(sim_text)(void) {
    return words;
}

// Each of these returns whether it succeeded; sim_problem says why not.
bool EXPORT(sim_create)(uint32_t harts, uint32_t memory_mebibytes, uint64_t seed, uint32_t profile,
                        bool legacy_disk) {
    const struct machine_settings settings = {
        .harts = harts,
        .memory_bytes = (uint64_t)memory_mebibytes << 20,
        .seed = seed,
        .profile = profile,
        .arguments = words,
        .legacy_disk = legacy_disk,
        .put = put,
    };
    words[sizeof words - 1] = '\0';
    machine = machine_create(&settings);
    problem = "there is not enough memory, or the settings are wrong";
    if (machine == NULL)
        return false;
    events = (struct events){.machine = machine, .happened = tell};
    return events_init(&events);
}

// The bytes stay the module's, which finds names in them.
bool EXPORT(sim_load)(const void *kernel, uint32_t bytes) {
    symbols = symbols_read(kernel, bytes);
    problem = machine_load(machine, (struct machine_file){kernel, bytes}, NULL);
    return problem == NULL;
}

bool EXPORT(sim_set_disk)(const void *image, uint32_t bytes) {
    problem = "there is not enough memory for the disk";
    return machine_set_disk(machine, image, bytes);
}

const char *EXPORT(sim_problem)(void) {
    return problem;
}

// ---- Running it ----

static enum machine_stop run_on(uint64_t until) {
    if (wants_stop) // at what was found before the first instruction
        return STOP_EVENT;
    if (machine->finisher.written != 0)
        return machine->finisher.written == FINISHER_RESET ? STOP_RESET : STOP_FINISHED;
    if (met != NULL)
        breakpoints_pass(met);
    met = NULL;
    return keeps_history ? history_run(&history, until) : machine_run(machine, until);
}

// Calls sim_event for what happens of these kinds. Returns an enum machine_stop.
uint32_t EXPORT(sim_run)(uint64_t until, uint32_t kinds) {
    wants_stop = false;
    if (kinds != 0)
        events_begin(&events, kinds);
    enum machine_stop stop = run_on(until);
    if (kinds != 0)
        events_end(&events);
    if (stop == STOP_BREAKPOINT)
        met = &machine->system.harts[machine->system.breakpoints.pause.hart];
    return stop;
}

bool EXPORT(sim_add_breakpoint)(uint64_t pc) {
    return breakpoints_add(&machine->system, pc);
}

void EXPORT(sim_remove_breakpoints)(void) {
    breakpoints_remove_all(&machine->system);
}

// Returns the hart because of which the machine has stopped.
uint32_t EXPORT(sim_stopped_hart)(void) {
    return machine->system.breakpoints.pause.hart;
}

uint64_t EXPORT(sim_time)(void) {
    return machine_time(machine);
}

uint64_t EXPORT(sim_idle_time)(void) {
    return machine_idle_time(machine);
}

int32_t EXPORT(sim_exit_status)(void) {
    return machine_exit_status(machine);
}

uint64_t EXPORT(sim_hash)(void) {
    return snapshot_hash(machine);
}

// ---- The console ----

const uint8_t *EXPORT(sim_output)(void) {
    return output;
}

// Returns how many bytes there are, which are then forgotten.
uint32_t EXPORT(sim_take_output)(void) {
    uint32_t count = output_used;
    output_used = 0;
    return count;
}

// In the past, this begins another future.
bool EXPORT(sim_type)(uint8_t byte) {
    if (!machine_can_type(machine))
        return false;
    if (!keeps_history) {
        machine_type(machine, byte);
        return true;
    }
    if (!history_is_new(&history))
        history_changed(&history);
    history_type(&history, byte);
    return true;
}

// ---- Looking inside ----

static struct hart *hart_of(uint32_t hart) {
    return hart < machine->system.hart_count ? &machine->system.harts[hart] : NULL;
}

// Reads memory at a physical address, or, with a hart, at a virtual one. Returns how many bytes
// there are.
uint32_t EXPORT(sim_read)(int32_t hart, uint64_t address, uint8_t *bytes, uint32_t count) {
    const struct hart *h = hart_of(hart < 0 ? 0 : hart);
    return h != NULL ? view_read(h, hart < 0 ? VIEW_PHYSICAL : VIEW_VIRTUAL, address, bytes, count)
                     : 0;
}

// Returns the physical address, UINT64_MAX if the page table has none.
uint64_t EXPORT(sim_translate)(uint32_t hart, uint64_t va) {
    uint64_t pa;
    return hart_of(hart) != NULL && translate_peek(hart_of(hart), va, &pa) ? pa : UINT64_MAX;
}

// Returns the number of the register that the text names, -1 if there is none.
int32_t EXPORT(sim_find_register)(void) {
    if (strcmp(words, "pc") == 0)
        return REGISTER_PC;
    if (strcmp(words, "privilege") == 0)
        return REGISTER_PRIVILEGE;
    for (unsigned i = 0; i < REGISTER_PC; i++) {
        if (strcmp(words, registers_name(i)) == 0)
            return i;
    }
    for (size_t i = 0; i < csr_name_count; i++) {
        if (strcmp(words, csr_names[i].name) == 0)
            return REGISTER_CSR + csr_names[i].number;
    }
    return -1;
}

// Returns 0 if there is no such register.
uint64_t EXPORT(sim_register)(uint32_t hart, uint32_t number) {
    uint64_t value = 0;
    if (hart_of(hart) != NULL)
        registers_read(hart_of(hart), number, &value);
    return value;
}

// Returns the address that the text names, UINT64_MAX if there is none.
uint64_t EXPORT(sim_find_symbol)(void) {
    uint64_t address;
    return symbols_find(symbols, words, &address) ? address : UINT64_MAX;
}

// Makes the text the name of an address. Returns false if it has none.
bool EXPORT(sim_name)(uint64_t address) {
    struct text name = text_in(words, sizeof words);
    return symbols_add_name(symbols, address, &name);
}

const char *EXPORT(sim_trap_name)(uint64_t cause) {
    return trap_name(cause);
}

// ---- The past ----

// From now on, the past is kept. Returns false without memory.
bool EXPORT(sim_keep_history)(void) {
    if (keeps_history)
        history_destroy(&history);
    keeps_history = history_init(&history, machine);
    return keeps_history;
}

// Goes to a time that was reached. Returns false if it was not, or without memory.
bool EXPORT(sim_seek)(uint64_t time) {
    met = NULL;
    return keeps_history && time >= history_first(&history) && time <= history.reached &&
           history_go(&history, time);
}

// Returns the snapshot's number; -1 if there are too many, or no memory.
int32_t EXPORT(sim_snapshot)(void) {
    for (int32_t i = 0; i < SNAPSHOTS; i++) {
        if (snapshots[i] == NULL) {
            snapshots[i] = snapshot_take(machine);
            return snapshots[i] != NULL ? i : -1;
        }
    }
    return -1;
}

// The past is another one then, so that it is kept from there on only.
bool EXPORT(sim_restore)(uint32_t number) {
    met = NULL;
    return number < SNAPSHOTS && snapshots[number] != NULL &&
           snapshot_restore(machine, snapshots[number]) && (!keeps_history || sim_keep_history());
}

void EXPORT(sim_forget)(uint32_t number) {
    if (number < SNAPSHOTS) {
        snapshot_free(snapshots[number]);
        snapshots[number] = NULL;
    }
}
