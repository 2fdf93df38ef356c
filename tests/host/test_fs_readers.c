// Tasks that read the same file, or search the same directory, at the same time.
#include "fs/directory.h"
#include "fs_machine.h"

static bool is_done;

// Gives other tasks time for whatever they can do without the caller.
static void let_others_run(void) {
    for (int i = 0; i < 100; i++)
        task_yield();
}

// Starts the task while the caller reads the inode, and tells whether it ends meanwhile.
static bool ends_beside_a_reader(const char *path, void (*body)(void *), void *argument) {
    struct inode *ip = find_inode(path);
    is_done = false;
    inode_lock_shared(ip);
    host_task_start(body, argument);
    let_others_run();
    bool ended = is_done;
    inode_unlock(ip);
    host_task_wait_all();
    CHECK(is_done);
    inode_put(ip);
    return ended;
}

// ---- Files ----

static void read_three_bytes(void *f) {
    char bytes[3];
    CHECK_EQUAL(3, read_bytes(f, bytes, 3));
    is_done = true;
}

static void write_three_bytes(void *f) {
    CHECK_EQUAL(3, write_bytes(f, "xyz", 3));
    is_done = true;
}

static struct file *start_with_file(void) {
    start(1000, 100, 100);
    write_file("a", "abcdef", 6);
    return open_file("a", O_RDWR);
}

TEST(a_file_is_read_by_many_at_once) {
    struct file *f = start_with_file();
    CHECK(ends_beside_a_reader("a", read_three_bytes, f));
    file_put(f);
}

TEST(a_file_is_not_written_while_it_is_read) {
    struct file *f = start_with_file();
    CHECK(!ends_beside_a_reader("a", write_three_bytes, f));
    file_put(f);
}

// Two tasks may use the open file, and with it the offset.
TEST(one_open_file_is_read_by_one_at_a_time) {
    struct file *f = start_with_file();
    CHECK(!ends_beside_a_reader("a", read_three_bytes, file_get(f)));
    file_put(f);
    file_put(f);
}

// ---- Directories ----

static void look_up(void *path) {
    CHECK(number_of(path) != 0);
    is_done = true;
}

static void start_with_directory(void) {
    start(1000, 100, 100);
    CHECK_EQUAL(0, make("/d", T_DIR));
    CHECK_EQUAL(0, make("/d/a", T_FILE));
}

TEST(a_directory_is_searched_by_many_at_once) {
    start_with_directory();
    CHECK(ends_beside_a_reader("/d", look_up, "/d/a"));
}

static bool is_indexed(const struct inode *dir) {
    uint32_t count;
    return nameindex_count(&dir->names, &count);
}

TEST(a_directory_is_indexed_by_a_task_that_is_alone) {
    static const union name a = {"a"};
    uint32_t number, place;
    start_with_directory();
    struct inode *dir = find_inode("/d");
    inode_lock(dir);
    nameindex_forget(&dir->names);
    inode_unlock(dir);
    inode_lock_shared(dir);
    CHECK_EQUAL(0, directory_find(dir, &a, &number, &place));
    CHECK(number != 0 && !is_indexed(dir));
    inode_unlock(dir);
    CHECK_EQUAL(number, number_of("/d/a"));
    CHECK(is_indexed(dir));
    inode_put(dir);
}
