// Pages of files that processes map: what they show, and how changes to them reach the disk.
#include "fs_machine.h"
#include "fs_work.h"

// ---- Mapping ----

TEST(mapped_pages_keep_their_contents) {
    start(2000, 50, 100);
    static char data[180 * 4096];
    fill(data, sizeof data, 1);
    write_file("a", data, sizeof data);
    struct frame *page[180];
    uint64_t free_before = frame_counts().frames_free;
    struct inode *ip = find_inode("a");
    CHECK_EQUAL(-EFAULT, inode_page(ip, sizeof data, &page[0]));
    for (size_t i = 0; i < 180; i++)
        CHECK_EQUAL(0, inode_page(ip, i * 4096, &page[i]));
    struct file *f = open_file("a", O_RDWR);
    CHECK_EQUAL(5, write_bytes(f, "fresh", 5));
    CHECK(memcmp(frame_ptr(page[0]), "fresh", 5) == 0);
    file_put(f);
    inode_put(ip);
    CHECK_EQUAL(0, path_unlink(root, "a"));
    static char other[1500 * 4096];
    fill(other, sizeof other, 2);
    write_file("b", other, sizeof other);
    check_file("b", sizeof other, 2);
    for (size_t i = 1; i < 180; i++)
        CHECK(memcmp(frame_ptr(page[i]), data + i * 4096, 4096) == 0);
    CHECK_EQUAL(180, free_before - frame_counts().frames_free);
    for (size_t i = 0; i < 180; i++)
        frame_put(page[i]);
    CHECK_EQUAL(free_before, frame_counts().frames_free);
    CHECK_EQUAL(0, frame_mapped_cache_count());
    check_disk();
}

TEST(processes_map_at_most_their_share_of_the_cache) {
    start(2000, 50, 100);
    static char data[400 * 4096];
    static struct frame *page[400];
    write_file("a", data, sizeof data);
    struct inode *ip = find_inode("a");
    size_t n = 0;
    while (n < 400 && inode_page(ip, n * 4096, &page[n]) == 0)
        n++;
    CHECK_EQUAL(cache_size() / 8 * 3, n);
    CHECK_EQUAL(-ENOMEM, inode_page(ip, 0, &page[n])); // even though it is mapped
    for (; n < 300; n++)
        CHECK_EQUAL(0, inode_page_shared(ip, n * 4096, &page[n])); // reserved pages
    write_file("b", data, sizeof data);
    for (size_t i = 0; i < n; i++)
        frame_put(page[i]);
    CHECK_EQUAL(0, inode_page(ip, n * 4096, &page[n]));
    frame_put(page[n]);
    inode_put(ip);
}

TEST(a_quarter_of_the_cache_can_be_reserved) {
    start(2000, 50, 100);
    int64_t quarter = (int64_t)cache_size() / 4;
    CHECK_EQUAL(-ENOMEM, cache_reserve(quarter + 1));
    CHECK_EQUAL(-ENOMEM, cache_reserve(1l << 40));
    CHECK_EQUAL(0, cache_reserve(quarter - 1));
    CHECK_EQUAL(-ENOMEM, cache_reserve(2));
    CHECK_EQUAL(0, cache_reserve(1));
    CHECK_EQUAL(-ENOMEM, cache_reserve(1));
    CHECK_EQUAL(0, cache_reserve(-quarter));
    CHECK_EQUAL(0, cache_reserve(quarter));
    CHECK_EQUAL(0, cache_reserve(-quarter));
}

// check_after_restart works on a disk of 1000 blocks, starts again from what the disk, with its
// log, then holds, and looks at a file. Each start is made in a process of its own.
static void keep_disk(uint8_t *image, void (*work)(void)) {
    start(1000, 50, 100);
    work();
    memcpy(image, disk_bytes, 1000 * BLOCK_SIZE);
}

static void check_kept(const uint8_t *image, const char *path, const void *wanted, size_t n) {
    char *seen = malloc(n + 1);
    disk_use(image, 1000);
    CHECK_EQUAL(0, mount_disk(MACHINE_RAM));
    struct file *f = open_file(path, O_RDONLY);
    CHECK_EQUAL(n, read_bytes(f, seen, n + 1));
    CHECK(memcmp(wanted, seen, n) == 0);
    file_put(f);
    check_disk();
}

static void check_after_restart(void (*work)(void), const char *path, const void *wanted,
                                size_t n) {
    uint8_t *image = shared_memory(1000 * BLOCK_SIZE);
    IN_PROCESS(keep_disk(image, work));
    IN_PROCESS(check_kept(image, path, wanted, n));
}

static char changed[3 * 4096 + 100];

static void change_pages(void) {
    struct frame *page;
    char bytes[sizeof changed];
    fill(bytes, sizeof bytes, 1);
    write_file("a", bytes, sizeof bytes);
    struct inode *ip = find_inode("a");
    CHECK_EQUAL(0, change_page(ip, 4096, 7));
    CHECK_EQUAL(0, change_page(ip, 3 * 4096, 8));
    CHECK_EQUAL(0, inode_page_shared(ip, 3 * 4096, &page)); // zero again after the end
    for (size_t i = 100; i < 4096; i++)
        CHECK_EQUAL(0, ((char *)frame_ptr(page))[i]);
    frame_put(page);
    inode_put(ip);
    CHECK_EQUAL(sizeof bytes, stat_of("a").size);
}

TEST(changed_pages_are_written_back) {
    fill(changed, sizeof changed, 1);
    fill(changed + 4096, 4096, 7);
    fill(changed + 3 * 4096, 100, 8);
    check_after_restart(change_pages, "a", changed, sizeof changed);
}

// Logs several pages that stay mapped in one record.
static void change_mapped_pages(void) {
    static char bytes[sizeof changed];
    write_file("a", bytes, sizeof bytes);
    struct inode *ip = find_inode("a");
    struct frame *page[4];
    for (size_t i = 0; i < 4; i++) {
        CHECK_EQUAL(0, inode_page_shared(ip, i * 4096, &page[i]));
        memcpy(frame_ptr(page[i]), changed + i * 4096, i < 3 ? 4096 : 100);
    }
    CHECK_EQUAL(0, log_begin());
    for (size_t i = 0; i < 4; i++)
        inode_write_page(ip, i * 4096, page[i]);
    CHECK_EQUAL(0, log_end());
}

TEST(each_mapped_page_is_logged) {
    fill(changed, sizeof changed, 5);
    check_after_restart(change_mapped_pages, "a", changed, sizeof changed);
}

// A program maps a page and stores to it, after the file's end, while a change of that block is
// being written: the record must count.
static struct inode *raced;
static uint64_t race_seed;

static void write_fresh(void *unused) {
    (void)unused;
    struct file *f = open_file("a", O_RDWR);
    CHECK_EQUAL(5, write_bytes(f, "fresh", 5));
    file_put(f);
}

static void store_meanwhile(void *unused) {
    (void)unused;
    struct frame *page;
    CHECK_EQUAL(0, inode_page_shared(raced, 0, &page));
    memcpy((char *)frame_ptr(page) + 100, "store", 5);
    frame_put(page);
}

static void write_and_store(void) {
    write_file("a", "stale contents", 14);
    raced = find_inode("a");
    host_random_seed(race_seed);
    host_yields = true;
    host_task_start(write_fresh, NULL);
    host_task_start(store_meanwhile, NULL);
    host_task_wait_all();
    host_yields = false;
}

TEST(page_is_mapped_while_its_block_is_written) {
    for (race_seed = 1; race_seed <= 50; race_seed++)
        check_after_restart(write_and_store, "a", "fresh contents", 14);
}

// A page that is no longer the file's, because the file was emptied meanwhile, changes nothing.
TEST(pages_cut_off_from_the_file_are_not_written_back) {
    start(1000, 50, 100);
    static char data[2 * 4096];
    fill(data, sizeof data, 1);
    write_file("a", data, sizeof data);
    struct frame *page[2];
    struct inode *ip = find_inode("a");
    for (size_t i = 0; i < 2; i++)
        CHECK_EQUAL(0, inode_page_shared(ip, i * 4096, &page[i]));
    CHECK_EQUAL(0, inode_truncate(ip));
    write_file("b", data, sizeof data); // may use the same blocks
    fill(data, 100, 2);
    write_file("a", data, 100);
    for (size_t i = 0; i < 2; i++) {
        memset(frame_ptr(page[i]), 0x55, 4096);
        CHECK_EQUAL(0, log_begin());
        inode_write_page(ip, i * 4096, page[i]);
        log_end();
        frame_put(page[i]);
    }
    inode_put(ip);
    check_file("a", 100, 2);
    check_file("b", sizeof data, 1);
    check_disk();
}

TEST(file_with_a_shared_mapping_is_not_emptied) {
    start(1000, 50, 100);
    write_file("a", "x", 1);
    struct inode *ip = find_inode("a");
    inode_count_mapping(ip, 1);
    inode_count_mapping(ip, 1);
    CHECK_EQUAL(-EBUSY, open_and_close("a", O_TRUNC | O_RDWR));
    inode_count_mapping(ip, -1);
    CHECK_EQUAL(-EBUSY, inode_truncate(ip));
    CHECK_EQUAL(1, stat_of("a").size);
    inode_count_mapping(ip, -1);
    CHECK_EQUAL(0, open_and_close("a", O_TRUNC | O_RDWR));
    CHECK_EQUAL(0, stat_of("a").size);
    inode_put(ip);
    check_disk();
}

// A program keeps storing into a page while it is being logged; the record must still be whole.
static struct frame *scribbled;
static bool scribbling;

static void scribble(void *unused) {
    (void)unused;
    for (uint32_t i = 0; scribbling; i++) {
        fill(frame_ptr(scribbled), 4096, i);
        host_maybe_yield();
    }
}

static void log_while_scribbling(void *unused) {
    (void)unused;
    struct inode *ip = find_inode("a");
    for (uint32_t i = 0; i < 40; i++) {
        char byte = (char)i;
        CHECK_EQUAL(0, log_begin());
        inode_write_page(ip, 0, scribbled);
        log_end();
        write_file("b", &byte, 1);
        if (i % 8 == 0)
            write_file("c", &byte, 1);
    }
    inode_put(ip);
    scribbling = false;
}

static void log_changing_pages(void) {
    static char data[4096];
    write_file("a", data, sizeof data);
    struct inode *ip = find_inode("a");
    CHECK_EQUAL(0, inode_page_shared(ip, 0, &scribbled));
    inode_put(ip);
    scribbling = host_yields = true;
    host_task_start(scribble, NULL);
    host_task_start(log_while_scribbling, NULL);
    host_task_wait_all();
    host_yields = false;
}

TEST(pages_may_change_while_they_are_logged) {
    check_after_restart(log_changing_pages, "b", "\x27", 1); // all records count
}

TEST(discarded_slots_wait_for_free_frames) {
    start(2000, 50, 100);
    static char data[180 * 4096];
    static struct frame *page[180];
    write_file("a", data, sizeof data);
    struct inode *ip = find_inode("a");
    for (size_t i = 0; i < 180; i++)
        CHECK_EQUAL(0, inode_page(ip, i * 4096, &page[i]));
    inode_put(ip);
    while (frame_alloc(FRAME_USER) != NULL)
        ;
    CHECK_EQUAL(0, path_unlink(root, "a"));
    static char other[1200 * 4096];
    fill(other, sizeof other, 2);
    write_file("b", other, sizeof other);
    check_file("b", sizeof other, 2);
    for (size_t i = 0; i < 180; i++)
        CHECK(memcmp(frame_ptr(page[i]), data + i * 4096, 4096) == 0);
    for (size_t i = 0; i < 180; i++)
        frame_put(page[i]);
    check_file("b", sizeof other, 2);
    check_disk();
}
