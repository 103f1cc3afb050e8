import CZstd

/// zstd: one frame, with a checksum of its content.
final class ZstdStreamCompressor: StreamCompressor {
    private let context: OpaquePointer

    init(level: Int) throws(SlugStoreError) {
        guard let context = ZSTD_createCCtx() else {
            throw SlugStoreError(code: .inputOutput, message: "zstd could not be started: out of memory.")
        }
        self.context = context
        // Beyond 19, a reader needs more memory than many allow.
        _ = ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, CInt(min(max(level, 1), 19)))
        _ = ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
    }

    deinit { ZSTD_freeCCtx(self.context) }

    func compress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, isLast: Bool
    ) throws(SlugStoreError) -> (consumed: Int, produced: Int, isFlushed: Bool) {
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
        let result = ZSTD_compressStream2(self.context, &target, &source, isLast ? ZSTD_e_end : ZSTD_e_continue)
        guard ZSTD_isError(result) == 0 else {
            throw SlugStoreError(
                code: .inputOutput,
                message: "Compressing a stream: zstd says \(String(cString: ZSTD_getErrorName(result))).")
        }
        return (source.pos, target.pos, result == 0)
    }
}
