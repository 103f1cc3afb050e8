#ifndef CSLUGSTOREIO_H
#define CSLUGSTOREIO_H

#include <sys/types.h>

/// Lets the system begin to write `count` bytes from `offset` of a file to the disk, without waiting for it.
/// Does nothing where there is no such call; a failure is told by the fsync that follows.
void slipway_start_writing(int descriptor, off_t offset, off_t count);

#endif
