// The disk driver against a model of a virtio block device that serves requests late and in any
// order, refuses some, or breaks the protocol.
#include "test.h"

#include <string.h>

#include "dev/disk.c" // to start anew in each test

enum { BLOCKS = 200, SLOT = 0x10001000, RAM = 64 << 20, USED_AT_ONCE = 3 };

static struct {
    uint32_t registers[0x110 / 4];
    uint32_t offered[2], accepted[2];
    uint32_t failing_block; // requests that begin there fail
    uint32_t flushes;
    uint16_t seen;
    unsigned waiting_count, most_waiting;
    uint16_t waiting[SLOTS];
    char contents[BLOCKS][BLOCK_SIZE];
} model;

static void (*interrupt)(void);
static size_t ram_used;

void plic_handle(unsigned irq, void (*handler)(void)) {
    CHECK_EQUAL(1, irq);
    interrupt = handler;
}

void *frame_set_aside(size_t bytes) {
    void *p = host_ram + ram_used;
    ram_used += round_up(bytes, PAGE_SIZE);
    CHECK(ram_used <= RAM);
    return p;
}

uint32_t mmio_read32(paddr_t address) {
    CHECK(address >= SLOT && address < SLOT + sizeof model.registers);
    uint32_t offset = (uint32_t)(address - SLOT);
    if (offset == DEVICE_FEATURES)
        return model.offered[model.registers[DEVICE_FEATURES_SELECT / 4]];
    return model.registers[offset / 4];
}

static void *queue_part(unsigned offset) {
    return phys_to_ptr(model.registers[offset / 4] | (paddr_t)model.registers[offset / 4 + 1]
                                                         << 32);
}

static void take_requests(void) {
    uint16_t *available = queue_part(QUEUE_AVAILABLE); // flags, index, ring
    CHECK(model.registers[STATUS / 4] & DRIVER_OK);
    for (; model.seen != available[1]; model.seen++)
        model.waiting[model.waiting_count++] =
            available[2 + model.seen % model.registers[QUEUE_SIZE / 4]];
    if (model.waiting_count > model.most_waiting)
        model.most_waiting = model.waiting_count;
}

void mmio_write32(paddr_t address, uint32_t value) {
    CHECK(address >= SLOT && address < SLOT + sizeof model.registers);
    uint32_t offset = (uint32_t)(address - SLOT);
    model.registers[offset / 4] = value;
    if (offset == DRIVER_FEATURES) {
        uint32_t half = model.registers[DRIVER_FEATURES_SELECT / 4];
        CHECK_EQUAL(0, value & ~model.offered[half]);
        model.accepted[half] = value;
    } else if (offset == QUEUE_NOTIFY) {
        take_requests();
    } else if (offset == INTERRUPT_ACKNOWLEDGE) {
        model.registers[INTERRUPT_STATUS / 4] &= ~value;
    } else if (offset == STATUS && value == 0) {
        model.waiting_count = 0;
    }
}

static void used_add(uint32_t id, uint16_t step) {
    char *used = queue_part(QUEUE_USED);
    uint16_t index;
    memcpy(&index, used + 2, 2);
    memcpy(used + 4 + 8 * (index % model.registers[QUEUE_SIZE / 4]), &id, 4);
    index += step;
    memcpy(used + 2, &index, 2);
}

// Moves the pages of a request and returns the status.
static uint8_t serve_request(uint16_t id) {
    struct descriptor *whole = (struct descriptor *)queue_part(QUEUE_DESCRIPTORS) + id;
    struct descriptor *all = phys_to_ptr(whole->address), *d = all;
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } h;
    CHECK(whole->flags == DESCRIPTOR_OF_LIST && whole->size % sizeof *all == 0);
    memcpy(&h, phys_to_ptr(d->address), sizeof h);
    CHECK(d->size == sizeof h && d->flags == DESCRIPTOR_NEXT);
    uint8_t status = h.sector == (uint64_t)model.failing_block * 8 ? 1 : 0;
    char *contents = model.contents[0] + h.sector * DISK_SECTOR;
    model.flushes += h.type == DISK_FLUSH;
    for (d = &all[d->next]; d->flags & DESCRIPTOR_NEXT; contents += d->size, d = &all[d->next]) {
        CHECK(contents + d->size <= model.contents[BLOCKS]);
        CHECK_EQUAL(h.type == DISK_READ, (d->flags & DEVICE_WRITES) != 0);
        if (status == 0 && h.type == DISK_READ)
            memcpy(phys_to_ptr(d->address), contents, d->size);
        else if (status == 0 && h.type == DISK_WRITE)
            memcpy(contents, phys_to_ptr(d->address), d->size);
    }
    CHECK((contents - model.contents[0]) % BLOCK_SIZE == 0);
    CHECK(d->size == 1 && d->flags == DEVICE_WRITES && d + 1 == all + whole->size / sizeof *all);
    memcpy(phys_to_ptr(d->address), &status, 1);
    return status;
}

static void device_interrupt(void) {
    model.registers[INTERRUPT_STATUS / 4] |= 1;
    interrupt();
    CHECK_EQUAL(0, model.registers[INTERRUPT_STATUS / 4]);
}

// Serves some requests, in any order.
static bool device_serve(void) {
    if (model.waiting_count == 0)
        return false;
    for (int i = 0; i < USED_AT_ONCE && model.waiting_count > 0; i++) {
        unsigned chosen = host_random(model.waiting_count);
        uint16_t id = model.waiting[chosen];
        model.waiting[chosen] = model.waiting[--model.waiting_count];
        serve_request(id);
        used_add(id, 1);
    }
    device_interrupt();
    return true;
}

// A machine with one slot; the test may change the model before disk_init.
static const struct machine machine = {.virtio_count = 1, .virtio = {{SLOT, 1}}};

static void model_init(void) {
    memset(&model, 0, sizeof model);
    queue = NULL;
    numbered = NULL;
    blocks = used_seen = 0;
    memset(requests, 0, sizeof requests);
    waitq_init(&room);
    lock = (struct spinlock)SPINLOCK(RANK_DISK);
    host_ram_init(RAM);
    ram_used = 0;
    host_idle = device_serve;
    model.registers[MAGIC / 4] = MAGIC_VALUE;
    model.registers[DEVICE / 4] = 2;
    model.registers[QUEUE_SIZE_MAX / 4] = 1024;
    model.registers[CAPACITY / 4] = BLOCKS * 8 + 7;
    model.offered[0] = 0xffffffff;
    model.offered[1] = 1;
    model.failing_block = UINT32_MAX;
}

static struct disk_request *request_make(enum disk_operation operation, uint32_t block,
                                         unsigned count) {
    struct disk_request *r = frame_set_aside(sizeof *r);
    r->operation = operation;
    r->block = block;
    r->count = count;
    r->number = 0;
    r->flushes = false;
    for (unsigned i = 0; i < count; i++) {
        r->pages[i] = frame_set_aside(PAGE_SIZE);
        memset(r->pages[i], (int)(block + i), PAGE_SIZE);
    }
    return r;
}

static int transfer(enum disk_operation operation, uint32_t block, unsigned count) {
    struct disk_request *r = request_make(operation, block, count);
    disk_submit(r);
    return disk_wait(r);
}

TEST(disk_writes_and_reads) {
    model_init();
    disk_init(&machine);
    CHECK_EQUAL(BLOCKS, disk_blocks());
    CHECK_EQUAL(CAN_FLUSH | CAN_LIST, model.accepted[0]);
    CHECK_EQUAL(1, model.accepted[1]);
    CHECK_EQUAL(0, transfer(DISK_WRITE, 10, 64));
    CHECK(model.contents[10][0] == 10 && model.contents[73][4095] == 73 &&
          model.contents[74][0] == 0);
    memset(model.contents[73], 'x', BLOCK_SIZE);
    struct disk_request *r = request_make(DISK_READ, 73, 2);
    disk_submit(r);
    CHECK_EQUAL(0, disk_wait(r));
    CHECK(*(char *)r->pages[0] == 'x' && *(char *)r->pages[1] == 0);
    CHECK_EQUAL(0, transfer(DISK_FLUSH, 0, 0));
    CHECK_EQUAL(1, model.flushes);
}

// Writes that many pages with a number, and checks what is on the disk then.
static void write_numbered(uint64_t number, uint32_t block, unsigned count) {
    struct disk_request *r = request_make(DISK_WRITE, block, count);
    r->number = number;
    disk_submit(r);
    CHECK_EQUAL(0, disk_wait(r));
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t at = 0; at < BLOCK_SIZE; at++) {
            unsigned char *seen = (unsigned char *)&model.contents[block + i][at];
            if (at % DISK_SECTOR == 0)
                CHECK(memcmp(seen, &number, sizeof number) == 0);
            else if (at % DISK_SECTOR >= sizeof number)
                CHECK_EQUAL(block + i, *seen);
        }
    CHECK_EQUAL(0, model.contents[block + count][0]);
    CHECK_EQUAL(block, *(unsigned char *)r->pages[0]);
}

TEST(disk_writes_the_number_into_each_sector) {
    model_init();
    disk_init(&machine);
    write_numbered(0x1122334455667788, 10, DISK_PAGES_MAX);
    write_numbered(0x1122334455667789, 80, 1);
    write_numbered(1, 90, 5);
    write_numbered(2, 100, DISK_PAGES_MAX - 1);
}

static struct disk_request *submit_numbered(uint32_t block) {
    struct disk_request *r = request_make(DISK_WRITE, block, 1);
    r->number = 7;
    r->flushes = true;
    disk_submit(r);
    return r;
}

TEST(two_requests_with_a_number_panic) {
    model_init();
    disk_init(&machine);
    for (uint32_t block = 10; block < 12; block++)
        CHECK_EQUAL(0, disk_wait(submit_numbered(block)));
    submit_numbered(12);
    CHECK_PANICS(submit_numbered(13));
}

static int write_and_flush(uint32_t block) {
    struct disk_request *r = request_make(DISK_WRITE, block, 2);
    r->flushes = true;
    disk_submit(r);
    return disk_wait(r);
}

TEST(disk_flushes_after_a_write_that_asks_for_it) {
    model_init();
    disk_init(&machine);
    CHECK_EQUAL(0, transfer(DISK_WRITE, 10, 2));
    CHECK_EQUAL(0, model.flushes);
    CHECK_EQUAL(0, write_and_flush(10));
    CHECK_EQUAL(1, model.flushes);
    CHECK_EQUAL(11, model.contents[11][0]);
    model.failing_block = 12;
    CHECK_EQUAL(-EIO, write_and_flush(12));
    CHECK_EQUAL(1, model.flushes);
    model.failing_block = 0; // that of a flush
    CHECK_EQUAL(-EIO, write_and_flush(12));
}

TEST(disk_reports_errors) {
    model_init();
    model.failing_block = 5;
    disk_init(&machine);
    CHECK_EQUAL(-EIO, transfer(DISK_READ, 5, 2));
    CHECK_EQUAL(0, transfer(DISK_READ, 6, 2));
    CHECK_EQUAL(0, transfer(DISK_READ, BLOCKS - 2, 2));
    CHECK_EQUAL(-EIO, transfer(DISK_READ, BLOCKS - 1, 2));
    CHECK_EQUAL(-EIO, transfer(DISK_WRITE, UINT32_MAX, 64));
}

static void write_blocks(void *first) {
    struct disk_request *four[4];
    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 4; i++) {
            four[i] = request_make(DISK_WRITE, (uint32_t)(uintptr_t)first, 1 + host_random(30));
            disk_submit(four[i]);
        }
        for (unsigned i = 0; i < 4; i++)
            CHECK_EQUAL(0, disk_wait(four[i]));
    }
}

// The device serves requests in any order.
TEST(disk_serves_more_requests_than_slots) {
    model_init();
    model.registers[QUEUE_SIZE_MAX / 4] = SLOTS;
    disk_init(&machine);
    for (uintptr_t i = 0; i < 12; i++)
        host_task_start(write_blocks, (void *)(i * 10));
    host_task_wait_all();
    CHECK_EQUAL(SLOTS, model.most_waiting);
    for (unsigned i = 0; i < SLOTS; i++)
        CHECK(requests[i] == NULL);
    for (unsigned i = 0; i < 12; i++)
        CHECK_EQUAL((int)i * 10, model.contents[i * 10][100]);
}

// Answers that make no sense are ignored.
TEST(disk_ignores_wrong_answers) {
    static const uint32_t wrong[] = {SLOTS, SLOTS + 7, SLOTS - 1, UINT32_MAX};
    model_init();
    disk_init(&machine);
    struct disk_request *r = request_make(DISK_READ, 1, 3);
    disk_submit(r);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        used_add(wrong[i], 1);
        device_interrupt();
        CHECK(!r->done);
    }
    CHECK_EQUAL(0, disk_wait(r));
    used_add(0, 1000);
    device_interrupt();
    CHECK_EQUAL(0, transfer(DISK_READ, 1, 1));
}

TEST(disk_takes_the_last_slot_first) {
    static const struct machine two = {.virtio_count = 2, .virtio = {{0x10002000, 2}, {SLOT, 1}}};
    model_init();
    disk_init(&two);
    CHECK_EQUAL(0, transfer(DISK_READ, 1, 1));
}

TEST(disk_ignores_spurious_interrupts) {
    model_init();
    disk_init(&machine);
    device_interrupt();
    CHECK_EQUAL(0, transfer(DISK_READ, 1, 1));
}

static void check_no_disk(const char *message) {
    host_printed_clear();
    disk_init(&machine);
    CHECK(strstr(host_printed, message) != NULL);
    CHECK_EQUAL(0, disk_blocks());
    CHECK_EQUAL(-EIO, transfer(DISK_READ, 0, 1));
    CHECK_EQUAL(-EIO, transfer(DISK_FLUSH, 0, 0));
}

TEST(disk_reports_devices_it_cannot_use) {
    model_init();
    model.registers[DEVICE / 4] = 0;
    check_no_disk("");
    model_init();
    model.offered[1] = 0; // a legacy device
    check_no_disk("-global virtio-mmio.force-legacy=false");
    model_init();
    model.offered[0] = CAN_FLUSH;
    check_no_disk("0x10001000");
    model_init();
    model.offered[0] = CAN_LIST;
    check_no_disk("0x10001000");
    model_init();
    model.registers[QUEUE_SIZE_MAX / 4] = SLOTS / 2;
    check_no_disk("0x10001000");
    model_init();
    model.registers[QUEUE_SIZE_MAX / 4] = 0;
    check_no_disk("0x10001000");
}
