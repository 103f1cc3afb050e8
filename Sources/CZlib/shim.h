#pragma once
#include <zlib.h>

// inflateInit2 and deflateInit2 are macros, which Swift does not import. -MAX_WBITS: neither header nor checksum, as in zip.
static inline int slipway_inflate_init_raw(z_stream *stream) {
    return inflateInit2(stream, -MAX_WBITS);
}

// A gzip header that says nothing of when and where it was made.
static inline int slipway_deflate_init_gzip(z_stream *stream, int level) {
    static gz_header nameless = {.os = 255};
    int status = deflateInit2(stream, level, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    return status == Z_OK ? deflateSetHeader(stream, &nameless) : status;
}

// 16 + MAX_WBITS: a gzip header is required.
static inline int slipway_inflate_init_gzip(z_stream *stream) {
    return inflateInit2(stream, 16 + MAX_WBITS);
}

// inflateInit and deflateInit are macros as well.
static inline int slipway_deflate_init(z_stream *stream) {
    return deflateInit(stream, Z_DEFAULT_COMPRESSION);
}

static inline int slipway_inflate_init(z_stream *stream) {
    return inflateInit(stream);
}
