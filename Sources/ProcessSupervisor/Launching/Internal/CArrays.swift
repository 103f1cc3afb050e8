/// Calls `body` with a NULL-terminated array of C strings.
func withCStrings<R>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> R
) -> R {
    // One block for all: an array of copies that are freed with it.
    var offsets: [Int] = []
    var bytes: [CChar] = []
    for string in strings {
        offsets.append(bytes.count)
        bytes += string.utf8CString
    }
    return bytes.withUnsafeMutableBufferPointer { bytes in
        var pointers: [UnsafeMutablePointer<CChar>?] = offsets.map { offset in bytes.baseAddress.map { $0 + offset } }
        pointers.append(nil)
        return pointers.withUnsafeBufferPointer { pointers in
            guard let base = pointers.baseAddress else { preconditionFailure("an array with an element has a base") }
            return body(base)
        }
    }
}

/// Calls `body` with the elements of three arrays.
func withBuffers<A, B, C, R>(
    _ first: [A], _ second: [B], _ third: [C],
    _ body: (UnsafeBufferPointer<A>, UnsafeBufferPointer<B>, UnsafeBufferPointer<C>) -> R
) -> R {
    first.withUnsafeBufferPointer { first in
        second.withUnsafeBufferPointer { second in
            third.withUnsafeBufferPointer { third in body(first, second, third) }
        }
    }
}
