import CZstd

/// zstd: any number of frames one after the other.
final class ZstdStreamDecompressor: Decompressor {
    private let context: OpaquePointer
    private let maxWindowBytes: Int
    private(set) var isComplete = false

    init(maxWindowBytes: Int) throws(SlugStoreError) {
        guard let context = ZSTD_createDCtx() else {
            throw SlugStoreError(code: .inputOutput, message: "zstd could not be started: out of memory.")
        }
        self.context = context
        self.maxWindowBytes = maxWindowBytes
        // The window is what a decompressor must hold, and the archive chooses it.
        let log = max(maxWindowBytes, 1).bitWidth - 1 - max(maxWindowBytes, 1).leadingZeroBitCount
        let bounds = ZSTD_dParam_getBounds(ZSTD_d_windowLogMax)
        _ = ZSTD_DCtx_setParameter(
            context, ZSTD_d_windowLogMax, min(max(CInt(log), bounds.lowerBound), bounds.upperBound))
    }

    deinit { ZSTD_freeDCtx(self.context) }

    func decode(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(SlugStoreError) -> (consumed: Int, produced: Int) {
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
        let result = ZSTD_decompressStream(self.context, &target, &source)
        guard ZSTD_isError(result) == 0 else {
            if ZSTD_getErrorCode(result) == ZSTD_error_frameParameter_windowTooLarge {
                throw SlugStoreError(
                    code: .limitExceeded,
                    message:
                        "The archive was compressed with a zstd window of more than \(self.maxWindowBytes) bytes, which is "
                        + "the limit. Compress it with level 19 or less, and without --long.")
            }
            throw SlugStoreError(
                code: .invalidArchive,
                message: "The archive's zstd stream is damaged: \(String(cString: ZSTD_getErrorName(result))).")
        }
        if source.pos > 0 || target.pos > 0 { self.isComplete = result == 0 }
        return (source.pos, target.pos)
    }
}
