#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

extension S3ObjectStore {
    /// Who asks.
    public struct Credentials: Sendable, Hashable, CustomStringConvertible {
        /// The public half.
        public var accessKeyID: String
        /// The secret half.
        public var secretAccessKey: String
        /// With credentials that last for a while only.
        public var sessionToken: String?

        /// Makes credentials.
        public init(accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil) {
            self.accessKeyID = accessKeyID
            self.secretAccessKey = secretAccessKey
            self.sessionToken = sessionToken
        }

        /// The public half alone, so that a log never has the secret.
        public var description: String { self.accessKeyID }
    }

    /// Where a URL has the bucket.
    public enum Addressing: Sendable, Hashable {
        /// `https://BUCKET.HOST/KEY`: what AWS wants.
        case virtualHost
        /// `https://HOST/BUCKET/KEY`: what most others, and buckets with dots in their names, need.
        case path
    }

    /// Which bucket, where, and how it is used.
    public struct Configuration: Sendable {
        /// The bucket, which must exist.
        public var bucket: String
        /// What comes before every key, for example `slugs/`: several stores may share a bucket. Default: nothing.
        public var prefix = ""
        /// The region that requests are signed for.
        public var region: String
        /// The server; AWS's of the region by default.
        public var endpoint: RemoteEndpoint
        /// Where a URL has the bucket; as AWS wants it for AWS, in the path for others by default.
        public var addressing: Addressing
        /// Who asks.
        public var credentials: Credentials
        /// Files from this size on are sent in parts, which fail and are repeated one by one. Default: 64 MiB.
        public var multipartBytes: Int64 = 64 << 20
        /// The size of a part, 5 MiB to 5 GiB; larger files have larger ones, since there are 10,000 at most. A part is read
        /// into memory. Default: 16 MiB.
        public var partBytes: Int64 = 16 << 20
        /// Parts that are sent at the same time. Default: 3.
        public var partsAtOnce = 3
        /// Whether requests over TLS do without the digest of what they send: that saves reading files twice, and leaves
        /// noticing damage on the way to TLS. Default: false.
        public var omitsPayloadDigest = false
        /// The most objects that a list may have. Default: 200,000.
        public var listedObjects = 200_000
        /// What requests are dated by; S3 refuses those that are 15 minutes off.
        public var now: @Sendable () -> Date = { Date() }

        /// The defaults for a bucket.
        /// - Parameters:
        ///   - bucket: The bucket.
        ///   - region: Its region.
        ///   - credentials: Who asks.
        ///   - endpoint: A server that is not AWS's.
        public init(bucket: String, region: String, credentials: Credentials, endpoint: RemoteEndpoint? = nil) {
            self.bucket = bucket
            self.region = region
            self.credentials = credentials
            self.endpoint = endpoint ?? RemoteEndpoint(host: "s3.\(region).amazonaws.com")
            self.addressing = endpoint == nil && !bucket.contains(".") ? .virtualHost : .path
        }
    }
}
