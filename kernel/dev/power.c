// Powering off: by QEMU's test device ("sifive,test1"), which takes an exit status, or by the firmware.
#include "dev/power.h"

#include "arch/address.h"
#include "arch/hart.h"
#include "dev/machine.h"

enum { FINISHER_PASS = 0x5555, FINISHER_FAIL = 0x3333 };

static volatile uint32_t *finisher; // [I] NULL: the machine has none

void power_init(const struct machine *m)
{
    if (m->finisher != 0)
        finisher = phys_to_ptr(m->finisher);
}

_Noreturn void power_off(int status)
{
    if (finisher != NULL)
        *finisher = (status & 0xff) == 0 ? FINISHER_PASS : (uint32_t)(status & 0xff) << 16 | FINISHER_FAIL;
    firmware_power_off(status != 0);
    for (;;)
        hart_wait();
}
