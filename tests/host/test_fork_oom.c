// fork with every number of free frames, from none to enough: it works, or it fails and changes
// nothing. The same with each single allocation failing, and with eager fork.
#include "small_machine.h"

#include <sys/wait.h>
#include <unistd.h>

enum { FRAMES = 200, RW = PROT_READ | PROT_WRITE, RX = PROT_READ | PROT_EXEC, PAGE = PAGE_SIZE };

#define LEAF_SPAN (512ul * PAGE_SIZE)
#define TEXT 0x10000ul
#define DATA 0x20000ul
#define ZERO (0x40000000ul + LEAF_SPAN - 6 * PAGE)   // across two leaf tables
#define HEAP (0x80000000ul + LEAF_SPAN - 4 * PAGE)   // likewise
#define MEMORY (0xc0000000ul + LEAF_SPAN - 2 * PAGE) // shared memory, likewise
#define MAPPED 0x30000ul                             // a shared mapping of the file
#define WHOLE 0x100000000ul                          // two leaf tables of its own
#define SHARED_PAGES 4                               // of ZERO, with another child
enum {
    TABLES = 1 + 2 + 3 + 3 + 3 + 3, // those for copies of shared ones included
    MEMORY_PAGES = 4,
    MAPPED_PAGES = 3,
    OWN_PAGES = 8 + 6 + 1 + 2,
    WHOLE_SHARED = 2, // pages of the first table, which is shared with another child
    ZERO_PAGES = SHARED_PAGES + 8,
    HEAP_PAGES = 10
};

static struct addrspace *parent, *sibling;
static struct inode *program;
static uint8_t own_byte; // what the parent last wrote to the pages that are its own

static vaddr_t own_page(unsigned i) {
    if (i < 8)
        return ZERO + (SHARED_PAGES + i) * PAGE;
    if (i < 14)
        return HEAP + (i - 8) * PAGE;
    return i == 14 ? DATA + PAGE : WHOLE + LEAF_SPAN + (i - 15) * 300 * PAGE;
}

static void write_own_pages(uint8_t byte) {
    own_byte = byte;
    for (unsigned i = 0; i < OWN_PAGES; i++)
        STORE(parent, own_page(i) + 11, byte);
}

// Text, data read and data written, zeroes shared with a sibling and not, a heap half touched.
static void populate(size_t fail_at) {
    vaddr_t unused;
    machine_start_failing(FRAMES, fail_at, false);
    program = file_make(6 * PAGE);
    parent = space_make();
    space_map(parent, file_region(program, 0, TEXT, 3 * PAGE, RX));
    space_map(parent, file_region(program, 3 * PAGE, DATA, 2 * PAGE, RW));
    space_map(parent, zero_region(ZERO, ZERO_PAGES, RW));
    space_map(parent, zero_region(WHOLE, 2 * 512, RW));
    space_use(parent);
    for (unsigned i = 0; i < SHARED_PAGES; i++)
        STORE(parent, ZERO + i * PAGE + 11, 200);
    for (unsigned i = 0; i < WHOLE_SHARED; i++)
        STORE(parent, WHOLE + i * 511 * PAGE + 11, 210);
    LOAD(parent, TEXT);
    LOAD(parent, TEXT + PAGE);
    LOAD(parent, DATA);
    space_map(parent, shared_file_region(program, 2 * PAGE, MAPPED, MAPPED_PAGES, RW));
    STORE(parent, MAPPED + 11, 150);
    LOAD(parent, MAPPED + PAGE);
    struct region r = shared_region(MEMORY, MEMORY_PAGES, RW);
    CHECK_EQUAL(0, addrspace_map(parent, &r));
    STORE(parent, MEMORY + 11, 160);
    STORE(parent, MEMORY + 2 * PAGE + 11, 160);
    sibling = space_fork(parent);
    parent->heap_end = HEAP;
    CHECK_EQUAL(0, heap_move_end(parent, HEAP_PAGES * PAGE, &unused));
    write_own_pages(100);
}

// Reads of present pages: contents, and no fault.
static void check_contents(struct addrspace *as) {
    uint64_t before =
        faults(FAULT_ZERO_FILL) + faults(FAULT_FILE) + faults(FAULT_STALE) + faults(FAULT_SHARED);
    space_use(as);
    for (unsigned i = 0; i < OWN_PAGES; i++) {
        CHECK_EQUAL(own_byte, LOAD(as, own_page(i) + 11));
        CHECK_EQUAL(own_page(i) < ZERO ? file_byte(4 * PAGE + 12) : 0, LOAD(as, own_page(i) + 12));
    }
    for (unsigned i = 0; i < SHARED_PAGES; i++)
        CHECK_EQUAL(200, LOAD(as, ZERO + i * PAGE + 11));
    for (unsigned i = 0; i < WHOLE_SHARED; i++)
        CHECK_EQUAL(210, LOAD(as, WHOLE + i * 511 * PAGE + 11));
    CHECK_EQUAL(150, LOAD(as, MAPPED + 11));
    CHECK_EQUAL(file_byte(3 * PAGE + 11), LOAD(as, MAPPED + PAGE + 11));
    CHECK_EQUAL(160, LOAD(as, MEMORY + 11));
    CHECK_EQUAL(160, LOAD(as, MEMORY + 2 * PAGE + 11));
    CHECK_EQUAL(file_byte(7), LOAD(as, TEXT + 7));
    CHECK_EQUAL(file_byte(PAGE + 7), LOAD(as, TEXT + PAGE + 7));
    CHECK_EQUAL(file_byte(3 * PAGE + 7), LOAD(as, DATA + 7));
    CHECK_EQUAL(before, faults(FAULT_ZERO_FILL) + faults(FAULT_FILE) + faults(FAULT_STALE) +
                            faults(FAULT_SHARED));
}

// The parent can do all it could before, without a frame more.
static void check_parent_unharmed(size_t left, bool writes) {
    CHECK_EQUAL(left, frames_free() - frames_promised());
    CHECK_EQUAL(HEAP_PAGES - 6 + MEMORY_PAGES - 2, frames_promised());
    CHECK_EQUAL(1 + 3 + 3, program->references);
    CHECK_EQUAL(2, program->mappings);
    CHECK_EQUAL(2 * MAPPED_PAGES, file_reserved());
    CHECK_EQUAL(2, ((struct addrspace *)addrspace_find(parent, MEMORY)->object)->users);
    CHECK_EQUAL(3, mapping_at(parent, MEMORY).frame->count);
    CHECK_SOUND();
    check_contents(parent);
    if (writes)
        write_own_pages((uint8_t)(own_byte + 1));
    CHECK_EQUAL(left, frames_free() - frames_promised());
    CHECK_EQUAL(-EFAULT, hart_store(parent, TEXT, 1));
    for (unsigned i = 0; i < SHARED_PAGES; i++)
        CHECK_EQUAL(PROT_READ | ENTRY_COW, mapping_at(parent, ZERO + i * PAGE).rights);
    for (unsigned i = 0; i < WHOLE_SHARED; i++) { // with the sibling
        struct mapping m = mapping_at(parent, WHOLE + i * 511 * PAGE);
        CHECK(m.frame->count == 1 && table_is_shared(m.entry));
    }
    CHECK(!table_is_shared(mapping_at(parent, WHOLE + LEAF_SPAN).entry));
    CHECK_EQUAL(RW, mapping_at(parent, MEMORY).rights);
    CHECK_EQUAL(RW, mapping_at(parent, MAPPED).rights);
    CHECK_EQUAL(PROT_READ, mapping_at(parent, MAPPED + PAGE).rights);
    CHECK_EQUAL(RX, mapping_at(parent, TEXT).rights);
    CHECK_SOUND();
}

static void check_fork_fails(size_t left) {
    frames_hold(left);
    struct addrspace *child = addrspace_create();
    if (child != NULL) {
        CHECK_EQUAL(-ENOMEM, fork_space(child, parent));
        CHECK_SOUND(); // half-made, but sound
        addrspace_put(child);
    }
    check_parent_unharmed(left, left % 2 == 0);
    frames_release();
}

static void check_fork_works(size_t left) {
    frames_hold(left);
    struct addrspace *child = space_fork(parent);
    CHECK_EQUAL(0, frames_free() - frames_promised());
    CHECK_SOUND();
    check_contents(child);
    check_contents(parent);
    space_end(child);
    space_use(parent);
    check_parent_unharmed(left, true);
    frames_release();
}

static void end_all(void) {
    space_end(parent);
    CHECK_SOUND();
    space_end(sibling);
    CHECK_ALL_BACK();
}

TEST(fork_works_or_changes_nothing) {
    populate(0);
    for (size_t left = 0; left < TABLES; left++)
        check_fork_fails(left);
    check_fork_works(TABLES);
    end_all();
}

TEST(eager_fork_works_or_changes_nothing) {
    populate(0);
    fork_set_eager();
    enum { PAGES = OWN_PAGES + SHARED_PAGES + WHOLE_SHARED + 1 };
    for (size_t left = 0; left < TABLES + PAGES; left++)
        check_fork_fails(left);
    check_fork_works(TABLES + PAGES);
    end_all();
}

static void fail_one_allocation(size_t which, size_t allocations_before) {
    populate(allocations_before + which);
    size_t left = frames_free() - frames_promised();
    struct addrspace *child = addrspace_create();
    if (child != NULL) {
        CHECK_EQUAL(-ENOMEM, fork_space(child, parent));
        CHECK_SOUND();
        addrspace_put(child);
    }
    CHECK_EQUAL(which == 1, child == NULL);
    check_parent_unharmed(left, which % 2 == 0);
    child = space_fork(parent); // only once
    check_contents(child);
    space_end(child);
    end_all();
}

TEST(fork_survives_every_failing_allocation) {
    int pipe_ends[2];
    size_t before;
    CHECK_EQUAL(0, pipe(pipe_ends));
    // Each on a machine of its own; the first run counts.
    for (size_t which = 0; which <= TABLES; which++) {
        pid_t pid = fork();
        if (pid == 0 && which == 0) {
            populate(0);
            before = FRAMES - frames_free();
            _exit(write(pipe_ends[1], &before, sizeof before) != sizeof before);
        } else if (pid == 0) {
            fail_one_allocation(which, before);
            _exit(0);
        }
        int status;
        waitpid(pid, &status, 0);
        CHECK_EQUAL(0, status);
        CHECK(which > 0 || read(pipe_ends[0], &before, sizeof before) == sizeof before);
    }
}
