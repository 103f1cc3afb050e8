#define _GNU_SOURCE
#include "CSlugStoreIO.h"

#ifdef __linux__
#include <errno.h>
#include <fcntl.h>
#endif

void slipway_start_writing(int descriptor, off_t offset, off_t count) {
#ifdef __linux__
    int before = errno;
    (void)sync_file_range(descriptor, offset, count, SYNC_FILE_RANGE_WRITE);
    errno = before;
#else
    (void)descriptor;
    (void)offset;
    (void)count;
#endif
}
