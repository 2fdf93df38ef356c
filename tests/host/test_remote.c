// The remote protocol of debuggers: frames of packets, and requests that make no sense. The machine
// executes what the requests ask for, so that they meet it in all states.
#include "test.h"

#include <string.h>

#include "debug/remote.h"
#include "debug/reverse.h"
#include "memory/host.h"

enum { ROUNDS = 30000, ANSWERS_BYTES = 1 << 16 };

void *host_alloc(size_t bytes) {
    return calloc(1, bytes);
}

void host_free(void *memory) {
    free(memory);
}

static char answers[ANSWERS_BYTES];
static size_t answered;

static void keep_answer(void *owner, const char *bytes, size_t count) {
    CHECK(count < sizeof answers - answered);
    memcpy(answers + answered, bytes, count);
    answered += count;
    answers[answered] = '\0';
}

// ---- A machine with a debugger ----

// Counts in a word, for ever: auipc a0, 1; ld a1, 0(a0); addi a1, a1, 1; sd a1, 0(a0); j .-12
static const uint32_t counting[] = {0x00001517, 0x00053583, 0x00158593, 0x00b53023, 0xff5ff06f};

static struct machine *machine;
static struct history history;
static struct remote remote;

static void start(void) {
    const struct machine_settings settings = {.harts = 2, .memory_bytes = 1 << 20, .seed = 5};
    machine = machine_create(&settings);
    CHECK(machine != NULL);
    CHECK(machine_load(machine, (struct machine_file){counting, sizeof counting}, NULL) == NULL);
    CHECK(history_init(&history, machine));
    remote_init(&remote, &history, keep_answer, NULL);
}

static void end(void) {
    history_destroy(&history);
    machine_destroy(machine);
}

static void receive(const char *bytes, size_t count) {
    answered = 0;
    answers[0] = '\0';
    for (size_t i = 0; i < count; i++)
        remote_receive(&remote, bytes[i]);
}

// Sends a packet with that text.
static const char *ask(const char *text) {
    char frame[2 * PACKET_BYTES];
    uint8_t sum = 0;
    for (const char *byte = text; *byte != '\0'; byte++)
        sum += *byte;
    int count = snprintf(frame, sizeof frame, "$%s#%02x", text, sum);
    receive(frame, count);
    return answers;
}

#define CHECK_ANSWER(expected, text) CHECK_EQUAL(0, strcmp(expected, ask(text)))

// ---- Frames ----

TEST(packet_is_acknowledged_and_answered) {
    start();
    CHECK_ANSWER("+$1#31", "qAttached");
    CHECK_ANSWER("+$#00", "qWhatIsThis");
    CHECK_ANSWER("+$OK#9a", "QStartNoAckMode");
    CHECK_ANSWER("$1#31", "qAttached");
    end();
}

TEST(damaged_packet_is_asked_for_again) {
    start();
    receive("$qAttached#00", 13);
    CHECK_EQUAL(0, strcmp("-", answers));
    receive("noise$qAtt$qAttached#8f", 23);
    CHECK_EQUAL(0, strcmp("+$1#31", answers));
    receive("-", 1);
    CHECK_EQUAL(0, strcmp("$1#31", answers));
    end();
}

TEST(long_packet_is_not_known) {
    static char text[2 * PACKET_BYTES - 8];
    start();
    memset(text, 'm', sizeof text - 1);
    CHECK_ANSWER("+$#00", text);
    memset(text, '}', sizeof text - 1);
    memcpy(text, "X80000000,ff0:", 14);
    text[PACKET_BYTES] = '\0';
    CHECK_ANSWER("+$E01#a6", text);
    end();
}

TEST(memory_is_read_and_written_inside) {
    start();
    CHECK_ANSWER("+$17150000#8e", "m80000000,4");
    CHECK_ANSWER("+$E14#aa", "m7fffffff,4");
    CHECK_ANSWER("+$0000#c0", "m800ffffe,ffffffffffffffff");
    CHECK_ANSWER("+$E14#aa", "M800ffffe,4:01020304");
    CHECK_ANSWER("+$0000#c0", "m800ffffe,2");
    CHECK_ANSWER("+$E01#a6", "M800ff000,ffffffffffffffff:01");
    CHECK_ANSWER("+$OK#9a", "X80001000,2:}\x03z");
    CHECK_ANSWER("+$237a#fd", "m80001000,2");
    end();
}

// ---- Requests that make no sense ----

static const char *const requests[] = {
    "g",
    "G0102030405060708",
    "p20",
    "P20=0000008000000000",
    "p1180",
    "P1180=0000000000000080",
    "p40",
    "P40=0100000000000000",
    "m80000000,20",
    "mffffffffffffffff,10",
    "M80000ff8,8:0102030405060708",
    "X80001000,3:}##",
    "Z0,80000004,4",
    "Z1,80000008,2",
    "z0,80000004,4",
    "Z2,80001000,8",
    "Z3,80001000,8",
    "Z4,80001004,2",
    "z2,80001000,8",
    "vCont?",
    "vCont;s:1;c",
    "vCont;s:2",
    "vCont;c",
    "vCont;C05:-1",
    "s",
    "c",
    "bs",
    "bc",
    "Hg2",
    "Hc1",
    "Hg-1",
    "T1",
    "T9",
    "D",
    "k",
    "?",
    "qC",
    "qfThreadInfo",
    "qsThreadInfo",
    "qThreadExtraInfo,2",
    "qSupported:a;b",
    "qXfer:features:read:target.xml:0,100",
    "qXfer:features:read:csr.xml:3f0,ffb",
    "qXfer:threads:read::0,1000",
    "qXfer:features:read::,",
    "qRcmd,74696d65",
    "qRcmd,68617368",
    "qRcmd,736e617073686f74",
    "qRcmd,73746f702d61742039",
    "qRcmd,zz",
    "Qqemu.PhyMemMode:1",
    "Qqemu.PhyMemMode:0",
    "QStartNoAckMode",
    "vKill;1",
    "vMustReplyEmpty",
};

// Does what a caller does with a wish, and not for long.
static void fulfill(void) {
    struct hart *h = &machine->system.harts[remote.wish_hart];
    switch (remote.wish) {
    case WISH_STEP:
        machine->system.breakpoints.stepped = h;
        history_run(&history, machine_time(machine) + 5000);
        machine->system.breakpoints.stepped = NULL;
        break;
    case WISH_RUN:
        history_run(&history, machine_time(machine) + host_random(2000));
        break;
    case WISH_STEP_BACK:
        reverse_step(&history, remote.wish_hart);
        break;
    case WISH_RUN_BACK:
        reverse_run(&history, machine_time(machine) - machine_time(machine) / 4, NULL, NULL);
        break;
    default:
        return;
    }
    remote_stopped(&remote, REMOTE_PAUSED);
}

// Changes a request in some places.
static void damage(char *text, size_t size) {
    static const char bytes[] = "0123456789abcdef,;:=-#$}\x03 vZzmXq";
    size_t length = strlen(text);
    for (unsigned i = host_random(4); i > 0 && length > 0; i--)
        text[host_random(length)] = bytes[host_random(sizeof bytes - 1)];
    if (host_random(8) == 0)
        text[host_random(length + 1)] = '\0';
    CHECK(length < size);
}

TEST(no_request_leaves_the_machine) {
    char text[200];
    host_random_seed(1);
    start();
    for (unsigned i = 0; i < ROUNDS; i++) {
        strcpy(text, requests[host_random(ARRAY_SIZE(requests))]);
        damage(text, sizeof text);
        ask(text);
        fulfill();
    }
    CHECK(machine_time(machine) > 0);
    end();
}

TEST(no_bytes_leave_the_machine) {
    host_random_seed(2);
    start();
    for (unsigned i = 0; i < 100 * ROUNDS; i++) {
        char byte = host_random(3) == 0 ? "$#+-\x03"[host_random(5)] : (char)host_random(256);
        receive(&byte, 1);
    }
    CHECK_EQUAL(0, machine_time(machine));
    end();
}
