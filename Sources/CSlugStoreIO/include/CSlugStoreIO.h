#ifndef CSLUGSTOREIO_H
#define CSLUGSTOREIO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// Lets the system begin to write `count` bytes from `offset` of a file to the disk, without waiting for it.
/// Does nothing where there is no such call; a failure is told by the fsync that follows.
void slipway_start_writing(int descriptor, off_t offset, off_t count);

/// The CRC-32C (Castagnoli, RFC 3720, appendix B.4) of `count` bytes, by the processor's own instruction where it has one.
uint32_t slipway_crc32c(const void *bytes, size_t count);

#endif
