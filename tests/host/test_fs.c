// The file system on a disk in memory: what calls do at the edges, what a power cut, a failing disk
// and a damaged image leave, and several tasks at once.
#include "abi/limits.h"
#include "fs/check.h"
#include "fs_machine.h"
#include "sched/schedule.h"

static void fill(char *p, size_t n, uint32_t seed) {
    for (size_t i = 0; i < n; i++)
        p[i] = (char)((i * 7 + i / 4096 + seed * 31) ^ (i >> 8));
}

static void check_file(const char *path, size_t n, uint32_t seed) {
    char *wanted = malloc(n + 1), *seen = malloc(n + 1);
    struct file *f = open_file(path, O_RDONLY);
    fill(wanted, n, seed);
    CHECK_EQUAL(n, read_bytes(f, seen, n + 1));
    CHECK_EQUAL(0, memcmp(wanted, seen, n));
    file_put(f);
    free(wanted);
    free(seen);
}

static struct stat stat_of(const char *path) {
    struct file *f = open_file(path, O_RDONLY);
    struct stat s;
    CHECK_EQUAL(0, file_stat(f, &s));
    file_put(f);
    return s;
}

static struct memstat frames(void) {
    struct memstat m;
    frame_stat(&m);
    return m;
}

TEST(writes_are_read_back) {
    start(2000, 100, 100);
    static char data[300000];
    fill(data, sizeof data, 1);
    write_file("a", data, sizeof data);
    check_file("a", sizeof data, 1);
    struct file *f = open_file("/a", O_RDWR);
    char small[10];
    CHECK_EQUAL(10, read_bytes(f, small, 10));
    CHECK_EQUAL(3, write_bytes(f, "xyz", 3));
    file_put(f);
    f = open_file("a", O_RDONLY);
    char head[14];
    CHECK_EQUAL(14, read_bytes(f, head, 14));
    CHECK(memcmp(head, data, 10) == 0 && memcmp(head + 10, "xyz", 3) == 0 && head[13] == data[13]);
    file_put(f);
    check_disk();
}

TEST(names_and_paths_at_the_edges) {
    start(1000, 50, 100);
    CHECK_EQUAL(-ENOENT, open_and_close("", O_RDONLY));
    CHECK_EQUAL(-ENOENT, open_and_close("", O_CREATE));
    CHECK_EQUAL(-ENOENT, open_and_close("nothing", O_RDONLY));
    CHECK_EQUAL(0, make("d", T_DIR));
    CHECK_EQUAL(-EEXIST, make("d", T_DIR));
    CHECK_EQUAL(-EEXIST, make("/", T_DIR));
    CHECK_EQUAL(-EEXIST, make(".", T_DIR));
    CHECK_EQUAL(-EEXIST, make("d/..", T_DIR));
    CHECK_EQUAL(-EISDIR, open_and_close("d", O_CREATE));
    CHECK_EQUAL(-EISDIR, open_and_close("/", O_CREATE | O_RDWR));
    CHECK_EQUAL(-EISDIR, open_and_close("d", O_RDWR));
    CHECK_EQUAL(0, open_and_close("d", O_RDONLY));
    CHECK_EQUAL(0, make("d/e", T_DIR));
    CHECK_EQUAL(0, make("///d//e///f/", T_DIR));
    CHECK_EQUAL(stat_of("d/e/f").ino, stat_of("//d/./e/../e//f///").ino);
    CHECK_EQUAL(ROOT_INODE, stat_of("/..").ino);
    CHECK_EQUAL(ROOT_INODE, stat_of("d/../../../..").ino);
    CHECK_EQUAL(0, make("12345678901234", T_FILE));
    CHECK_EQUAL(stat_of("12345678901234").ino, stat_of("12345678901234567").ino);
    CHECK_EQUAL(-EEXIST, make("123456789012345", T_DIR));
    CHECK_EQUAL(0, make("file", T_FILE));
    CHECK_EQUAL(0, make("file", T_FILE));
    CHECK_EQUAL(-ENOTDIR, open_and_close("file/x", O_RDONLY));
    CHECK_EQUAL(-ENOTDIR, open_and_close("file/x", O_CREATE));
    CHECK_EQUAL(-ENOTDIR, open_and_close("file/.", O_RDONLY));
    CHECK_EQUAL(-ENOENT, open_and_close("no/x", O_CREATE));
    CHECK_EQUAL(-EPERM, path_unlink(root, "."));
    CHECK_EQUAL(-EPERM, path_unlink(root, "d/.."));
    CHECK_EQUAL(-EPERM, path_unlink(root, "/"));
    CHECK_EQUAL(-ENOTEMPTY, path_unlink(root, "d"));
    CHECK_EQUAL(-EPERM, path_link(root, "d", "dd"));
    CHECK_EQUAL(-EEXIST, path_link(root, "file", "file"));
    CHECK_EQUAL(-EEXIST, path_link(root, "file", "d"));
    CHECK_EQUAL(-EEXIST, path_link(root, "file", "."));
    CHECK_EQUAL(-ENOENT, path_link(root, "none", "x"));
    CHECK_EQUAL(-ENOENT, path_link(root, "file", ""));
    CHECK_EQUAL(-ENOENT, path_link(root, "file", "no/x"));
    CHECK_EQUAL(0, path_link(root, "file", "d/link"));
    CHECK_EQUAL(2, stat_of("file").nlink);
    CHECK_EQUAL(0, path_unlink(root, "file"));
    CHECK_EQUAL(1, stat_of("d/link").nlink);
    CHECK_EQUAL(0, path_unlink(root, "d/link"));
    CHECK_EQUAL(-ENOENT, path_unlink(root, "d/link"));
    CHECK_EQUAL(3, stat_of("/").nlink - 1 + 1 + (stat_of("d").nlink == 2));
    CHECK_EQUAL(0, path_unlink(root, "d/e/f"));
    CHECK_EQUAL(0, path_unlink(root, "d/e"));
    CHECK_EQUAL(0, path_unlink(root, "d"));
    CHECK_EQUAL(1, stat_of("/").nlink);
    struct inode *ip;
    CHECK_EQUAL(0, path_create(root, "f", T_FILE, 0, 0, &ip));
    CHECK_EQUAL(-ENOTDIR, file_open(ip, "x", O_RDONLY, &(struct file *){0}));
    inode_put(ip);
    check_disk();
}

TEST(a_removed_directory_lives_on_but_takes_no_entries) {
    start(1000, 50, 100);
    CHECK_EQUAL(0, make("d", T_DIR));
    struct inode *d, *ip;
    CHECK_EQUAL(0, path_lookup(root, "d", &d));
    CHECK_EQUAL(0, path_unlink(root, "d"));
    CHECK_EQUAL(-ENOENT, path_create(d, "x", T_FILE, 0, 0, &ip));
    CHECK_EQUAL(-ENOENT, path_lookup(d, "..", &ip));
    CHECK_EQUAL(-ENOENT, path_unlink(d, "x"));
    CHECK_EQUAL(0, make("f", T_FILE));
    CHECK_EQUAL(-ENOENT, path_link(d, "/f", "x"));
    CHECK_EQUAL(0, path_lookup(d, ".", &ip));
    inode_put(ip);
    inode_put(d);
    check_disk();
}

TEST(an_unlinked_open_file_keeps_its_contents) {
    start(1000, 50, 100);
    static char data[100000], seen[100000];
    fill(data, sizeof data, 3);
    struct file *f = open_file("a", O_CREATE | O_RDWR), *g = open_file("a", O_RDONLY);
    CHECK_EQUAL(0, path_unlink(root, "a"));
    CHECK_EQUAL(-ENOENT, open_and_close("a", O_RDONLY));
    CHECK_EQUAL(sizeof data, write_bytes(f, data, sizeof data));
    CHECK_EQUAL(sizeof data, read_bytes(g, seen, sizeof seen));
    CHECK(memcmp(data, seen, sizeof data) == 0);
    file_put(f);
    file_put(g);
    check_disk();
}

TEST(truncation_empties_files_only) {
    start(1000, 50, 100);
    write_file("a", "hello", 5);
    struct file *f = open_file("a", O_RDWR);
    char c[8];
    CHECK_EQUAL(4, read_bytes(f, c, 4));
    CHECK_EQUAL(0, open_and_close("a", O_TRUNC));
    CHECK_EQUAL(0, stat_of("a").size);
    CHECK_EQUAL(-EINVAL, write_bytes(f, "x", 1));
    CHECK_EQUAL(0, read_bytes(f, c, 4));
    file_put(f);
    CHECK_EQUAL(-EISDIR, open_and_close("/", O_TRUNC));
    CHECK_EQUAL(0, make("dev", T_DEVICE));
    CHECK_EQUAL(0, open_and_close("dev", O_RDWR | O_TRUNC));
    check_disk();
}

TEST(devices_are_found_by_number) {
    start(1000, 50, 100);
    struct inode *ip;
    char text[100];
    CHECK_EQUAL(0, path_create(root, "console", T_DEVICE, DEVICE_CONSOLE, 0, &ip));
    inode_put(ip);
    CHECK_EQUAL(0, path_create(root, "other", T_DEVICE, 9, 0, &ip));
    inode_put(ip);
    struct file *f = open_file("console", O_RDWR), *g = open_file("other", O_RDWR);
    CHECK_EQUAL(5, read_bytes(f, text, sizeof text));
    CHECK_EQUAL(7, write_bytes(f, "1234567", 7));
    CHECK_EQUAL(-ENXIO, read_bytes(g, text, 1));
    CHECK_EQUAL(-ENXIO, write_bytes(g, text, 1));
    CHECK_EQUAL(T_DEVICE, stat_of("other").type);
    file_put(f);
    file_put(g);
    CHECK_EQUAL(0, path_unlink(root, "other"));
    check_disk();
}

TEST(access_modes_are_kept) {
    start(1000, 50, 100);
    char c;
    struct file *f = open_file("a", O_CREATE | O_WRONLY), *g = open_file("a", O_RDONLY);
    CHECK_EQUAL(-EBADF, read_bytes(f, &c, 1));
    CHECK_EQUAL(-EBADF, write_bytes(g, &c, 1));
    CHECK_EQUAL(0, write_bytes(f, &c, 0));
    CHECK_EQUAL(0, read_bytes(g, &c, 1));
    file_put(f);
    file_put(g);
}

TEST(directories_read_as_entries) {
    start(1000, 100, 100);
    struct dirent e[64];
    for (int i = 0; i < 40; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%d", i);
        CHECK_EQUAL(0, make(name, T_FILE));
    }
    struct file *f = open_file("/", O_RDONLY);
    CHECK_EQUAL(42 * 16, read_bytes(f, e, sizeof e));
    CHECK_STRING(".", e[0].name);
    CHECK_STRING("..", e[1].name);
    CHECK_STRING("f39", e[41].name);
    file_put(f);
    for (int i = 0; i < 40; i += 2) {
        char name[16];
        snprintf(name, sizeof name, "f%d", i);
        CHECK_EQUAL(0, path_unlink(root, name));
    }
    CHECK_EQUAL(0, make("new", T_FILE));
    CHECK_EQUAL(42 * 16, stat_of("/").size);
    CHECK_EQUAL(0, open_and_close("f39", O_RDONLY));
    CHECK_EQUAL(-ENOENT, open_and_close("f38", O_RDONLY));
    check_disk();
}

TEST(large_directories_grow_through_pointer_blocks) {
    start(1000, 3200, 100);
    char name[16];
    CHECK_EQUAL(0, make("d", T_DIR));
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "d/%d", i);
        CHECK_EQUAL(0, make(name, T_FILE));
    }
    CHECK_EQUAL(3002 * 16, stat_of("d").size);
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "d/%d", i);
        CHECK_EQUAL(0, path_unlink(root, name));
    }
    CHECK_EQUAL(0, path_unlink(root, "d"));
    check_disk();
}

TEST(a_full_disk_takes_what_fits_and_gives_all_back) {
    start(300, 50, 50);
    static char data[65536];
    fill(data, sizeof data, 0);
    int64_t first = 0;
    for (int round = 0; round < 3; round++) {
        struct file *f = open_file("big", O_CREATE | O_RDWR);
        int64_t total = 0, n;
        while ((n = write_bytes(f, data, sizeof data)) > 0)
            total += n;
        CHECK_EQUAL(-ENOSPC, n);
        CHECK_EQUAL(-ENOSPC, write_bytes(f, data, 1));
        CHECK(total > 200 * 4096);
        if (round == 0)
            first = total;
        CHECK_EQUAL(first, total);
        CHECK_EQUAL(-ENOSPC, make("dir", T_DIR));
        CHECK_EQUAL(0, make("file", T_FILE));
        CHECK_EQUAL(0, path_unlink(root, "file"));
        check_disk();
        file_put(f);
        CHECK_EQUAL(0, path_unlink(root, "big"));
        check_disk();
    }
}

TEST(inodes_run_out_and_come_back) {
    start(1000, 20, 100);
    char name[16];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 18; i++) {
            snprintf(name, sizeof name, "f%d", i);
            CHECK_EQUAL(0, make(name, T_FILE));
        }
        CHECK_EQUAL(-ENOSPC, make("more", T_FILE));
        CHECK_EQUAL(-ENOSPC, make("more", T_DIR));
        CHECK_EQUAL(-ENOENT, open_and_close("more", O_RDONLY));
        for (int i = 0; i < 18; i++) {
            snprintf(name, sizeof name, "f%d", i);
            CHECK_EQUAL(0, path_unlink(root, name));
        }
    }
    check_disk();
}

TEST(files_and_inodes_in_memory_run_out_cleanly) {
    start(1000, 2000, 100);
    static struct file *f[1100];
    char name[16];
    int n = 0, error = 0;
    for (; n < 1100; n++) {
        snprintf(name, sizeof name, "f%d", n);
        error = file_open(root, name, O_CREATE, &f[n]);
        if (error)
            break;
    }
    CHECK_EQUAL(-ENFILE, error);
    CHECK_EQUAL(511, n);
    struct file *g[600];
    int m = 0;
    while ((error = file_open(root, "f0", O_RDONLY, &g[m])) == 0)
        m++;
    CHECK_EQUAL(-ENFILE, error);
    CHECK_EQUAL(1024, n + m);
    struct file *r, *w;
    CHECK_EQUAL(-ENFILE, file_open_pipe(&r, &w));
    while (m > 0)
        file_put(g[--m]);
    while (n > 0)
        file_put(f[--n]);
    CHECK_EQUAL(0, make("again", T_FILE));
    check_disk();
}

TEST(the_largest_file_is_bounded) {
    start(1000, 50, 100);
    struct inode *ip;
    char c = 1;
    CHECK_EQUAL(0, path_create(root, "a", T_FILE, 0, 0, &ip));
    CHECK_EQUAL(0, log_begin());
    inode_lock(ip);
    ip->disk.size = FILE_BLOCKS_MAX * BLOCK_SIZE; // as if it were full
    CHECK_EQUAL(-EFBIG, inode_write(ip, FILE_BLOCKS_MAX * BLOCK_SIZE, &c, 1));
    ip->disk.size = 0;
    inode_unlock(ip);
    CHECK_EQUAL(0, log_end());
    inode_put(ip);
    check_disk();
}

TEST(double_indirect_blocks_come_and_go) {
    start(4000, 50, 200);
    static char data[65536];
    struct file *f = open_file("a", O_CREATE | O_RDWR);
    for (uint32_t i = 0; i < 150; i++) {
        fill(data, sizeof data, i);
        CHECK_EQUAL(sizeof data, write_bytes(f, data, sizeof data));
    }
    file_put(f);
    check_disk();
    static char seen[65536];
    f = open_file("a", O_RDONLY);
    for (uint32_t i = 0; i < 150; i++) {
        fill(data, sizeof data, i);
        CHECK_EQUAL(sizeof data, read_bytes(f, seen, sizeof data));
        CHECK(memcmp(data, seen, sizeof data) == 0);
    }
    file_put(f);
    CHECK_EQUAL(0, open_and_close("a", O_TRUNC));
    check_disk();
    write_file("a", data, 10);
    CHECK_EQUAL(0, path_unlink(root, "a"));
    check_disk();
}

TEST(mapped_pages_keep_what_they_showed) {
    start(2000, 50, 100);
    static char data[180 * 4096];
    fill(data, sizeof data, 1);
    write_file("a", data, sizeof data);
    struct inode *ip;
    struct frame *page[180];
    uint64_t free_before = frames().frames_free;
    CHECK_EQUAL(0, path_lookup(root, "a", &ip));
    CHECK_EQUAL(-EFAULT, inode_page(ip, sizeof data, false, &page[0]));
    for (size_t i = 0; i < 180; i++)
        CHECK_EQUAL(0, inode_page(ip, i * 4096, false, &page[i]));
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
    CHECK_EQUAL(180, free_before - frames().frames_free);
    for (size_t i = 0; i < 180; i++)
        frame_put(page[i]);
    CHECK_EQUAL(free_before, frames().frames_free);
    CHECK_EQUAL(0, frame_mapped_cache_count());
    check_disk();
}

TEST(processes_map_a_part_of_the_cache) {
    start(2000, 50, 100);
    static char data[400 * 4096];
    static struct frame *page[400];
    write_file("a", data, sizeof data);
    struct inode *ip;
    CHECK_EQUAL(0, path_lookup(root, "a", &ip));
    size_t n = 0;
    while (n < 400 && inode_page(ip, n * 4096, false, &page[n]) == 0)
        n++;
    CHECK_EQUAL(cache_size() / 8 * 3, n);
    CHECK_EQUAL(-ENOMEM, inode_page(ip, 0, false, &page[n])); // though it is mapped already
    for (; n < 300; n++)
        CHECK_EQUAL(0, inode_page(ip, n * 4096, true, &page[n])); // what was reserved is to be had
    write_file("b", data, sizeof data);
    for (size_t i = 0; i < n; i++)
        frame_put(page[i]);
    CHECK_EQUAL(0, inode_page(ip, n * 4096, false, &page[n]));
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

// Changes a page of the file through its frame, as a shared mapping does, and writes it back.
static int change_page(struct inode *ip, uint64_t offset, uint32_t seed) {
    struct frame *page;
    int error = inode_page(ip, offset, true, &page);
    if (error)
        return error;
    fill(frame_ptr(page), 4096, seed);
    if (log_begin() == 0) {
        inode_write_page(ip, offset, page);
        log_end();
    }
    frame_put(page);
    return 0;
}

// In processes of their own, as each can start only once: works on a disk of 1000 blocks; what that
// holds then, the log included, must count after the next start.
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
    struct inode *ip;
    struct frame *page;
    char bytes[sizeof changed];
    fill(bytes, sizeof bytes, 1);
    write_file("a", bytes, sizeof bytes);
    CHECK_EQUAL(0, path_lookup(root, "a", &ip));
    CHECK_EQUAL(0, change_page(ip, 4096, 7));
    CHECK_EQUAL(0, change_page(ip, 3 * 4096, 8));
    CHECK_EQUAL(0, inode_page(ip, 3 * 4096, true, &page)); // behind the end it is zero again
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

// Several pages that stay mapped, in one record.
static void change_mapped_pages(void) {
    struct inode *ip;
    static char bytes[sizeof changed];
    write_file("a", bytes, sizeof bytes);
    CHECK_EQUAL(0, path_lookup(root, "a", &ip));
    struct frame *page[4];
    for (size_t i = 0; i < 4; i++) {
        CHECK_EQUAL(0, inode_page(ip, i * 4096, true, &page[i]));
        memcpy(frame_ptr(page[i]), changed + i * 4096, i < 3 ? 4096 : 100);
    }
    CHECK_EQUAL(0, log_begin());
    for (size_t i = 0; i < 4; i++)
        inode_write_page(ip, i * 4096, page[i]);
    CHECK_EQUAL(0, log_end());
}

TEST(mapped_pages_are_logged_each) {
    fill(changed, sizeof changed, 5);
    check_after_restart(change_mapped_pages, "a", changed, sizeof changed);
}

// Somebody maps a page and stores to it, behind the file's end, while a change of the file's block
// is being written: the record must have the checksum of what reaches the disk.
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
    CHECK_EQUAL(0, inode_page(raced, 0, true, &page));
    memcpy((char *)frame_ptr(page) + 100, "store", 5);
    frame_put(page);
}

static void write_and_store(void) {
    write_file("a", "stale contents", 14);
    CHECK_EQUAL(0, path_lookup(root, "a", &raced));
    host_random_seed(race_seed);
    host_yields = true;
    host_task_start(write_fresh, NULL);
    host_task_start(store_meanwhile, NULL);
    host_task_wait_all();
    host_yields = false;
}

TEST(a_page_is_mapped_while_its_block_is_written) {
    for (race_seed = 1; race_seed <= 50; race_seed++)
        check_after_restart(write_and_store, "a", "fresh contents", 14);
}

// A page that is no longer the file's, because it was cut off meanwhile, changes nothing.
TEST(pages_that_left_the_file_are_not_written_back) {
    start(1000, 50, 100);
    static char data[2 * 4096];
    fill(data, sizeof data, 1);
    write_file("a", data, sizeof data);
    struct inode *ip;
    struct frame *page[2];
    CHECK_EQUAL(0, path_lookup(root, "a", &ip));
    for (size_t i = 0; i < 2; i++)
        CHECK_EQUAL(0, inode_page(ip, i * 4096, true, &page[i]));
    CHECK_EQUAL(0, inode_truncate(ip));
    write_file("b", data, sizeof data); // perhaps into the same blocks
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

TEST(a_file_that_is_mapped_shared_is_not_emptied) {
    start(1000, 50, 100);
    struct inode *ip;
    write_file("a", "x", 1);
    CHECK_EQUAL(0, path_lookup(root, "a", &ip));
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

// A program goes on storing into a page while it is being logged; the record must be whole all the
// same.
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
    struct inode *ip;
    CHECK_EQUAL(0, path_lookup(root, "a", &ip));
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
    struct inode *ip;
    write_file("a", data, sizeof data);
    CHECK_EQUAL(0, path_lookup(root, "a", &ip));
    CHECK_EQUAL(0, inode_page(ip, 0, true, &scribbled));
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

TEST(without_frames_discarded_slots_wait) {
    start(2000, 50, 100);
    static char data[180 * 4096];
    static struct frame *page[180];
    write_file("a", data, sizeof data);
    struct inode *ip;
    CHECK_EQUAL(0, path_lookup(root, "a", &ip));
    for (size_t i = 0; i < 180; i++)
        CHECK_EQUAL(0, inode_page(ip, i * 4096, false, &page[i]));
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

TEST(what_changes_nothing_costs_no_disk_access) {
    start(1000, 50, 100);
    write_file("a", "x", 1);
    size_t requests = disk_request_count, flushes = disk_flush_count;
    for (int i = 0; i < 10; i++) {
        CHECK_EQUAL(0, open_and_close("a", O_CREATE | O_RDWR));
        CHECK_EQUAL(-ENOENT, path_unlink(root, "b"));
        CHECK_EQUAL(-EEXIST, make("a", T_DIR));
    }
    CHECK_EQUAL(requests, disk_request_count);
    write_file("b", "y", 1);
    CHECK_EQUAL(4, disk_flush_count - flushes);
    CHECK_EQUAL(8, disk_request_count - requests);
    CHECK_EQUAL(0, path_unlink(root, "b"));
    CHECK_EQUAL(12, disk_request_count - requests);
}

TEST(pipes_pass_bytes_and_end) {
    start(1000, 50, 100);
    struct file *r, *w;
    char text[5000], seen[5000];
    uint64_t free_before = frames().frames_free;
    CHECK_EQUAL(0, file_open_pipe(&r, &w));
    fill(text, sizeof text, 1);
    for (int i = 0; i < 10; i++) {
        CHECK_EQUAL(3000, write_bytes(w, text, 3000));
        CHECK_EQUAL(1000, read_bytes(r, seen, 1000));
        CHECK_EQUAL(2000, read_bytes(r, seen + 1000, 4000));
        CHECK(memcmp(text, seen, 3000) == 0);
    }
    CHECK_EQUAL(0, write_bytes(w, text, 0));
    CHECK_EQUAL(-EBADF, write_bytes(r, text, 1));
    CHECK_EQUAL(-EBADF, read_bytes(w, text, 1));
    CHECK_EQUAL(-EBADF, file_stat(r, &(struct stat){0}));
    CHECK_EQUAL(10, write_bytes(w, text, 10));
    file_put(w);
    CHECK_EQUAL(10, read_bytes(r, seen, 4000));
    CHECK_EQUAL(0, read_bytes(r, seen, 4000));
    file_put(r);
    CHECK_EQUAL(0, file_open_pipe(&r, &w));
    file_put(r);
    CHECK_EQUAL(-EPIPE, write_bytes(w, text, 1));
    file_put(w);
    CHECK_EQUAL(free_before, frames().frames_free);
}

static struct file *pipe_reader, *pipe_writer;
static struct task *reader_task;
static bool was_killed;

static void pipe_writing(void *unused) {
    (void)unused;
    static char text[100000];
    fill(text, sizeof text, 5);
    CHECK_EQUAL(sizeof text, write_bytes(pipe_writer, text, sizeof text));
    file_put(pipe_writer);
}

static void pipe_reading(void *unused) {
    (void)unused;
    static char wanted[100000], seen[100000];
    fill(wanted, sizeof wanted, 5);
    size_t total = 0;
    int64_t n;
    while ((n = read_bytes(pipe_reader, seen + total, 1 + host_random(7000))) > 0)
        total += (size_t)n;
    CHECK_EQUAL(sizeof wanted, total);
    CHECK(memcmp(wanted, seen, total) == 0);
    file_put(pipe_reader);
}

TEST(pipes_wait_for_the_other_end) {
    start(1000, 50, 100);
    for (int i = 0; i < 10; i++) {
        CHECK_EQUAL(0, file_open_pipe(&pipe_reader, &pipe_writer));
        host_task_start(pipe_writing, NULL);
        host_task_start(pipe_reading, NULL);
        host_task_wait_all();
    }
}

static void pipe_read_killed(void *unused) {
    (void)unused;
    char c;
    reader_task = task_self();
    CHECK_EQUAL(-EINTR, read_bytes(pipe_reader, &c, 1));
    was_killed = true;
}

static void killer(void *unused) {
    (void)unused;
    while (reader_task == NULL || reader_task->state != TASK_SLEEPING)
        task_yield();
    task_kill(reader_task);
}

TEST(a_killed_reader_leaves_its_pipe) {
    start(1000, 50, 100);
    CHECK_EQUAL(0, file_open_pipe(&pipe_reader, &pipe_writer));
    host_task_start(pipe_read_killed, NULL);
    host_task_start(killer, NULL);
    host_task_wait_all();
    CHECK(was_killed);
}

// ---- Power cuts ----

enum { TASKS_MAX = 3, OPS = 80, NAMES = 6 };

struct history {
    size_t writes[OPS + 1];  // noted when the operation had returned
    uint64_t state[OPS + 1]; // of the task's directory then
};

static struct history *histories; // shared, one for each task

static void hash_add(uint64_t *hash, const void *p, size_t n) {
    const uint8_t *byte = p;
    for (size_t i = 0; i < n; i++)
        *hash = (*hash ^ byte[i]) * 0x100000001b3u;
}

// A number for everything below a directory.
static uint64_t tree_hash(struct inode *dir, int depth) {
    uint64_t hash = 0xcbf29ce484222325u;
    struct dirent e;
    CHECK(depth < 4);
    for (uint64_t at = 0;; at += sizeof e) {
        inode_lock(dir);
        int64_t n = inode_read(dir, at, &e, sizeof e);
        inode_unlock(dir);
        if (n == 0)
            return hash;
        CHECK_EQUAL(16, n);
        char name[15] = {0};
        memcpy(name, e.name, 14);
        if (e.inum == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        struct inode *ip;
        struct stat s;
        CHECK_EQUAL(0, path_lookup(dir, name, &ip));
        inode_stat(ip, &s);
        uint64_t entry = 0;
        hash_add(&entry, name, 14);
        hash_add(&entry, &s.nlink, 2);
        if (s.type == T_DIR) {
            uint64_t below = tree_hash(ip, depth + 1);
            hash_add(&entry, &below, 8);
        } else {
            char *data = malloc(s.size + 1);
            inode_lock(ip);
            CHECK_EQUAL(s.size, inode_read(ip, 0, data, s.size));
            inode_unlock(ip);
            hash_add(&entry, &s.size, 8);
            hash_add(&entry, data, s.size);
            free(data);
        }
        hash += entry * 0x9e3779b97f4a7c15u; // the order of entries does not matter
        inode_put(ip);
    }
}

static void random_name(char *name, const char *directory) {
    if (host_random(4) == 0)
        sprintf(name, "%s/d%u/n%u", directory, host_random(2), host_random(NAMES));
    else
        sprintf(name, "%s/n%u", directory, host_random(NAMES));
}

// Does something small, which may well fail.
static void random_operation(const char *directory) {
    static char data[65536];
    char a[40], b[40];
    struct file *f;
    random_name(a, directory);
    random_name(b, directory);
    switch (host_random(13)) {
    case 0:
        sprintf(a, "%s/d%u", directory, host_random(2));
        make(a, T_DIR);
        break;
    case 1:
        path_link(root, a, b);
        break;
    case 2:
    case 3:
        path_unlink(root, a);
        break;
    case 4:
        sprintf(a, "%s/d%u", directory, host_random(2));
        path_unlink(root, a);
        break;
    case 5:
    case 6:
    case 7:
        make(a, T_FILE);
        break;
    case 8:
        open_and_close(a, O_TRUNC);
        break;
    case 9: {
        struct inode *ip;
        if (path_lookup(root, a, &ip) != 0)
            break;
        if (ip->disk.type == T_FILE && ip->disk.size > 0)
            change_page(ip, host_random((uint32_t)ip->disk.size) / 4096 * 4096, host_random(1000));
        inode_put(ip);
        break;
    }
    default:
        if (file_open(root, a, O_RDWR, &f) != 0)
            break;
        static char skip[65536];
        fill(data, sizeof data, host_random(1000));
        if (host_random(2) == 0)
            read_bytes(f, skip, host_random(20000));
        else
            while (read_bytes(f, skip, sizeof skip) > 0 && host_random(8) != 0)
                ;
        write_bytes(f, data, host_random(3) == 0 ? host_random(65536) : host_random(6000));
        file_put(f);
    }
}

static uint64_t task_state(unsigned task) {
    char name[16];
    struct inode *dir;
    sprintf(name, "/t%u", task);
    CHECK_EQUAL(0, path_lookup(root, name, &dir));
    uint64_t hash = tree_hash(dir, 0);
    inode_put(dir);
    return hash;
}

static void task_work(void *argument) {
    unsigned task = (unsigned)(uintptr_t)argument;
    char name[16];
    sprintf(name, "/t%u", task);
    for (int i = 0; i < OPS; i++) {
        random_operation(name);
        histories[task].writes[i + 1] = disk_journal_count();
        histories[task].state[i + 1] = task_state(task);
    }
}

// In a process of its own: starts from what the cut left and looks for the state between two
// operations.
static void check_cut(size_t cut, unsigned tasks, const uint8_t *image, uint32_t blocks) {
    disk_use(image, blocks);
    int error = mount_disk(MACHINE_RAM);
    if (error)
        test_fail(__FILE__, __LINE__, "expected to start after write %zu, saw error %d", cut,
                  error);
    for (unsigned t = 0; t < tasks; t++) {
        uint64_t state = task_state(t);
        int i = 0;
        while (i < OPS && histories[t].writes[i + 1] < cut)
            i++;
        // The last write of an operation is safe only with the flush behind it, which the cut may
        // precede. Of the operation after that, all may be on the disk.
        bool good = state == histories[t].state[i];
        for (; !good && i < OPS && histories[t].writes[i] <= cut; i++)
            good = state == histories[t].state[i + 1];
        if (!good)
            test_fail(__FILE__, __LINE__,
                      "expected a state of task %u near operation %d, saw another (cut %zu)", t, i,
                      cut);
    }
    check_disk();
    for (int i = 0; i < 20; i++)
        random_operation("/t0");
    check_disk();
}

static void work(uint32_t blocks, uint32_t log_blocks, unsigned tasks, uint64_t seed) {
    char name[16];
    disk_format(blocks, 60, log_blocks);
    CHECK_EQUAL(0, mount_disk(MACHINE_RAM));
    for (unsigned t = 0; t < tasks; t++) {
        sprintf(name, "/t%u", t);
        CHECK_EQUAL(0, make(name, T_DIR));
        histories[t].state[0] = task_state(t);
    }
    host_random_seed(seed);
    disk_journal_start();
    host_yields = tasks > 1;
    if (tasks == 1)
        task_work(0);
    for (unsigned t = 0; t < tasks && tasks > 1; t++)
        host_task_start(task_work, (void *)(uintptr_t)t);
    if (tasks > 1)
        host_task_wait_all();
    host_yields = false;
    disk_journal_stop();
    check_disk();
}

static void cut_everywhere(uint32_t blocks, uint32_t log_blocks, unsigned tasks, uint64_t seed,
                           uint32_t step) {
    histories = shared_memory(TASKS_MAX * sizeof *histories);
    disk_journal_init(blocks);
    IN_PROCESS(work(blocks, log_blocks, tasks, seed));
    uint8_t *image = malloc((size_t)blocks * BLOCK_SIZE);
    for (size_t cut = host_random(step); cut <= disk_journal_count();
         cut += 1 + host_random(step)) {
        disk_image_after(cut, image, blocks);
        IN_PROCESS(check_cut(cut, tasks, image, blocks));
    }
}

// More rounds of the random tests: ROUNDS=50 ./test_fs power_cut_with_one_task
static uint64_t first_seed(void) {
    return getenv("SEED") ? strtoull(getenv("SEED"), NULL, 0) : 1;
}

static uint64_t last_seed(uint64_t usual) {
    return first_seed() + (getenv("ROUNDS") ? strtoull(getenv("ROUNDS"), NULL, 0) : usual) - 1;
}

// The first record after a checkpoint overwrites old ones. If only its end gets to the disk, what
// is left of them must not count: several losses at each write of a log that starts again often.
TEST(power_cut_when_the_log_starts_again) {
    uint32_t blocks = 600;
    histories = shared_memory(TASKS_MAX * sizeof *histories);
    disk_journal_init(blocks);
    IN_PROCESS(work(blocks, 46, 1, first_seed()));
    uint8_t *image = malloc((size_t)blocks * BLOCK_SIZE);
    for (size_t cut = 1; cut <= disk_journal_count(); cut++) {
        if (!disk_journal_is_early(cut))
            continue;
        for (int i = 0; i < 6; i++) {
            disk_image_after(cut, image, blocks);
            IN_PROCESS(check_cut(cut, 1, image, blocks));
        }
    }
}

TEST(power_cut_with_one_task) {
    for (uint64_t seed = first_seed(); seed <= last_seed(2); seed++)
        cut_everywhere(600, 60, 1, seed, 8);
}

TEST(power_cut_with_three_tasks) {
    for (uint64_t seed = first_seed(); seed <= last_seed(2); seed++)
        cut_everywhere(600, 120, 3, seed, 20);
}

// ---- Failing disks and damaged images ----

static void operations(void *directory) {
    for (int i = 0; i < 40; i++)
        random_operation(directory);
}

static void fail_after(size_t requests, uint8_t *image, uint64_t seed) {
    disk_format(600, 60, 60);
    CHECK_EQUAL(0, mount_disk(MACHINE_RAM));
    CHECK_EQUAL(0, make("/t0", T_DIR));
    CHECK_EQUAL(0, make("/t1", T_DIR));
    host_random_seed(seed);
    disk_fail_after = requests;
    host_yields = true;
    host_task_start(operations, "/t0");
    host_task_start(operations, "/t1");
    host_task_wait_all();
    disk_fail_after = SIZE_MAX;
    struct inode *ip;
    if (path_lookup(root, "/t0", &ip) == 0)
        inode_put(ip);
    memcpy(image, disk_bytes, 600 * BLOCK_SIZE);
}

static void start_again(const uint8_t *image) {
    disk_use(image, 600);
    CHECK_EQUAL(0, mount_disk(MACHINE_RAM));
    check_disk();
}

TEST(a_failing_disk_gives_errors_and_stays_consistent) {
    uint8_t *image = shared_memory(600 * BLOCK_SIZE);
    for (size_t requests = 0; requests < 120; requests += 3) {
        IN_PROCESS(fail_after(requests, image, first_seed() + requests));
        IN_PROCESS(start_again(image));
    }
}

static void use_image(const uint8_t *image, size_t fail_from) {
    disk_use(image, 600);
    disk_fail_after = fail_from;
    int error = mount_disk(MACHINE_RAM);
    disk_fail_after = SIZE_MAX;
    if (error)
        return;
    host_yields = true;
    host_task_start(operations, "/t0");
    host_task_start(operations, "/t1");
    host_task_wait_all();
    uint64_t violations;
    fs_check(&violations); // whatever it finds, it comes back
}

static void make_image(uint8_t *image) {
    disk_format(600, 60, 60);
    CHECK_EQUAL(0, mount_disk(MACHINE_RAM));
    CHECK_EQUAL(0, make("/t0", T_DIR));
    CHECK_EQUAL(0, make("/t1", T_DIR));
    for (int i = 0; i < 4; i++) {
        operations("/t0");
        operations("/t1");
    }
    memcpy(image, disk_bytes, 600 * BLOCK_SIZE);
}

// Changes a few numbers in blocks that matter.
static void damage(uint8_t *image) {
    const struct superblock super = *(struct superblock *)image;
    uint32_t changes = 1 + host_random(6);
    for (uint32_t i = 0; i < changes; i++) {
        static const uint32_t odd[] = {0,      1,       2,          3,         5,   16,
                                       61,     0xff,    599,        600,       601, 0x7fff,
                                       0xffff, 0x10000, 0x7fffffff, 0xffffffff};
        uint32_t places[] = {0,
                             1,
                             super.inode_start,
                             super.inode_start,
                             super.inode_start,
                             super.bitmap_start,
                             super.data_start,
                             super.data_start + host_random(60)};
        uint32_t block = places[host_random(ARRAY_SIZE(places))];
        uint32_t most = block == 0 ? 10 : block == super.inode_start ? 16 * 30 : 1024;
        uint32_t *word = (uint32_t *)(image + (size_t)block * BLOCK_SIZE) + host_random(most);
        uint32_t value = host_random(3) == 0 ? odd[host_random(ARRAY_SIZE(odd))] : host_random(600);
        if (host_random(3) == 0)
            *(uint16_t *)word = (uint16_t)value;
        else
            *word = value;
    }
    // Without a log to replay, the damage stays.
    if (host_random(4) != 0)
        memset(image + BLOCK_SIZE, 0, (size_t)super.log_blocks * BLOCK_SIZE);
}

TEST(damaged_images_give_errors) {
    uint8_t *good = shared_memory(600 * BLOCK_SIZE);
    uint8_t *image = malloc(600 * BLOCK_SIZE);
    IN_PROCESS(make_image(good));
    // Recovered images have the log's contents at home.
    for (uint64_t seed = first_seed(); seed <= last_seed(150); seed++) {
        host_random_seed(seed);
        memcpy(image, good, 600 * BLOCK_SIZE);
        damage(image);
        IN_PROCESS(use_image(image, host_random(5) == 0 ? host_random(20) : SIZE_MAX));
    }
}

static void write_and_save(const uint8_t *image, char last, uint8_t *saved) {
    disk_use(image, 600);
    CHECK_EQUAL(0, mount_disk(MACHINE_RAM));
    for (char c = 'a'; c <= last; c++) {
        struct file *f = open_file("f", O_RDWR);
        CHECK_EQUAL(1, write_bytes(f, &c, 1));
        file_put(f);
    }
    memcpy(saved, disk_bytes, 600 * BLOCK_SIZE);
}

static void check_letter(const uint8_t *image, char wanted) {
    char c = 0;
    disk_use(image, 600);
    CHECK_EQUAL(0, mount_disk(MACHINE_RAM));
    struct file *f = open_file("f", O_RDWR);
    CHECK_EQUAL(1, read_bytes(f, &c, 1));
    CHECK_EQUAL(wanted, c);
}

static void make_letter(uint8_t *saved) {
    start(600, 60, 60);
    write_file("f", "-", 1);
    memcpy(saved, disk_bytes, 600 * BLOCK_SIZE);
}

TEST(records_behind_a_damaged_start_never_count_again) {
    uint8_t *image = shared_memory(600 * BLOCK_SIZE);
    IN_PROCESS(make_letter(image));
    IN_PROCESS(write_and_save(image, 'a', image)); // the first record gets home
    for (int round = 0; round < 2; round++) {
        image[BLOCK_SIZE + 100] ^= 1;
        IN_PROCESS(write_and_save(image, round == 0 ? 'h' : 'a', image));
    }
    IN_PROCESS(check_letter(image, 'a'));
}

static void leave_open(uint8_t *saved) {
    static char data[100000];
    start(600, 60, 60);
    CHECK_EQUAL(0, make("d", T_DIR));
    struct inode *d;
    CHECK_EQUAL(0, path_lookup(root, "d", &d));
    struct file *f = open_file("f", O_CREATE | O_RDWR);
    CHECK_EQUAL(sizeof data, write_bytes(f, data, sizeof data));
    CHECK_EQUAL(0, path_unlink(root, "f"));
    CHECK_EQUAL(0, path_unlink(root, "d"));
    memcpy(saved, disk_bytes, 600 * BLOCK_SIZE);
}

TEST(unlinked_files_left_open_are_freed_at_the_next_start) {
    uint8_t *image = shared_memory(600 * BLOCK_SIZE);
    IN_PROCESS(leave_open(image));
    IN_PROCESS(start_again(image));
}

TEST(growth_that_fails_half_way_is_undone) {
    start(300, 50, 50);
    static char data[40960];
    write_file("a", data, sizeof data);
    write_file("c", data, 1);
    struct file *a = open_file("a", O_RDWR), *b = open_file("b", O_CREATE | O_RDWR);
    CHECK_EQUAL(sizeof data, read_bytes(a, data, sizeof data));
    while (write_bytes(b, data, 4096) > 0)
        ;
    CHECK_EQUAL(0, path_unlink(root, "c"));
    CHECK_EQUAL(-ENOSPC, write_bytes(a, data, 4096));
    check_disk();
    CHECK_EQUAL(1, write_bytes(open_file("d", O_CREATE | O_RDWR), data, 4096) == 4096);
    check_disk();
}

TEST(a_disk_without_file_system_is_refused) {
    disk_format(600, 60, 60);
    memset(disk_bytes, 0, BLOCK_SIZE);
    CHECK_EQUAL(-EINVAL, mount_disk(MACHINE_RAM));
}

TEST(a_log_that_is_too_small_is_refused) {
    disk_format(600, 60, 20);
    CHECK_EQUAL(-EINVAL, mount_disk(MACHINE_RAM));
}
