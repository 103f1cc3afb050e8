#include "CPackChecksum.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#include <stdatomic.h>
#endif

static inline uint32_t rotate(uint32_t value, int by) { return value << by | value >> (32 - by); }

static inline uint32_t word(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

#define W(i) (w[(i) & 15] = rotate(w[((i) + 13) & 15] ^ w[((i) + 8) & 15] ^ w[((i) + 2) & 15] ^ w[(i) & 15], 1))
#define ROUND(f, k, next)                                                                                              \
    do {                                                                                                               \
        uint32_t t = rotate(a, 5) + (f) + e + (k) + (next);                                                            \
        e = d, d = c, c = rotate(b, 30), b = a, a = t;                                                                 \
    } while (0)

void slipway_sha1_compress_portable(uint32_t state[5], const uint8_t *data, size_t blocks) {
    while (blocks-- > 0) {
        uint32_t w[16];
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
        int i = 0;
        for (; i < 16; i++) {
            w[i] = word(data + 4 * i);
            ROUND(d ^ (b & (c ^ d)), 0x5A827999, w[i]);
        }
        for (; i < 20; i++) ROUND(d ^ (b & (c ^ d)), 0x5A827999, W(i));
        for (; i < 40; i++) ROUND(b ^ c ^ d, 0x6ED9EBA1, W(i));
        for (; i < 60; i++) ROUND((b & c) | (d & (b | c)), 0x8F1BBCDC, W(i));
        for (; i < 80; i++) ROUND(b ^ c ^ d, 0xCA62C1D6, W(i));
        state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
        data += 64;
    }
}

#if defined(__x86_64__)
// The same with the processor's own instructions for it, which take a third of the time: four rounds at once.
#define FOUR(i, f)                                                                                                     \
    do {                                                                                                               \
        if ((i) >= 4) {                                                                                                \
            __m128i mixed = _mm_xor_si128(_mm_sha1msg1_epu32(w[(i) & 3], w[((i) + 1) & 3]), w[((i) + 2) & 3]);         \
            w[(i) & 3] = _mm_sha1msg2_epu32(mixed, w[((i) + 3) & 3]);                                                  \
        }                                                                                                              \
        __m128i next = (i) == 0 ? _mm_add_epi32(e, w[0]) : _mm_sha1nexte_epu32(e, w[(i) & 3]);                         \
        e = abcd;                                                                                                      \
        abcd = _mm_sha1rnds4_epu32(abcd, next, f);                                                                     \
    } while (0)

__attribute__((target("sha,sse4.1"))) static void compress_sha(uint32_t state[5], const uint8_t *data, size_t blocks) {
    const __m128i order = _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f);
    __m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0x1B);
    __m128i e = _mm_set_epi32((int)state[4], 0, 0, 0);
    while (blocks-- > 0) {
        __m128i before = abcd, e_before = e, w[4];
        for (int i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(data + 16 * i)), order);
        FOUR(0, 0); FOUR(1, 0); FOUR(2, 0); FOUR(3, 0); FOUR(4, 0);
        FOUR(5, 1); FOUR(6, 1); FOUR(7, 1); FOUR(8, 1); FOUR(9, 1);
        FOUR(10, 2); FOUR(11, 2); FOUR(12, 2); FOUR(13, 2); FOUR(14, 2);
        FOUR(15, 3); FOUR(16, 3); FOUR(17, 3); FOUR(18, 3); FOUR(19, 3);
        e = _mm_sha1nexte_epu32(e, e_before);
        abcd = _mm_add_epi32(abcd, before);
        data += 64;
    }
    _mm_storeu_si128((__m128i *)state, _mm_shuffle_epi32(abcd, 0x1B));
    state[4] = (uint32_t)_mm_extract_epi32(e, 3);
}

// What the processor has does not change; to ask it costs more than to hash a block, so the answer is kept.
static int has_sha(void) {
    static _Atomic int known;  // 0: not asked, 1: no, 2: yes
    int answer = atomic_load_explicit(&known, memory_order_relaxed);
    if (answer == 0) {
        unsigned a, b, c, d;
        int yes = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_1) && (c & bit_SSSE3)
            && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
        answer = yes ? 2 : 1;
        atomic_store_explicit(&known, answer, memory_order_relaxed);
    }
    return answer == 2;
}
#endif

void slipway_sha1_compress(uint32_t state[5], const uint8_t *data, size_t blocks) {
#if defined(__x86_64__)
    if (has_sha()) {
        compress_sha(state, data, blocks);
        return;
    }
#endif
    slipway_sha1_compress_portable(state, data, blocks);
}

void slipway_sha1_start(slipway_sha1 *hash) {
    static const uint32_t start[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    memcpy(hash->state, start, sizeof start);
    hash->length = 0;
}

void slipway_sha1_update(slipway_sha1 *hash, const void *data, size_t count) {
    if (count == 0) return;  // There may be no data then, not even an address of it.
    const uint8_t *bytes = data;
    size_t filled = hash->length & 63;
    hash->length += count;
    if (filled > 0) {
        size_t part = count < 64 - filled ? count : 64 - filled;
        memcpy(hash->block + filled, bytes, part);
        bytes += part, count -= part;
        if (filled + part < 64) return;
        slipway_sha1_compress(hash->state, hash->block, 1);
    }
    slipway_sha1_compress(hash->state, bytes, count / 64);
    if (count & 63) memcpy(hash->block, bytes + (count & ~(size_t)63), count & 63);
}

void slipway_sha1_finish(slipway_sha1 *hash, uint8_t digest[20]) {
    static const uint8_t padding[64] = {0x80};
    uint64_t bits = hash->length * 8;
    uint8_t end[8];
    for (int i = 0; i < 8; i++) end[i] = (uint8_t)(bits >> (56 - 8 * i));
    slipway_sha1_update(hash, padding, 1 + ((119 - (hash->length & 63)) & 63));
    slipway_sha1_update(hash, end, 8);
    for (int i = 0; i < 20; i++) digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i & 3)));
}
