import SlugStore
import SlugStoreRemotes
import Testing

@Suite struct AddressTests {
    @Test(
        arguments: [
            (
                "s3://b1?region=eu-west-1",
                .bucket(name: "b1", prefix: "", region: "eu-west-1", endpoint: nil, nil), .writeThrough
            ),
            (
                "s3://b1/a/b?region=r&endpoint=http://127.0.0.1:9000&addressing=virtual-host&mode=write-back",
                .bucket(
                    name: "b1", prefix: "a/b/", region: "r",
                    endpoint: RemoteEndpoint(isSecure: false, host: "127.0.0.1", port: 9000), .virtualHost), .writeBack
            ),
            (
                "oci://registry.example.org/team/slugs",
                .registry(RemoteEndpoint(host: "registry.example.org"), repository: "team/slugs"), .writeThrough
            ),
            (
                "oci://localhost:5000/slugs?mode=write-through",
                .registry(RemoteEndpoint(isSecure: false, host: "localhost", port: 5000), repository: "slugs"),
                .writeThrough
            ),
        ] as [(String, RemoteAddress.Kind, TieredSlugRepository.Mode)])
    func `addresses are read`(text: String, kind: RemoteAddress.Kind, mode: TieredSlugRepository.Mode) throws {
        let address = try RemoteAddress(text)
        #expect(address.kind == kind && address.mode == mode)
    }

    @Test(arguments: [
        "", "slugs", "s3://", "s3://b", "s3://b?region=", "s3://b?region=r&region=r",
        "s3://b?region=r&endpoint=nowhere",
        "s3://b?region=r&other=1", "s3://b?region=r&mode=fast", "s3://b?region=r&addressing=x", "s3://b?region",
        "oci://registry", "oci:///slugs", "oci://a b/slugs", "oci://registry/slugs?region=r", "http://host",
    ])
    func `what is no address is refused`(text: String) {
        #expect(throws: SlugStoreError.self) { try RemoteAddress(text) }
    }

    @Test func `names that no server knows are refused before it is asked`() async throws {
        try await withClient { client in
            let transport = makeTransport(client)
            for text in ["s3://B?region=r", "s3://bb?region=r", "s3://bucket/../x?region=r", "oci://host/UPPER"] {
                let error = await slugStoreError { () throws(SlugStoreError) in
                    _ = try RemoteAddress(text).objectStore(
                        credentials: .init(user: "u", password: "p"), transport: transport)
                }
                #expect(error?.code == .remoteRefused, "\(text)")
            }
            let error = await slugStoreError { () throws(SlugStoreError) in
                _ = try RemoteAddress("s3://bucket?region=r").objectStore(credentials: nil, transport: transport)
            }
            #expect(error?.code == .unauthorised)
        }
    }
}
