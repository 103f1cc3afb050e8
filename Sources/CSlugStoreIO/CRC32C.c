#include "CSlugStoreIO.h"

#include <string.h>

#if defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

// Four bits at a time: for processors without the instruction, and the few bytes that are left over.
static uint32_t bitwise(uint32_t crc, const unsigned char *bytes, size_t count) {
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
        0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    while (count--) {
        crc ^= *bytes++;
        crc = (crc >> 4) ^ table[crc & 15];
        crc = (crc >> 4) ^ table[crc & 15];
    }
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2")))
static uint32_t by_instruction(uint32_t crc, const unsigned char *bytes, size_t count) {
    uint64_t wide = crc;
    for (; count >= 8; bytes += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    return bitwise((uint32_t)wide, bytes, count);
}

static int has_instruction(void) { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
static uint32_t by_instruction(uint32_t crc, const unsigned char *bytes, size_t count) {
    for (; count >= 8; bytes += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        crc = __crc32cd(crc, word);
    }
    return bitwise(crc, bytes, count);
}

static int has_instruction(void) { return 1; }
#else
static uint32_t by_instruction(uint32_t crc, const unsigned char *bytes, size_t count) {
    return bitwise(crc, bytes, count);
}

static int has_instruction(void) { return 0; }
#endif

uint32_t slipway_crc32c(const void *bytes, size_t count) {
    return ~(has_instruction() ? by_instruction : bitwise)(~(uint32_t)0, bytes, count);
}
