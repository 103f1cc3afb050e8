/// The place of a long-lived stream among the connections that are counted; given back when nobody has it any more.
final class StreamSeat {
    private let census: ConnectionCensus
    private let network: ClientAddress?

    /// - Parameter network: what the census has counted.
    init(_ census: ConnectionCensus, _ network: ClientAddress?) {
        self.census = census
        self.network = network
    }

    deinit { self.census.leave(self.network) }
}
