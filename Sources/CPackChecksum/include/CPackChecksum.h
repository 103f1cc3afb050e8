#pragma once
#include <stddef.h>
#include <stdint.h>

// SHA-1 over a stream: the checksum at the end of packs and indexes. libgit2 hashes whole objects only, and its hash looks
// for collision attacks, which cost three times as much and mean nothing here: objects are named by libgit2. On x86-64 it uses the
// processor's instructions for SHA-1 where it has them.

typedef struct {
    uint32_t state[5];
    uint64_t length;
    uint8_t block[64];
} slipway_sha1;

void slipway_sha1_start(slipway_sha1 *hash);
void slipway_sha1_update(slipway_sha1 *hash, const void *data, size_t count);
void slipway_sha1_finish(slipway_sha1 *hash, uint8_t digest[20]);

// The parts of it, for tests: adds blocks of 64 bytes to a state, in the fastest way that the processor knows, and in plain C.
void slipway_sha1_compress(uint32_t state[5], const uint8_t *data, size_t blocks);
void slipway_sha1_compress_portable(uint32_t state[5], const uint8_t *data, size_t blocks);
