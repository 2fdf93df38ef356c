// The simulator's pages, which are copied when they are written, and its snapshots.
#include "test.h"

#include <string.h>

#include "memory/host.h"
#include "snapshot.h"

enum { PAGES = 2000 };

static unsigned allocations;

void *host_alloc(size_t bytes) {
    allocations++;
    return calloc(1, bytes);
}

void host_free(void *memory) {
    free(memory);
}

// ---- Pages ----

static void write_byte(struct paged *p, uint64_t page, uint8_t byte) {
    paged_write(p, page)[0] = byte;
}

static struct paged new_pages(void) {
    struct paged p;
    CHECK(paged_init(&p, PAGES * (uint64_t)PAGE_BYTES));
    return p;
}

TEST(pages_are_zero_until_they_are_written) {
    struct paged p = new_pages();
    CHECK_EQUAL(0, paged_read(&p, PAGES - 1)[PAGE_BYTES - 1]);
    CHECK(!paged_is_written(&p, PAGES - 1));
    write_byte(&p, PAGES - 1, 7);
    CHECK_EQUAL(7, paged_read(&p, PAGES - 1)[0]);
    CHECK(paged_is_written(&p, PAGES - 1) && !paged_is_written(&p, PAGES - 2));
    paged_destroy(&p);
}

TEST(copy_shares_pages_until_one_is_written) {
    struct paged p = new_pages(), copy;
    write_byte(&p, 1, 7);
    write_byte(&p, 2, 8);
    CHECK(paged_copy(&copy, &p));
    CHECK(paged_read(&p, 1) == paged_read(&copy, 1));
    write_byte(&copy, 1, 9);
    CHECK_EQUAL(7, paged_read(&p, 1)[0]);
    CHECK_EQUAL(9, paged_read(&copy, 1)[0]);
    CHECK(paged_read(&p, 2) == paged_read(&copy, 2));
    write_byte(&p, 2, 10);
    CHECK_EQUAL(8, paged_read(&copy, 2)[0]);
    paged_destroy(&p);
    CHECK_EQUAL(8, paged_read(&copy, 2)[0]);
    paged_destroy(&copy);
}

TEST(page_with_an_owner_more_is_not_changed) {
    struct paged p = new_pages();
    write_byte(&p, 1, 7);
    struct page *page = paged_get(&p, 1);
    write_byte(&p, 1, 8);
    CHECK_EQUAL(7, page->bytes[0]);
    CHECK_EQUAL(8, paged_read(&p, 1)[0]);
    page_put(page);
    const uint8_t *place = paged_read(&p, 1);
    write_byte(&p, 1, 9);
    CHECK(paged_read(&p, 1) == place);
    paged_destroy(&p);
}

TEST(copy_costs_what_is_written_after_it) {
    struct paged p = new_pages(), copy;
    for (unsigned i = 0; i < PAGES; i++)
        write_byte(&p, i, 1);
    allocations = 0;
    CHECK(paged_copy(&copy, &p));
    CHECK_EQUAL(1, allocations); // the list of groups
    write_byte(&p, 3, 2);
    write_byte(&p, 4, 2);
    CHECK_EQUAL(4, allocations); // a group and two pages
    paged_destroy(&p);
    paged_destroy(&copy);
}

TEST(ranges_cross_pages) {
    struct paged p = new_pages();
    uint8_t bytes[3 * PAGE_BYTES], back[3 * PAGE_BYTES];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = i / 7;
    uint64_t start = GROUP_PAGES * (uint64_t)PAGE_BYTES - 5000;
    CHECK(paged_fill(&p, start, bytes, sizeof bytes));
    paged_fetch(&p, start, back, sizeof back);
    CHECK_EQUAL(0, memcmp(bytes, back, sizeof bytes));
    paged_destroy(&p);
}

// ---- Snapshots ----

// A program for two harts: each counts in a register and in a word of its own, and changes its own
// instructions, so that old ones must not be executed after a snapshot was restored.
static const uint32_t counting[] = {
    0x00001597, // auipc a1, 1
    0xf1402573, // csrr a0, mhartid
    0x00351613, // slli a2, a0, 3
    0x00c585b3, // add a1, a1, a2
    0x00000697, // auipc a3, 0
    0x00050513, // again: addi a0, a0, 0
    0x0005b803, // ld a6, 0(a1)
    0x00a80833, // add a6, a6, a0
    0x0105b023, // sd a6, 0(a1)
    0x0046a703, // lw a4, 4(a3): the instruction `again`
    0x00100793, // li a5, 1
    0x01479793, // slli a5, a5, 20
    0x00f70733, // add a4, a4, a5: its immediate operand grows
    0x00e6a223, // sw a4, 4(a3)
    0x0000100f, // fence.i
    0xfd9ff06f, // j again
};

static struct machine *new_unkind_machine(uint32_t profile) {
    const struct machine_settings settings = {
        .harts = 2,
        .memory_bytes = 1 << 20,
        .seed = 5,
        .profile = profile,
    };
    struct machine *m = machine_create(&settings);
    CHECK(m != NULL);
    CHECK(machine_load(m, (struct machine_file){counting, sizeof counting}, NULL) == NULL);
    return m;
}

static struct machine *new_machine(void) {
    return new_unkind_machine(0);
}

// Comes back to a state some times, from another place each time.
static void check_restored(struct machine *m) {
    uint64_t time = machine_time(m), before = snapshot_hash(m);
    struct snapshot *kept = snapshot_take(m);
    CHECK_EQUAL(before, snapshot_hash(m));
    CHECK_EQUAL(STOP_TIME, machine_run(m, time + 5000));
    uint64_t after = snapshot_hash(m);
    CHECK(after != before);
    for (unsigned i = 0; i < 3; i++) {
        CHECK(snapshot_restore(m, kept));
        CHECK_EQUAL(before, snapshot_hash(m));
        machine_run(m, time + 3000 + i);
        machine_run(m, time + 5000);
        CHECK_EQUAL(after, snapshot_hash(m));
    }
    snapshot_free(kept);
}

TEST(restored_machine_does_the_same_again) {
    struct machine *m = new_machine();
    for (unsigned i = 0; i < 40; i++) {
        machine_run(m, machine_time(m) + 7);
        check_restored(m);
    }
    machine_destroy(m);
}

// Runs a machine that is not kind in slices of any size, with snapshots between them.
static void check_slices(uint32_t profile) {
    struct machine *plain = new_unkind_machine(profile), *cut = new_unkind_machine(profile);
    struct snapshot *snapshot = NULL;
    uint64_t slice = 1;
    while (machine_time(cut) < 40000) {
        slice = (slice * 7 + 3) % 901;
        uint64_t left = 40000 - machine_time(cut);
        machine_run(cut, machine_time(cut) + (slice < left ? slice : left));
        snapshot_free(snapshot);
        snapshot = snapshot_take(cut);
    }
    machine_run(plain, 40000);
    CHECK_EQUAL(snapshot_hash(plain), snapshot_hash(cut));
    snapshot_free(snapshot);
    machine_destroy(plain);
    machine_destroy(cut);
}

TEST(slices_and_snapshots_do_not_change_the_run) {
    enum { ALL = PROFILE_TLB | PROFILE_ICACHE | PROFILE_STORES | PROFILE_TIMING };
    for (uint32_t profile = 0; profile <= (ALL | PROFILE_SVADE); profile++)
        check_slices(profile);
}

TEST(snapshot_does_not_change_the_run) {
    struct machine *plain = new_machine(), *kept = new_machine();
    struct snapshot *snapshots[8];
    for (unsigned i = 0; i < ARRAY_SIZE(snapshots); i++) {
        machine_run(kept, 3000 * (i + 1));
        snapshots[i] = snapshot_take(kept);
    }
    machine_run(plain, 40000);
    machine_run(kept, 40000);
    CHECK_EQUAL(snapshot_hash(plain), snapshot_hash(kept));
    for (unsigned i = 0; i < ARRAY_SIZE(snapshots); i++)
        snapshot_free(snapshots[i]);
    machine_destroy(plain);
    machine_destroy(kept);
}
