// Failing disks and damaged images: calls give errors, and the file system stays consistent.
#include "fs/allocate.h"
#include "fs/check.h"
#include "fs_machine.h"
#include "fs_work.h"

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

TEST(failing_disk_gives_errors_and_stays_consistent) {
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
    fs_check(&violations); // whatever it finds, it returns
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

// Changes a few numbers in important blocks.
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
    // Usually leaves no log to replay, which would undo the damage.
    if (host_random(4) != 0)
        memset(image + BLOCK_SIZE, 0, (size_t)super.log_blocks * BLOCK_SIZE);
}

TEST(damaged_images_give_errors) {
    uint8_t *good = shared_memory(600 * BLOCK_SIZE);
    uint8_t *image = malloc(600 * BLOCK_SIZE);
    IN_PROCESS(make_image(good));
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

TEST(records_after_a_damaged_start_never_count) {
    uint8_t *image = shared_memory(600 * BLOCK_SIZE);
    IN_PROCESS(make_letter(image));
    IN_PROCESS(write_and_save(image, 'a', image)); // the first record is replayed
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
    find_inode("d"); // stays in use
    struct file *f = open_file("f", O_CREATE | O_RDWR);
    CHECK_EQUAL(sizeof data, write_bytes(f, data, sizeof data));
    CHECK_EQUAL(0, path_unlink(root, "f"));
    CHECK_EQUAL(0, path_unlink(root, "d"));
    memcpy(saved, disk_bytes, 600 * BLOCK_SIZE);
}

TEST(orphans_are_freed_at_the_next_start) {
    uint8_t *image = shared_memory(600 * BLOCK_SIZE);
    IN_PROCESS(leave_open(image));
    IN_PROCESS(start_again(image));
}

// ---- Runs of blocks ----

// Returns the number of the file's block, one of its direct ones.
static uint32_t block_number(const char *path, unsigned index) {
    struct inode *ip = find_inode(path);
    uint32_t number = ip->disk.direct[index];
    inode_put(ip);
    return number;
}

TEST(new_blocks_fill_gaps_before_they_follow_the_others) {
    start(300, 50, 50);
    static char data[4 * BLOCK_SIZE];
    fill(data, sizeof data, 1);
    write_file("a", data, BLOCK_SIZE);
    write_file("gap", data, 2 * BLOCK_SIZE);
    write_file("b", data, BLOCK_SIZE);
    uint32_t gap = block_number("gap", 0), end = block_number("b", 0) + 1;
    CHECK_EQUAL(0, path_unlink(root, "gap"));
    write_file("c", data, sizeof data);
    uint32_t wanted[] = {gap, gap + 1, end, end + 1};
    for (unsigned i = 0; i < ARRAY_SIZE(wanted); i++)
        CHECK_EQUAL(wanted[i], block_number("c", i));
    check_file("c", sizeof data, 1);
    check_disk();
    CHECK_EQUAL(0, path_unlink(root, "c"));
    check_disk();
}

TEST(rest_of_a_run_is_given_back) {
    start(300, 50, 50);
    struct block_run run = {.wanted = 5}, other = {0};
    uint32_t first, second, third;
    CHECK_EQUAL(0, log_begin());
    CHECK_EQUAL(0, block_take(&run, &first));
    CHECK_EQUAL(0, block_take(&run, &second));
    CHECK_EQUAL(first + 1, second);
    CHECK_EQUAL(0, block_take(&other, &third));
    CHECK_EQUAL(first + 5, third);
    block_run_end(&run);
    CHECK_EQUAL(0, block_take(&other, &third));
    CHECK_EQUAL(first + 2, third);
    CHECK_EQUAL(0, log_end());
}

TEST(runs_do_not_cross_blocks_of_the_bitmap) {
    enum { BLOCKS = BITS_PER_BLOCK + 10, LAST = BITS_PER_BLOCK - 1 };
    start(BLOCKS, 50, 50);
    struct block_run all = {.wanted = BLOCKS}, run = {.wanted = 4};
    uint32_t number;
    CHECK_EQUAL(0, log_begin());
    CHECK_EQUAL(0, block_take(&all, &number));
    CHECK_EQUAL(LAST, number + all.left);
    all.left -= 2;
    block_give(&run, LAST);
    block_give(&run, LAST - 1);
    block_run_end(&run);
    for (uint32_t wanted = LAST - 1; wanted < LAST + 3; wanted++) {
        CHECK_EQUAL(0, block_take(&run, &number));
        CHECK_EQUAL(wanted, number);
    }
    for (; number >= LAST - 1; number--)
        block_give(&run, number);
    block_run_end(&run);
    block_run_end(&all);
    CHECK_EQUAL(0, log_end());
}

// The file grows by one block of four, because the pointer to the next ones is damaged.
TEST(growth_that_stops_half_way_loses_no_block) {
    enum { BEFORE = DIRECT_BLOCKS - 1 };
    start(300, 50, 50);
    static char data[BEFORE * BLOCK_SIZE];
    write_file("a", data, sizeof data);
    struct file *f = open_file("a", O_RDWR);
    struct inode *ip = find_inode("a");
    CHECK_EQUAL(sizeof data, read_bytes(f, data, sizeof data));
    ip->disk.indirect = 1;
    CHECK_EQUAL(BLOCK_SIZE, write_bytes(f, data, 4 * BLOCK_SIZE));
    check_disk(); // the bad pointer was cleared
    CHECK_EQUAL(1, write_bytes(f, data, 1));
    check_disk();
    inode_put(ip);
    file_put(f);
}
