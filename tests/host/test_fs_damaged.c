// What programs can do with a damaged disk: if a block of a directory, or of pointers, seems to be
// free or belongs to a file as well, they can write into it. The worst result must be an error.
#include "fs/allocate.h"
#include "fs/directory.h"
#include "fs_machine.h"
#include "lib/format.h"
#include "sched/schedule.h"

static void read_entries(const char *path, struct dirent *entries, size_t count) {
    struct file *f = open_file(path, O_RDONLY);
    CHECK_EQUAL(count * sizeof *entries, read_bytes(f, entries, count * sizeof *entries));
    file_put(f);
}

// Fills the table of inodes with others, so that the kernel reads from the disk again those that no
// task has open, and their directories' names.
static void forget_inodes(void) {
    char path[] = "/other000";
    for (int i = 0; i < 512; i++) {
        format(path + 6, sizeof path - 6, "%d", i);
        CHECK_EQUAL(0, make(path, T_FILE));
    }
}

// ---- Directories that programs can write ----

// Makes the block of the directory /p seem to be free: a program that writes /f gets this block as
// the second block of /f.
static void make_block_free(void) {
    start(1000, 640, 100);
    write_file("/low", "x", 1); // uses the block before that of /p
    CHECK_EQUAL(0, make("/p", T_DIR));
    CHECK_EQUAL(0, make("/p/e", T_DIR));
    CHECK_EQUAL(0, make("/p/self", T_FILE));
    struct inode *p = find_inode("/p");
    struct block *b;
    uint32_t number = p->disk.direct[0];
    CHECK_EQUAL(0, log_begin());
    CHECK_EQUAL(0, bitmap_get(number, &b));
    b->data[number / 8] &= (char)~(1 << number % 8);
    log_write(b);
    CHECK_EQUAL(0, log_end());
    inode_put(p);
}

TEST(directory_may_become_its_own_parent) {
    static char bytes[2 * BLOCK_SIZE];
    struct dirent entries[4];
    make_block_free();
    uint32_t p = number_of("/p");
    read_entries("/p", entries, 4);
    struct inode *cwd = find_inode("/p/e");
    CHECK_EQUAL(0, path_unlink(root, "/low"));
    entries[1].inum = entries[3].inum = (uint16_t)p; // ".." and "self"
    memcpy(bytes + BLOCK_SIZE, entries, sizeof entries);
    write_file("/f", bytes, sizeof bytes);
    forget_inodes();
    CHECK_EQUAL(-EIO, path_unlink(cwd, "../self"));
    CHECK_EQUAL(-EIO, path_unlink(cwd, "../self/self"));
    inode_put(cwd);
}

static struct inode *inner;

// Makes the block of the directory /d a block of the file /f as well; the entry /d/e/x names /d.
static void make_block_shared(void) {
    start(1000, 640, 100);
    CHECK_EQUAL(0, make("/d", T_DIR));
    CHECK_EQUAL(0, make("/d/e", T_DIR));
    CHECK_EQUAL(0, make("/d/e/x", T_FILE));
    write_file("/f", "x", 1);
    set_entry("/d/e", 2, "x", number_of("/d"));
    struct inode *d = find_inode("/d"), *f = find_inode("/f");
    CHECK_EQUAL(0, log_begin());
    inode_lock(f);
    f->disk.direct[0] = d->disk.direct[0];
    f->disk.size = d->disk.size;
    CHECK_EQUAL(0, inode_update(f));
    inode_unlock(f);
    CHECK_EQUAL(0, log_end());
    inode_put(d);
    inode_put(f);
}

static void remove_one_of_two(void *argument) {
    for (int i = 0; i < 20; i++)
        path_unlink(inner, argument == NULL ? "x/e" : "x");
}

static void nest_in_each_other(uint64_t seed) {
    struct dirent entries[3];
    struct inode *ip;
    make_block_shared();
    inner = find_inode("/d/e");
    CHECK_EQUAL(-EIO, path_lookup(inner, "x", &ip));
    read_entries("/f", entries, 3);
    entries[1].inum = (uint16_t)inner->number;
    struct file *f = open_file("/f", O_RDWR);
    CHECK_EQUAL(sizeof entries, write_bytes(f, entries, sizeof entries));
    file_put(f);
    forget_inodes();
    CHECK_EQUAL(0, path_lookup(inner, "x/e/x", &ip)); // each is in the other
    inode_put(ip);
    run_tasks(2, remove_one_of_two, seed);
}

TEST(directories_may_contain_each_other) {
    for (uint64_t seed = 1; seed <= 20; seed++)
        IN_PROCESS(nest_in_each_other(seed));
}

// ---- Entries of free inodes ----

static struct task *creator, *looker;
static uint32_t free_number;
static int stage;

// Does not wait forever: a correct kernel may make one task wait for the other.
static void wait_for_stage(int wanted) {
    for (int i = 0; i < 1000 && stage < wanted; i++)
        task_yield();
}

enum { ALLOCATED = 1, OPENED, CREATED };

static void after_unlock(unsigned rank) {
    if (rank != RANK_ALLOCATE || task_self() != creator || stage != 0)
        return;
    stage = ALLOCATED; // the creator has the number, but not yet the inode
    wait_for_stage(OPENED);
}

static void before_lock(unsigned rank) {
    if (rank != RANK_INODE || task_self() != looker || stage != ALLOCATED)
        return;
    if (!inode_is_open(free_number))
        return;
    stage = OPENED; // the looker has opened the inode, which seems to be without links
    wait_for_stage(CREATED);
}

static void create_or_look(void *argument) {
    struct inode *ip;
    struct stat stat;
    if (argument == NULL) {
        creator = task_self();
        struct file *f = open_file("/e/c", O_CREATE | O_RDWR);
        CHECK_EQUAL(3, write_bytes(f, "abc", 3));
        stage = CREATED;
        for (int i = 0; i < 50; i++)
            task_yield();
        CHECK_EQUAL(0, file_stat(f, &stat));
        CHECK_EQUAL(1, stat.nlink);
        file_put(f);
    } else {
        looker = task_self();
        wait_for_stage(ALLOCATED);
        CHECK_EQUAL(-EIO, path_lookup(root, "/d/b", &ip));
        if (stage < OPENED)
            stage = OPENED;
    }
}

TEST(new_file_is_not_freed_through_a_stale_entry) {
    start(1000, 100, 100);
    CHECK_EQUAL(0, make("/d", T_DIR));
    CHECK_EQUAL(0, make("/e", T_DIR));
    CHECK_EQUAL(0, make("/d/b", T_FILE));
    free_number = number_of("/d/b");
    CHECK_EQUAL(0, path_unlink(root, "/d/b"));
    set_entry("/d", 2, "b", free_number);
    host_after_unlock = after_unlock;
    host_before_lock = before_lock;
    run_tasks(2, create_or_look, 1);
    host_after_unlock = host_before_lock = NULL;
    CHECK_EQUAL(free_number, number_of("/e/c"));
}

// ---- Oversized transactions ----

// A program that can change pointer blocks can make a transaction change more than was reserved.
TEST(oversized_transaction_stops_the_log) {
    struct block *b;
    start(2000, 100, 100);
    write_file("a", "x", 1);
    CHECK_EQUAL(0, log_begin());
    for (uint32_t i = 0; i < cache_size() + 10; i++) {
        b = cache_get_blank(500 + i);
        memset(b->data, 1, BLOCK_SIZE);
        log_write(b);
    }
    CHECK_EQUAL(-EIO, log_end());
    CHECK_EQUAL(-EIO, open_and_close("b", O_CREATE));
    CHECK_EQUAL(0, open_and_close("a", O_RDONLY));
    check_disk();
}

// ---- Orphans ----

// Makes files without names, each as large as the disk. All their pointer blocks are the same
// block, which points to itself.
static void make_endless_orphans(uint32_t count) {
    disk_format(1000, 100, 100);
    const struct superblock *super = (struct superblock *)disk_bytes;
    uint32_t block = super->data_start + 1;
    struct disk_inode orphan = {
        .type = T_FILE, .size = 900 * BLOCK_SIZE, .indirect = block, .double_indirect = block};
    for (unsigned i = 0; i < DIRECT_BLOCKS; i++)
        orphan.direct[i] = block;
    for (unsigned i = 0; i < POINTERS_PER_BLOCK; i++)
        ((uint32_t *)(disk_bytes + block * BLOCK_SIZE))[i] = block;
    for (uint32_t i = 0; i < count; i++)
        ((struct disk_inode *)(disk_bytes + super->inode_start * BLOCK_SIZE))[2 + i] = orphan;
    disk_bytes[super->log_start * BLOCK_SIZE] = 1; // so that the log seems to have been used
}

static void mount_with_orphans(uint32_t count, size_t *requests) {
    make_endless_orphans(count);
    size_t before = disk_request_count;
    CHECK_EQUAL(0, mount_disk(MACHINE_RAM));
    *requests = disk_request_count - before;
}

TEST(orphans_are_freed_up_to_the_size_of_the_disk) {
    size_t *requests = shared_memory(2 * sizeof *requests);
    IN_PROCESS(mount_with_orphans(1, &requests[0]));
    IN_PROCESS(mount_with_orphans(50, &requests[1]));
    CHECK(requests[1] < requests[0] + 100);
}
