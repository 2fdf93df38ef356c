// Attacks on the log: whatever programs write into their files and whichever writes are lost,
// nothing counts in the log area but whole records of the log's own.
#include "sched/task.h"
#include "test_log.h"

enum {
    PAGES = 16, // of the file "a"
    VERSIONS = 60,
};

// ---- Versions of a file ----

// What the tests below do in one process, and check in others: they write the file "a" again and
// again, each version in one transaction, and note how many writes the disk had seen then.
static struct story {
    bool is_mapped;         // written through the file's mapped pages
    size_t pages[VERSIONS]; // by version: how many pages it writes, from the first on
    size_t count;           // of versions
    size_t writes[VERSIONS];
    _Alignas(8) uint8_t contents[VERSIONS][PAGES][BLOCK_SIZE];
} * story;

static void story_init(size_t count) {
    story = shared_memory(sizeof *story);
    story->count = count;
    for (size_t v = 0; v < count; v++)
        story->pages[v] = PAGES;
    disk_journal_init(BLOCKS);
}

static void write_version(size_t v) {
    struct file *f = open_file("a", O_CREATE | O_RDWR);
    size_t size = story->pages[v] * BLOCK_SIZE;
    CHECK_EQUAL(size, write_bytes(f, story->contents[v], size));
    file_put(f);
}

// Writes a version as a process does that maps the file: the pages stay mapped.
static void store_version(size_t v) {
    static struct frame *page[PAGES];
    struct inode *ip = find_inode("a");
    for (size_t i = 0; i < story->pages[v]; i++) {
        if (page[i] == NULL)
            CHECK_EQUAL(0, inode_page_shared(ip, i * BLOCK_SIZE, &page[i]));
        memcpy(frame_ptr(page[i]), story->contents[v][i], BLOCK_SIZE);
    }
    CHECK_EQUAL(0, log_begin());
    for (size_t i = 0; i < story->pages[v]; i++)
        inode_write_page(ip, i * BLOCK_SIZE, page[i]);
    CHECK_EQUAL(0, log_end());
    inode_put(ip);
}

static void tell_story(void) {
    disk_format(BLOCKS, 60, LOG);
    CHECK_EQUAL(0, mount_disk(RAM));
    write_version(0); // all pages
    disk_journal_start();
    for (size_t v = 1; v < story->count; v++) {
        if (story->is_mapped)
            store_version(v);
        else
            write_version(v);
        story->writes[v] = disk_journal_count();
    }
    disk_journal_stop();
    check_disk();
}

// Tells whether the file is as it was after version v.
static bool is_version(uint8_t (*seen)[BLOCK_SIZE], size_t v) {
    for (size_t i = 0; i < PAGES; i++) {
        size_t last = v;
        while (story->pages[last] <= i)
            last--;
        if (memcmp(seen[i], story->contents[last][i], BLOCK_SIZE) != 0)
            return false;
    }
    return true;
}

// Starts from the image. The file must be as it was after one of the versions `first` to `last`.
static void check_version(const uint8_t *image, size_t cut, size_t first, size_t last) {
    static uint8_t seen[PAGES][BLOCK_SIZE];
    disk_use(image, BLOCKS);
    int error = mount_disk(RAM);
    if (error)
        test_fail(__FILE__, __LINE__, "expected to start after write %zu, saw error %d", cut,
                  error);
    check_disk();
    struct file *f = open_file("a", O_CREATE | O_RDWR);
    struct spans s = spans_of(seen, sizeof seen);
    CHECK_EQUAL(sizeof seen, file_read(f, &s));
    file_put(f);
    while (first <= last && !is_version(seen, first))
        first++;
    if (first > last)
        test_fail(__FILE__, __LINE__, "expected version %zu of the file, saw another (cut %zu)",
                  last, cut);
    f = open_file("b", O_CREATE | O_RDWR);
    s = spans_of(seen, 5000);
    CHECK_EQUAL(5000, file_write(f, &s));
    file_put(f);
    check_disk();
}

static void check_cut(const uint8_t *image, size_t cut) {
    size_t v = 0;
    while (v + 1 < story->count && story->writes[v + 1] < cut)
        v++;
    check_version(image, cut, v, v + 1 < story->count ? v + 1 : v);
}

static bool is_in_log(const struct disk_write *w) {
    return w->block >= 1 && w->block < 1 + LOG;
}

// Returns the header that the write has, or NULL. Programs may write headers, too, but these tests
// look for them only where the contents of files are harmless.
static const struct log_header *header_of(const struct disk_write *w) {
    static struct log_header h;
    memcpy(&h, w->data, sizeof h);
    bool is_header = is_in_log(w) && h.sector[0].count <= LOG_SEGMENT_MAX &&
                     h.sector[0].checksum == log_checksum(&h);
    return is_header ? &h : NULL;
}

// ---- Contents that look like records ----

enum { WRITES = 4000 };

// Where nothing of the log's own is, not even a number.
struct page_name {
    uint64_t number, mark, version, page;
};

static const uint64_t MARK = 0x1122334455667788u;

// What the attacker learns from a first run with harmless contents. In the second run all writes go
// to the same blocks. By version and page: the number that a header must have to count where the
// page is in the log.
static uint64_t numbers[VERSIONS][PAGES];
static bool was_header[WRITES];
static size_t places; // of the area where a page could count

static void name_pages(void) {
    for (size_t v = 0; v < story->count; v++)
        for (size_t i = 0; i < PAGES; i++) {
            struct page_name name = {0, MARK, v, i};
            memcpy(story->contents[v][i], &name, sizeof name);
        }
}

static void learn_numbers(void) {
    struct page_name area[LOG] = {0};
    bool is_place[LOG + 1] = {0};
    CHECK(disk_journal_count() < WRITES);
    for (size_t w = 0; w < disk_journal_count(); w++) {
        const struct disk_write *write = disk_journal_write(w);
        const struct log_header *h = header_of(write);
        was_header[w] = h != NULL;
        if (!is_in_log(write))
            continue;
        uint32_t position = write->block - 1;
        memcpy(&area[position], write->data, sizeof area[position]);
        uint32_t end = h == NULL ? LOG : position + 1 + h->sector[0].count;
        if (end >= LOG || area[end].mark != MARK)
            continue;
        numbers[area[end].version][area[end].page] = h->sector[0].number + 1;
        places += !is_place[end];
        is_place[end] = true;
    }
}

// Makes each page the header, with the right checksum, of a record that consists of the next page.
// The last page, which is followed by what the attacker cannot choose, becomes that of an empty
// record.
static void forge_pages(uint64_t more) {
    for (size_t v = 0; v < story->count; v++)
        for (size_t i = story->pages[v]; i-- > 0;) {
            const uint32_t homes[] = {1 + LOG, 2 + LOG, 3 + LOG}; // inodes, bitmap, root directory
            struct log_header *h = (struct log_header *)story->contents[v][i];
            log_header_begin(h, numbers[v][i] + more);
            if (i + 1 < story->pages[v])
                log_header_add(h, homes[(v + i) % ARRAY_SIZE(homes)], h + 1);
            seal(h);
        }
}

// Checks that all sectors of a record begin with its number.
static void check_log_writes(void) {
    uint64_t number = 0;
    for (size_t w = 0; w < disk_journal_count(); w++) {
        const struct disk_write *write = disk_journal_write(w);
        if (was_header[w])
            memcpy(&number, write->data, sizeof number);
        CHECK(!is_in_log(write) || log_has_number(write->data, number));
    }
}

static void attack(bool is_mapped, uint64_t more, size_t step) {
    uint8_t *image = malloc(BLOCKS * BLOCK_SIZE);
    story_init(VERSIONS);
    story->is_mapped = is_mapped;
    for (size_t v = 1; v < VERSIONS; v++)
        story->pages[v] = 1 + host_random(PAGES);
    name_pages();
    IN_PROCESS(tell_story());
    learn_numbers();
    CHECK(places > 20);
    forge_pages(more);
    IN_PROCESS(tell_story());
    for (size_t cut = step; cut <= disk_journal_count(); cut += step) {
        disk_image_after(cut, image, BLOCKS);
        IN_PROCESS(check_cut(image, cut));
    }
    check_log_writes();
}

TEST(contents_never_count_as_records) {
    attack(false, 0, 1);
}

TEST(mapped_contents_never_count_as_records) {
    attack(true, 0, 3);
}

TEST(contents_with_later_numbers_never_count_as_records) {
    for (uint64_t more = 1; more <= 2; more++)
        IN_PROCESS(attack(false, more, 7));
}

// A program changes its mapped pages to headers, and back, while they are logged.
static struct frame *scribbled[3];
static bool scribbling;

static void scribble(void *unused) {
    (void)unused;
    for (uint32_t i = 0; scribbling; i++) {
        struct log_header *h = (struct log_header *)frame_ptr(scribbled[i % 3]);
        if (host_random(2) == 0)
            log_header_begin(h, MARK);
        else
            number_block(h, 0);
        host_maybe_yield();
    }
}

static void log_while_scribbling(void *unused) {
    (void)unused;
    struct inode *ip = find_inode("a");
    for (uint32_t i = 0; i < 60; i++) {
        CHECK_EQUAL(0, log_begin());
        for (uint32_t j = 0; j < 3; j++)
            inode_write_page(ip, j * BLOCK_SIZE, scribbled[j]);
        CHECK_EQUAL(0, log_end());
    }
    inode_put(ip);
    scribbling = false;
}

static void log_changing_headers(void) {
    disk_format(BLOCKS, 60, LOG);
    CHECK_EQUAL(0, mount_disk(RAM));
    write_version(0);
    struct inode *ip = find_inode("a");
    for (uint32_t j = 0; j < 3; j++)
        CHECK_EQUAL(0, inode_page_shared(ip, j * BLOCK_SIZE, &scribbled[j]));
    inode_put(ip);
    disk_journal_start();
    scribbling = host_yields = true;
    host_task_start(scribble, NULL);
    host_task_start(log_while_scribbling, NULL);
    host_task_wait_all();
    host_yields = false;
    disk_journal_stop();
    check_disk();
}

TEST(pages_that_become_headers_while_they_are_logged_never_count) {
    story_init(1);
    IN_PROCESS(log_changing_headers());
    for (size_t w = 0; w < disk_journal_count(); w++) {
        const struct log_sector *sector = (const struct log_sector *)disk_journal_write(w)->data;
        for (unsigned i = 0; is_in_log(disk_journal_write(w)) && i < LOG_SECTORS; i++)
            CHECK(sector[i].number != MARK);
    }
}

// ---- Lost blocks of a record ----

// Finds the header of version v, which writes all pages, in the journal.
static size_t record_find(size_t v) {
    size_t w = story->writes[v] - 1;
    while (header_of(disk_journal_write(w)) == NULL ||
           header_of(disk_journal_write(w))->sector[0].count < PAGES)
        w--;
    return w;
}

static void try_without(size_t v, size_t end, const uint8_t *lost, uint8_t *image) {
    disk_image_without(end, lost, image, BLOCKS);
    IN_PROCESS(check_version(image, end, v - 1, v - 1));
}

// Tries images on which the record is written but for one sector, for one block, or for some of
// each, so that the old contents are still there.
static void lose_blocks(size_t v) {
    enum { RANDOM_LOSSES = 40 };
    static uint8_t lost[WRITES];
    uint8_t *image = malloc(BLOCKS * BLOCK_SIZE);
    size_t header = record_find(v), end = header + 1 + PAGES;
    CHECK_EQUAL(PAGES, header_of(disk_journal_write(header))->sector[0].count);
    for (size_t w = header; w < end; w++) {
        for (unsigned sector = 0; sector < LOG_SECTORS; sector++) {
            lost[w] = (uint8_t)(1 << sector);
            try_without(v, end, lost, image);
        }
        lost[w] = 0xff;
        try_without(v, end, lost, image);
        lost[w] = 0;
    }
    for (size_t i = 0; i < RANDOM_LOSSES; i++) {
        for (size_t w = header; w < end; w++)
            lost[w] = host_random(2) == 0 ? 0 : (uint8_t)host_random(256);
        lost[header + host_random(1 + PAGES)] |= 1;
        try_without(v, end, lost, image);
    }
}

// The log has room for two records of all pages, so each page is written where its version before
// the last one was.
TEST(records_with_lost_blocks_never_count) {
    story_init(7);
    name_pages();
    IN_PROCESS(tell_story());
    for (size_t v = 5; v <= 6; v++)
        IN_PROCESS(lose_blocks(v));
}
