// The file system used by many tasks at once: no task waits forever, nothing is lost, and what a
// task has checked is still true when it acts on it. Also what damaged images must not do to
// several tasks.
#include "fs/allocate.h"
#include "fs/check.h"
#include "fs_machine.h"
#include "sched/schedule.h"

enum { FILE_BLOCKS = 13 };

static uint64_t violations(void) {
    uint64_t found;
    CHECK_EQUAL(0, fs_check(&found));
    return found;
}

// ---- The cache's slots ----

enum { READERS = 192, FILE_BYTES = FILE_BLOCKS * BLOCK_SIZE };

// Makes the contents of a page, which differ from file to file.
static void page_of(unsigned file, unsigned page, char *bytes) {
    memset(bytes, (int)(file * 31 + page), BLOCK_SIZE);
    memcpy(bytes, &file, sizeof file);
}

static void make_file(unsigned file) {
    char name[16], *bytes = malloc(FILE_BYTES);
    for (unsigned page = 0; page < FILE_BLOCKS; page++)
        page_of(file, page, bytes + page * BLOCK_SIZE);
    snprintf(name, sizeof name, "f%u", file);
    write_file(name, bytes, FILE_BYTES);
    free(bytes);
}

// Maps as much of the cache as is allowed. The remaining slots are shared by everything else.
static void map_as_much_as_allowed(void) {
    static char bytes[400 * BLOCK_SIZE];
    struct frame *page;
    uint64_t n = 0;
    write_file("mapped", bytes, sizeof bytes);
    struct inode *ip = find_inode("mapped");
    while (inode_page(ip, n * BLOCK_SIZE, &page) == 0)
        n++;
    CHECK_EQUAL(cache_size() / 8 * 3, n);
    CHECK_EQUAL(0, cache_reserve((int64_t)cache_size() / 4));
    for (; n < cache_size() / 8 * 5; n++)
        CHECK_EQUAL(0, inode_page_shared(ip, n * BLOCK_SIZE, &page));
}

static void read_own_file(void *argument) {
    unsigned file = (unsigned)(uintptr_t)argument;
    char name[16], bytes[BLOCK_SIZE], wanted[BLOCK_SIZE];
    struct file *f;
    snprintf(name, sizeof name, "f%u", file);
    CHECK_EQUAL(0, file_open(root, name, O_RDONLY, &f));
    for (unsigned page = 0; page < FILE_BLOCKS; page++) {
        page_of(file, page, wanted);
        CHECK_EQUAL(BLOCK_SIZE, read_bytes(f, bytes, BLOCK_SIZE));
        CHECK(memcmp(wanted, bytes, BLOCK_SIZE) == 0);
    }
    file_put(f);
}

TEST(many_readers_share_the_remaining_slots) {
    start(6000, 300, 100);
    for (unsigned i = 0; i < READERS; i++)
        make_file(i);
    map_as_much_as_allowed();
    for (uint64_t seed = 1; seed <= 3; seed++)
        run_tasks(READERS, read_own_file, seed);
}

static void grow_and_empty_own_file(void *argument) {
    unsigned file = (unsigned)(uintptr_t)argument;
    char name[16];
    make_file(file);
    snprintf(name, sizeof name, "f%u", file);
    CHECK_EQUAL(0, open_and_close(name, O_TRUNC));
    make_file(file);
    read_own_file(argument);
}

TEST(many_writers_share_the_remaining_slots) {
    start(6000, 300, 100);
    map_as_much_as_allowed();
    run_tasks(READERS, grow_and_empty_own_file, 1);
    CHECK_EQUAL(0, violations());
    CHECK(disk_is_consistent(disk_bytes));
}

// ---- Create and remove ----

static bool makes_directories;

static void create_and_remove(void *argument) {
    struct file *f;
    char name[16];
    for (int i = 0; i < 150; i++) {
        snprintf(name, sizeof name, "n%u", host_random(2));
        if (host_random(2) == 0)
            path_unlink(root, name);
        else if (makes_directories && host_random(2) == 0)
            make(name, T_DIR);
        else if (file_open(root, name, O_CREATE | O_RDWR, &f) == 0) {
            for (uint32_t waits = host_random(4); waits > 0; waits--)
                task_yield();
            file_put(f);
        }
    }
}

static void write_and_remove(void *argument) {
    static char bytes[TRANSACTION_BYTES * 2];
    char name[16];
    struct file *f;
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "n%u", host_random(2));
        if (host_random(2) == 0)
            path_unlink(root, name);
        else if (file_open(root, name, O_CREATE | O_RDWR, &f) == 0) {
            write_bytes(f, bytes, host_random(sizeof bytes));
            file_put(f);
        }
    }
}

TEST(concurrent_create_and_remove_leaves_no_inode) {
    start(2000, 100, 100);
    for (uint64_t seed = 1; seed <= 10; seed++) {
        makes_directories = seed > 5;
        run_tasks(4, create_and_remove, seed);
        CHECK_EQUAL(0, violations());
    }
    CHECK(disk_is_consistent(disk_bytes));
}

static void remove_open_file(void *argument) {
    struct file *f;
    CHECK_EQUAL(0, file_open(root, "a", O_CREATE | O_RDWR, &f));
    CHECK_EQUAL(0, path_unlink(root, "a"));
    file_put(f); // frees the inode
}

static void make_and_remove_another(void *argument) {
    CHECK_EQUAL(0, open_and_close("b", O_CREATE | O_RDWR));
    CHECK_EQUAL(0, path_unlink(root, "b"));
}

// Tries every pair of places at which to switch tasks: one in the first task, one in the second.
TEST(inode_reused_while_being_freed_is_not_lost) {
    start(200, 100, 100);
    bool first_reached = true, second_reached = true;
    for (int first = 0; first_reached; first++) {
        second_reached = true;
        for (int second = 0; second_reached; second++) {
            int plan[] = {first, second, -1};
            host_plan = plan;
            host_task_start(remove_open_file, NULL);
            host_task_start(make_and_remove_another, NULL);
            host_task_wait_all();
            host_plan = NULL;
            first_reached = plan[0] < 0;
            second_reached = first_reached && plan[1] < 0;
            CHECK_EQUAL(0, violations());
        }
        CHECK(first > 0 || first_reached); // otherwise there are no such places
    }
    CHECK(disk_is_consistent(disk_bytes));
}

TEST(file_growing_while_removed_leaves_no_block) {
    start(2000, 100, 100);
    for (uint64_t seed = 1; seed <= 10; seed++) {
        run_tasks(4, write_and_remove, seed);
        CHECK_EQUAL(0, violations());
    }
    CHECK(disk_is_consistent(disk_bytes));
}

// ---- Emptying and mapping ----

enum { LARGE_BLOCKS = TRANSACTION_FREES + 500 };

static struct inode *shared;
static unsigned emptied_count, mapped_count;

static void empty_it(void *argument) {
    for (int i = 0; i < 20; i++) {
        int error = inode_truncate(shared);
        CHECK(error == 0 || error == -EBUSY);
        emptied_count += error == 0;
        task_yield();
    }
}

static uint64_t size_of_shared(void) {
    struct stat s;
    inode_stat(shared, &s);
    return s.size;
}

// Grows the file and maps it: from then on it must not shrink.
static void map_it(void *argument) {
    static char byte[3 * BLOCK_SIZE];
    for (int i = 0; i < 20; i++) {
        struct file *f;
        CHECK_EQUAL(0, file_open(root, "a", O_RDWR, &f));
        write_bytes(f, byte, sizeof byte);
        file_put(f);
        inode_count_mapping(shared, 1);
        uint64_t size = size_of_shared();
        for (int j = 0; j < 5; j++)
            task_yield();
        CHECK(size_of_shared() >= size);
        inode_count_mapping(shared, -1);
        mapped_count++;
    }
}

static void empty_or_map(void *argument) {
    ((uintptr_t)argument % 2 == 0 ? empty_it : map_it)(argument);
}

TEST(file_is_emptied_or_mapped_but_not_both) {
    start(4000, 50, 100);
    for (uint64_t seed = 1; seed <= 10; seed++) {
        write_file("a", "x", 1);
        shared = find_inode("a");
        run_tasks(4, empty_or_map, seed);
        inode_put(shared);
    }
    CHECK(emptied_count > 0 && mapped_count > 0);
    CHECK_EQUAL(0, violations());
}

static void map_in_the_middle(void *argument) {
    uint64_t before = size_of_shared();
    while (size_of_shared() == before)
        task_yield();
    inode_count_mapping(shared, 1);
    CHECK_EQUAL(0, size_of_shared());
    inode_count_mapping(shared, -1);
}

static void empty_or_map_in_the_middle(void *argument) {
    if (argument == NULL)
        CHECK_EQUAL(0, inode_truncate(shared));
    else
        map_in_the_middle(argument);
}

TEST(mapping_waits_until_a_large_file_is_empty) {
    static char bytes[LARGE_BLOCKS * BLOCK_SIZE];
    start(4000, 50, 100);
    write_file("a", bytes, sizeof bytes);
    shared = find_inode("a");
    run_tasks(2, empty_or_map_in_the_middle, 1);
    inode_put(shared);
    CHECK_EQUAL(0, violations());
}

// ---- Damaged directories ----

static const char *const cycle_paths[] = {"/d/e/x",     "/d/e",          "/d/e/x/e",  "/d",
                                          "/d/e/x/e/x", "/d/y/d/e",      "/d/self/e", "/d/e/f",
                                          "/d/y/z",     "/d/e/x/../e/f", "/d/gone",   "/d/gone/x"};

static void use_cycle(void *argument) {
    static char bytes[100];
    for (int i = 0; i < 60; i++) {
        const char *path = cycle_paths[host_random(ARRAY_SIZE(cycle_paths))];
        struct inode *ip;
        struct file *f;
        switch (host_random(5)) {
        case 0:
            path_unlink(root, path);
            break;
        case 1:
            make(path, host_random(2) ? T_DIR : T_FILE);
            break;
        case 2:
            path_link(root, "/file", path);
            break;
        case 3:
            if (file_open(root, path, O_CREATE | O_RDWR, &f) != 0)
                break;
            write_bytes(f, bytes, sizeof bytes);
            file_put(f);
            break;
        default:
            if (path_lookup(root, path, &ip) == 0)
                inode_put(ip);
        }
    }
}

// Makes two directories, /d and /d/e, with entries that lead back to /d; if `closed`, the ".." of
// /d names /d/e, too.
static void make_cycle(bool closed) {
    CHECK_EQUAL(0, make("/d", T_DIR));
    CHECK_EQUAL(0, make("/d/e", T_DIR));
    CHECK_EQUAL(0, make("/d/gone", T_FILE));
    CHECK_EQUAL(0, make("/d/self", T_FILE));
    CHECK_EQUAL(0, make("/d/y", T_FILE));
    write_file("/d/e/x", "x", 1);
    write_file("/file", "x", 1);
    write_file("/d/e/f", "x", 1);
    uint32_t d = number_of("/d"), gone = number_of("/d/gone");
    set_entry("/d/e", 2, "x", d);
    set_entry("/d", 4, "self", d);
    CHECK_EQUAL(0, path_unlink(root, "/d/gone"));
    set_entry("/d", 3, "gone", gone);
    set_entry("/d", 5, "y", ROOT_INODE);
    if (closed)
        set_entry("/d", 1, "..", number_of("/d/e"));
}

static void use_cycle_with_tasks(bool closed, uint64_t seed) {
    start(1000, 100, 100);
    make_cycle(closed);
    run_tasks(3, use_cycle, seed);
}

TEST(directory_cycles_cause_no_deadlock) {
    for (uint64_t seed = 1; seed <= 60; seed++)
        IN_PROCESS(use_cycle_with_tasks(seed % 2 == 0, seed));
}

TEST(entries_that_dangle_or_lead_back_are_errors) {
    start(1000, 100, 100);
    make_cycle(false);
    CHECK_EQUAL(-EIO, open_and_close("/d/e/x", O_RDONLY));
    CHECK_EQUAL(-EIO, path_unlink(root, "/d/e/x"));
    CHECK_EQUAL(-EIO, path_unlink(root, "/d/self"));
    CHECK_EQUAL(-EIO, open_and_close("/d/self", O_RDONLY));
    CHECK_EQUAL(-EIO, path_unlink(root, "/d/y"));
    CHECK_EQUAL(-EIO, open_and_close("/d/y/file", O_RDONLY));
    CHECK_EQUAL(-EIO, open_and_close("/d/gone", O_RDONLY));
    CHECK_EQUAL(-EIO, path_unlink(root, "/d/gone"));
    CHECK_EQUAL(0, open_and_close("/d/e/f", O_RDONLY));
    CHECK_EQUAL(0, open_and_close("/d/e/../e/f", O_RDONLY));
}

TEST(entries_for_an_unlinked_open_file_are_errors) {
    start(1000, 100, 100);
    struct file *f;
    CHECK_EQUAL(0, make("/d", T_DIR));
    CHECK_EQUAL(0, make("/d/x", T_FILE));
    write_file("/d/gone", "x", 1);
    uint32_t gone = number_of("/d/gone");
    CHECK_EQUAL(0, file_open(root, "/d/gone", O_RDONLY, &f));
    CHECK_EQUAL(0, path_unlink(root, "/d/gone"));
    set_entry("/d", 2, "x", gone);
    CHECK_EQUAL(-EIO, open_and_close("/d/x", O_RDONLY));
    CHECK_EQUAL(-EIO, path_unlink(root, "/d/x"));
    CHECK_EQUAL(-EIO, path_link(root, "/d/x", "/y"));
    file_put(f);
    CHECK_EQUAL(-EIO, open_and_close("/d/x", O_CREATE));
}

// Makes a file with two names, but a link count of one. A task that opens the second name must not
// bring a freed inode back to life, or free the number of the file that got it next.
static void make_two_names(void) {
    CHECK_EQUAL(0, make("/a", T_FILE));
    CHECK_EQUAL(0, make("/b", T_FILE));
    uint32_t a = number_of("/a");
    CHECK_EQUAL(0, path_unlink(root, "/b"));
    set_entry("/", 3, "b", a);
}

// How far the three tasks have come. Each waits for the one before it, but not forever, as a
// correct kernel makes some of them wait for each other.
static int stage;
static bool is_creator_in_between;

static void wait_for_stage(int wanted) {
    for (int i = 0; i < 1000 && stage < wanted; i++)
        task_yield();
}

static void reach_stage(int reached) {
    if (stage < reached)
        stage = reached;
}

enum { UNLINKED = 1, FREEING, OPENED, FREED, ALLOCATED, DROPPED };

static void before_lock(unsigned rank) {
    if (rank != RANK_ALLOCATE || stage != UNLINKED)
        return;
    reach_stage(FREEING); // the first task is about to free the number
    wait_for_stage(OPENED);
}

static void after_unlock(unsigned rank) {
    if (rank == RANK_DIRECTORY && stage == FREEING) {
        reach_stage(OPENED); // the second task has opened the inode
        wait_for_stage(ALLOCATED);
    } else if (rank == RANK_ALLOCATE && stage == FREED && is_creator_in_between) {
        reach_stage(ALLOCATED); // the third task has the number, but not yet the inode
        wait_for_stage(DROPPED);
    }
}

static void free_open_or_create(void *argument) {
    unsigned task = (unsigned)(uintptr_t)argument;
    struct file *f;
    if (task == 0) {
        CHECK_EQUAL(0, file_open(root, "/a", O_RDONLY, &f));
        CHECK_EQUAL(0, path_unlink(root, "/a"));
        reach_stage(UNLINKED);
        file_put(f);
        reach_stage(FREED);
    } else if (task == 1) {
        wait_for_stage(FREEING);
        CHECK_EQUAL(-EIO, open_and_close("/b", O_RDONLY));
        reach_stage(DROPPED);
    } else {
        wait_for_stage(FREED);
        is_creator_in_between = true;
        CHECK_EQUAL(0, make("/c", T_FILE));
    }
}

// The inode is opened at the moment at which its number is freed, and dropped when a new file has
// just got that number.
TEST(inode_is_not_opened_while_its_number_is_freed) {
    start(1000, 100, 100);
    make_two_names();
    host_before_lock = before_lock;
    host_after_unlock = after_unlock;
    run_tasks(3, free_open_or_create, 1);
    host_before_lock = host_after_unlock = NULL;
    CHECK_EQUAL(0, open_and_close("/c", O_RDONLY));
}

// The child is where "." should be.
TEST(directory_with_a_child_but_no_dots_is_not_empty) {
    start(1000, 100, 100);
    CHECK_EQUAL(0, make("/p", T_DIR));
    CHECK_EQUAL(0, make("/p/d", T_DIR));
    set_entry("/p", 0, "d", number_of("/p/d"));
    set_entry("/p", 2, "", 0);
    struct inode *up, *d = find_inode("/p/d");
    CHECK_EQUAL(-ENOTEMPTY, path_unlink(root, "/p"));
    set_entry("/p", 2, "", 0); // now /p is not indexed
    CHECK_EQUAL(-ENOTEMPTY, path_unlink(root, "/p"));
    CHECK_EQUAL(0, path_lookup(d, "..", &up));
    inode_put(up);
    inode_put(d);
}

TEST(parent_must_be_a_directory) {
    start(1000, 100, 100);
    CHECK_EQUAL(0, make("/d", T_DIR));
    CHECK_EQUAL(0, make("/file", T_FILE));
    struct inode *up, *d = find_inode("/d");
    d->parent = number_of("/file");
    CHECK_EQUAL(-EIO, path_lookup(d, "..", &up));
    inode_put(d);
}

// ---- Fairness ----

static unsigned rounds_of_others;

static void write_often(void *argument) {
    char name[16];
    snprintf(name, sizeof name, "f%u", (unsigned)(uintptr_t)argument);
    for (int i = 0; i < 200; i++) {
        write_file(name, "x", 1);
        rounds_of_others++;
    }
}

// Creates and removes a file, each of which takes a transaction. Meanwhile the other tasks, which
// open one transaction after another, may only begin those that they requested before.
static void wait_for_turns(void *argument) {
    for (int i = 0; i < 40; i++) {
        unsigned before = rounds_of_others;
        CHECK_EQUAL(0, i % 2 == 0 ? make("mine", T_FILE) : path_unlink(root, "mine"));
        CHECK(rounds_of_others - before <= 6);
    }
}

static void write_or_wait(void *argument) {
    (argument == NULL ? wait_for_turns : write_often)(argument);
}

TEST(transactions_begin_in_the_order_of_requests) {
    start(2000, 100, 100);
    for (uint64_t seed = 1; seed <= 5; seed++)
        run_tasks(4, write_or_wait, seed);
}

// ---- The checker ----

// Makes a file or directory of the largest size, whose pointer block points to itself.
static void make_endless(enum file_type type) {
    disk_format(1000, 100, 100);
    const struct superblock *super = (struct superblock *)disk_bytes;
    uint32_t block = super->data_start + 1;
    struct disk_inode inode = {.type = type, .nlink = 1, .size = FILE_BLOCKS_MAX * BLOCK_SIZE};
    if (type == T_DIR)
        inode.size = DIRECTORY_BYTES_MAX;
    inode.indirect = inode.double_indirect = block;
    for (unsigned i = 0; i < DIRECT_BLOCKS; i++)
        inode.direct[i] = block;
    for (unsigned i = 0; i < POINTERS_PER_BLOCK; i++)
        ((uint32_t *)(disk_bytes + block * BLOCK_SIZE))[i] = block;
    ((struct disk_inode *)(disk_bytes + super->inode_start * BLOCK_SIZE))[2] = inode;
    CHECK_EQUAL(0, mount_disk(MACHINE_RAM));
}

static void check_endless(enum file_type type) {
    struct inode *ip;
    make_endless(type);
    CHECK_EQUAL(-EIO, inode_open(2, &ip));
    CHECK_EQUAL(1, violations()); // that of the inode, whose blocks are not read
}

TEST(checker_terminates_on_endless_files) {
    IN_PROCESS(check_endless(T_FILE));
    IN_PROCESS(check_endless(T_DIR));
}

TEST(failed_truncation_keeps_the_size) {
    static char bytes[12 * BLOCK_SIZE + 100];
    char name[16];
    start(1000, 100, 100);
    write_file("a", bytes, sizeof bytes);
    shared = find_inode("a");
    disk_bad_block = shared->disk.indirect;
    for (int i = 0; i < 60; i++) { // evicts the pointer block from the cache
        snprintf(name, sizeof name, "g%d", i);
        write_file(name, bytes, sizeof bytes);
    }
    CHECK_EQUAL(-EIO, inode_truncate(shared));
    CHECK_EQUAL(sizeof bytes, size_of_shared());
    inode_put(shared);
}

TEST(checker_finds_lost_inodes_and_blocks) {
    start(1000, 100, 100);
    static char bytes[20 * BLOCK_SIZE];
    struct file *f;
    write_file("a", bytes, sizeof bytes); // has a pointer block
    CHECK_EQUAL(0, make("d", T_DIR));
    CHECK_EQUAL(0, violations());
    CHECK_EQUAL(0, file_open(root, "a", O_RDWR, &f));
    CHECK_EQUAL(0, path_unlink(root, "a"));
    CHECK_EQUAL(0, violations()); // the file is open
    file_put(f);
    CHECK_EQUAL(0, violations());
    uint32_t number;
    struct block_run run = {0};
    CHECK_EQUAL(0, log_begin());
    CHECK_EQUAL(0, inode_number_alloc(&number));
    CHECK_EQUAL(0, log_end());
    CHECK_EQUAL(1, violations()); // an inode without a name
    CHECK_EQUAL(0, log_begin());
    CHECK_EQUAL(0, block_take(&run, &number));
    CHECK_EQUAL(0, log_end());
    CHECK_EQUAL(2, violations()); // and a block of no file
    set_entry("/", 2, "e", number_of("/d"));
    CHECK_EQUAL(3, violations()); // and a second name of /d
    set_entry("/", 2, "", 0);
    set_entry("/", 3, "", 0);
    CHECK_EQUAL(3, violations()); // no name of /d instead
}

static void check_often(void *argument) {
    for (int i = 0; i < 20; i++) {
        CHECK_EQUAL(0, violations());
        task_yield();
    }
}

static void change_or_check(void *argument) {
    ((uintptr_t)argument == 0 ? check_often : write_and_remove)(argument);
}

TEST(checker_sees_no_partial_change) {
    start(2000, 100, 100);
    for (uint64_t seed = 1; seed <= 5; seed++)
        run_tasks(4, change_or_check, seed);
}
