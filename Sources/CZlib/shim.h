#pragma once
#include <zlib.h>

// inflateInit2 is a macro, which Swift does not import. 16 + MAX_WBITS: a gzip header is required.
static inline int slipway_inflate_init_gzip(z_stream *stream) {
    return inflateInit2(stream, 16 + MAX_WBITS);
}

// inflateInit is one as well.
static inline int slipway_inflate_init(z_stream *stream) {
    return inflateInit(stream);
}
