// The functions of sim.wasm. There is one machine in a module; who wants two instantiates it twice.
// sim.mjs calls these functions, and has the documentation for users.
#include "cpu/physical.h"
#include "memory/host.h"
#include "snapshot.h"

#define EXPORT(name) __attribute__((export_name(#name))) name

enum { OUTPUT_BYTES = 65536, SNAPSHOTS = 64, ARGUMENTS_BYTES = 4096 };

static struct machine *machine;
static struct snapshot *snapshots[SNAPSHOTS];
static char arguments[ARGUMENTS_BYTES];
static const char *problem = "";

static uint8_t output[OUTPUT_BYTES];
static uint32_t output_used;

static void put(void *owner, uint8_t byte) {
    if (output_used < sizeof output)
        output[output_used++] = byte;
}

// ---- Making a machine ----

// Returns memory for a file, to be given back with sim_free.
void *EXPORT(sim_alloc)(uint32_t bytes) {
    return host_alloc(bytes);
}

void EXPORT(sim_free)(void *memory) {
    host_free(memory);
}

// Where the kernel's command line is to be put, with a 0 at its end.
char *EXPORT(sim_arguments)(void) {
    return arguments;
}

// Each of these returns whether it succeeded; sim_problem says why not.
bool EXPORT(sim_create)(uint32_t harts, uint32_t memory_mebibytes, uint64_t seed,
                        bool legacy_disk) {
    const struct machine_settings settings = {
        .harts = harts,
        .memory_bytes = (uint64_t)memory_mebibytes << 20,
        .seed = seed,
        .arguments = arguments,
        .legacy_disk = legacy_disk,
        .put = put,
    };
    arguments[sizeof arguments - 1] = '\0';
    machine = machine_create(&settings);
    problem = "there is not enough memory, or the settings are wrong";
    return machine != NULL;
}

bool EXPORT(sim_load)(const void *kernel, uint32_t bytes) {
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

// Returns an enum machine_stop.
uint32_t EXPORT(sim_run)(uint64_t until) {
    return machine_run(machine, until);
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

bool EXPORT(sim_type)(uint8_t byte) {
    if (!machine_can_type(machine))
        return false;
    machine_type(machine, byte);
    return true;
}

// ---- Looking inside ----

// Reads 8 bytes of memory; 0 where there is none.
uint64_t EXPORT(sim_memory)(uint64_t address) {
    bool is_memory = address % 8 == 0 && bus_is_memory(&machine->system.bus, address, 8);
    return is_memory ? physical_read(&machine->system, address, 8) : 0;
}

// Returns x0 to x31, and as number 32 the program counter.
uint64_t EXPORT(sim_register)(uint32_t hart, uint32_t number) {
    if (hart >= machine->system.hart_count || number > 32)
        return 0;
    const struct registers *r = &machine->system.harts[hart].r;
    return number == 32 ? r->pc : r->x[number];
}

uint64_t EXPORT(sim_satp)(uint32_t hart) {
    return hart < machine->system.hart_count ? machine->system.harts[hart].r.satp : 0;
}

// ---- Snapshots ----

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

bool EXPORT(sim_restore)(uint32_t number) {
    return number < SNAPSHOTS && snapshots[number] != NULL &&
           snapshot_restore(machine, snapshots[number]);
}

void EXPORT(sim_forget)(uint32_t number) {
    if (number < SNAPSHOTS) {
        snapshot_free(snapshots[number]);
        snapshots[number] = NULL;
    }
}
