#include "CPackChecksum.h"

#include <string.h>

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

static void compress(uint32_t state[5], const uint8_t *data, size_t blocks) {
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

void slipway_sha1_start(slipway_sha1 *hash) {
    static const uint32_t start[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    memcpy(hash->state, start, sizeof start);
    hash->length = 0;
}

void slipway_sha1_update(slipway_sha1 *hash, const void *data, size_t count) {
    const uint8_t *bytes = data;
    size_t filled = hash->length & 63;
    hash->length += count;
    if (filled > 0) {
        size_t part = count < 64 - filled ? count : 64 - filled;
        memcpy(hash->block + filled, bytes, part);
        bytes += part, count -= part;
        if (filled + part < 64) return;
        compress(hash->state, hash->block, 1);
    }
    compress(hash->state, bytes, count / 64);
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
