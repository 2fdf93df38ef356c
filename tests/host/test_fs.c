// The file system on a disk in memory: what calls do, and what happens at the limits.
#include "fs/allocate.h"
#include "fs_machine.h"

// ---- Files ----

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

// As many files are opened and closed as the table of inodes has room for, twice.
TEST(inodes_in_use_stay_in_memory) {
    char path[20] = "/other";
    start(1000, 1200, 100);
    CHECK_EQUAL(0, make("/used", T_FILE));
    struct file *f = open_file("/used", O_RDWR);
    for (int i = 0; i < 1024; i++) {
        snprintf(path + 6, sizeof path - 6, "%d", i % 1000);
        CHECK_EQUAL(0, open_and_close(path, O_CREATE));
        if (i % 100 == 0)
            CHECK_EQUAL(0, open_and_close("/used", O_RDONLY));
    }
    CHECK_EQUAL(3, write_bytes(f, "xyz", 3));
    CHECK_EQUAL(3, stat_of("/used").size);
    file_put(f);
    check_disk();
}

// With 200 inodes, in four blocks, all but the last of them full.
TEST(freed_inode_numbers_are_used_again_lowest_first) {
    char path[20] = "/";
    start(1000, 200, 100);
    for (int i = 2; i < 200; i++) {
        snprintf(path + 1, sizeof path - 1, "%d", i);
        CHECK_EQUAL(0, make(path, T_FILE));
        CHECK_EQUAL(i, number_of(path));
    }
    CHECK_EQUAL(-ENOSPC, make("/more", T_FILE));
    CHECK_EQUAL(0, path_unlink(root, "/150"));
    CHECK_EQUAL(0, path_unlink(root, "/70"));
    CHECK_EQUAL(0, path_unlink(root, "/2"));
    CHECK_EQUAL(0, make("/new", T_FILE));
    CHECK_EQUAL(2, number_of("/new"));
    CHECK_EQUAL(0, make("/newer", T_FILE));
    CHECK_EQUAL(70, number_of("/newer"));
    CHECK_EQUAL(0, make("/newest", T_FILE));
    CHECK_EQUAL(150, number_of("/newest"));
    CHECK_EQUAL(-ENOSPC, make("/more", T_FILE));
    CHECK_EQUAL(0, path_unlink(root, "/newer"));
    CHECK_EQUAL(0, make("/more", T_FILE));
    CHECK_EQUAL(70, number_of("/more"));
    check_disk();
}

TEST(paths_at_the_limits) {
    start(1000, 50, 100);
    CHECK_EQUAL(-ENOENT, open_and_close("", O_RDONLY));
    CHECK_EQUAL(-ENOENT, open_and_close("", O_CREATE));
    CHECK_EQUAL(-ENOENT, open_and_close("nothing", O_RDONLY));
    CHECK_EQUAL(-ENOENT, open_and_close("no/x", O_CREATE));
    CHECK_EQUAL(0, make("d", T_DIR));
    CHECK_EQUAL(0, make("d/e", T_DIR));
    CHECK_EQUAL(0, make("///d//e///f/", T_DIR));
    CHECK_EQUAL(stat_of("d/e/f").ino, stat_of("//d/./e/../e//f///").ino);
    CHECK_EQUAL(ROOT_INODE, stat_of("/..").ino);
    CHECK_EQUAL(ROOT_INODE, stat_of("d/../../../..").ino);
    CHECK_EQUAL(0, make("12345678901234", T_FILE));
    CHECK_EQUAL(stat_of("12345678901234").ino, stat_of("12345678901234567").ino);
    CHECK_EQUAL(-EEXIST, make("123456789012345", T_DIR));
    check_disk();
}

TEST(files_cannot_be_entered) {
    start(1000, 50, 100);
    struct inode *ip;
    CHECK_EQUAL(0, path_create(root, "file", T_FILE, 0, 0, &ip));
    CHECK_EQUAL(-ENOTDIR, file_open(ip, "x", O_RDONLY, &(struct file *){0}));
    CHECK_EQUAL(-ENOTDIR, open_and_close("file/x", O_RDONLY));
    CHECK_EQUAL(-ENOTDIR, open_and_close("file/x", O_CREATE));
    CHECK_EQUAL(-ENOTDIR, open_and_close("file/.", O_RDONLY));
    inode_put(ip);
}

TEST(existing_names_are_created_again_only_as_files) {
    start(1000, 50, 100);
    CHECK_EQUAL(0, make("d", T_DIR));
    CHECK_EQUAL(-EEXIST, make("d", T_DIR));
    CHECK_EQUAL(-EEXIST, make("/", T_DIR));
    CHECK_EQUAL(-EEXIST, make(".", T_DIR));
    CHECK_EQUAL(-EEXIST, make("d/..", T_DIR));
    CHECK_EQUAL(-EISDIR, open_and_close("d", O_CREATE));
    CHECK_EQUAL(-EISDIR, open_and_close("/", O_CREATE | O_RDWR));
    CHECK_EQUAL(-EISDIR, open_and_close("d", O_RDWR));
    CHECK_EQUAL(0, open_and_close("d", O_RDONLY));
    CHECK_EQUAL(0, make("file", T_FILE));
    CHECK_EQUAL(0, make("file", T_FILE));
    check_disk();
}

TEST(failed_calls_store_no_inode) {
    start(1000, 50, 100);
    struct inode *ip = root;
    CHECK_EQUAL(-ENOENT, path_lookup(root, "none/x", &ip));
    CHECK(ip == NULL);
    ip = root;
    CHECK_EQUAL(-ENOENT, path_lookup(root, "", &ip));
    CHECK(ip == NULL);
    ip = root;
    CHECK_EQUAL(-EEXIST, path_create(root, ".", T_DIR, 0, 0, &ip));
    CHECK(ip == NULL);
    struct file *f = (struct file *)root;
    CHECK_EQUAL(-ENOENT, file_open(root, "none", O_RDONLY, &f));
    CHECK(f == NULL);
}

TEST(links_are_added_and_removed) {
    start(1000, 50, 100);
    CHECK_EQUAL(0, make("d", T_DIR));
    CHECK_EQUAL(0, make("file", T_FILE));
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
    check_disk();
}

TEST(only_empty_directories_are_removed) {
    start(1000, 50, 100);
    CHECK_EQUAL(0, make("d", T_DIR));
    CHECK_EQUAL(0, make("d/e", T_DIR));
    CHECK_EQUAL(2, stat_of("/").nlink);
    CHECK_EQUAL(2, stat_of("d").nlink);
    CHECK_EQUAL(-EPERM, path_unlink(root, "."));
    CHECK_EQUAL(-EPERM, path_unlink(root, "d/.."));
    CHECK_EQUAL(-EPERM, path_unlink(root, "/"));
    CHECK_EQUAL(-ENOTEMPTY, path_unlink(root, "d"));
    CHECK_EQUAL(0, path_unlink(root, "d/e"));
    CHECK_EQUAL(0, path_unlink(root, "d"));
    CHECK_EQUAL(1, stat_of("/").nlink);
    check_disk();
}

TEST(removed_directory_stays_open_but_takes_no_entries) {
    start(1000, 50, 100);
    CHECK_EQUAL(0, make("d", T_DIR));
    struct inode *ip, *d = find_inode("d");
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

TEST(unlinked_open_file_keeps_its_contents) {
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

TEST(truncation_affects_only_files) {
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

TEST(device_number_selects_the_device) {
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

TEST(access_modes_are_enforced) {
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

TEST(large_directories_use_pointer_blocks) {
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

TEST(full_disk_takes_what_fits_and_gives_it_all_back) {
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

TEST(file_size_is_limited) {
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

TEST(double_indirect_blocks_are_allocated_and_freed) {
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

TEST(changes_outside_a_transaction_panic) {
    start(1000, 50, 100);
    struct inode *ip;
    struct block *b;
    uint32_t number;
    struct block_run run = {0};
    char c = 1;
    CHECK_EQUAL(0, path_create(root, "a", T_FILE, 0, 0, &ip));
    CHECK_PANICS(block_take(&run, &number));
    CHECK_PANICS(inode_number_free(ip->number));
    inode_lock(ip);
    CHECK_PANICS(inode_write(ip, 0, &c, 1));
    CHECK_PANICS(inode_update(ip));
    inode_unlock(ip);
    CHECK_EQUAL(0, cache_get(0, &b));
    CHECK_PANICS(log_write(b));
}

TEST(locks_and_transactions_that_contracts_require_are_asserted) {
    start(1000, 50, 100);
    struct inode *ip;
    char c = 1;
    CHECK_EQUAL(0, path_create(root, "a", T_FILE, 0, 0, &ip));
    CHECK_PANICS(inode_read(ip, 0, &c, 1));
    CHECK_EQUAL(0, log_begin());
    CHECK_PANICS(inode_write(ip, 0, &c, 1));
    CHECK_PANICS(inode_update(ip));
    CHECK_PANICS(inode_truncate(ip));
    inode_lock(ip);
    CHECK_PANICS(log_end());
}

// Twice as many blocks as the cache has slots, most of them changed again while they are in the
// log.
TEST(blocks_that_are_changed_again_leave_the_cache) {
    static const char block[BLOCK_SIZE];
    start(2000, 50, 100);
    struct file *f = open_file("a", O_CREATE | O_RDWR);
    struct inode *ip = find_inode("a");
    for (uint64_t i = 0; i < 2 * cache_size(); i++) {
        CHECK_EQUAL(BLOCK_SIZE, write_bytes(f, block, BLOCK_SIZE));
        CHECK_EQUAL(0, log_begin());
        inode_lock(ip);
        CHECK_EQUAL(1, inode_write(ip, i * BLOCK_SIZE, "x", 1));
        inode_unlock(ip);
        CHECK_EQUAL(0, log_end());
    }
    inode_put(ip);
    file_put(f);
    check_disk();
}

TEST(no_op_calls_do_no_disk_io) {
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
    CHECK_EQUAL(2, disk_flush_count - flushes);
    CHECK_EQUAL(2, disk_request_count - requests);
    CHECK_EQUAL(0, path_unlink(root, "b"));
    CHECK_EQUAL(3, disk_request_count - requests);
}

TEST(failed_growth_is_undone) {
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

TEST(disk_without_file_system_is_refused) {
    disk_format(600, 60, 60);
    memset(disk_bytes, 0, BLOCK_SIZE);
    CHECK_EQUAL(-EINVAL, mount_disk(MACHINE_RAM));
}

TEST(too_small_a_log_is_refused) {
    disk_format(600, 60, 20);
    CHECK_EQUAL(-EINVAL, mount_disk(MACHINE_RAM));
}
