// How unkind the machine is: what it does that the specification allows and QEMU does not.
#pragma once

enum profile {
    PROFILE_TLB = 1,     // page table entries are forgotten when they must be, and by chance
    PROFILE_SVADE = 2,   // accessed and dirty bits are the kernel's: a fault asks for them
    PROFILE_ICACHE = 4,  // fetches see old bytes until fence.i
    PROFILE_STORES = 8,  // stores wait in a buffer; sc fails by chance
    PROFILE_TIMING = 16, // timers ring late, wfi returns early, disk requests overtake others
};
