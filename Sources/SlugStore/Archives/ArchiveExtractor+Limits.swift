extension ArchiveExtractor.Limits {
    /// What a tar archive may be without its compression: its files, and what is around them.
    var maxUnpackedBytes: Int64 {
        let around = Int64(clamping: self.maxEntries).multipliedReportingOverflow(by: 4096)
        let sum = self.maxBytes.addingReportingOverflow((around.overflow ? .max / 2 : around.partialValue) + (16 << 20))
        return sum.overflow ? .max : sum.partialValue
    }

    /// Throws if so many bytes are too many to come from so few.
    func checkRatio(_ bytes: Int64, of archiveBytes: Int64, at place: @autoclosure () -> String) throws(SlugStoreError)
    {
        guard bytes > self.ratioGraceBytes, bytes / max(archiveBytes, 1) > Int64(self.maxRatio) else { return }
        throw SlugStoreError(
            code: .limitExceeded,
            message:
                "The archive is a bomb: \(archiveBytes) bytes of it have become \(bytes) at \(place()); the limit is "
                + "\(self.maxRatio) for one.")
    }
}
