import Testing

@testable import SlugStore

@Suite struct LayerPlanTests {
    private func entries(_ paths: [(String, Int64)]) -> [LayerPlan.Entry] {
        paths.map { path, bytes in
            LayerPlan.Entry(
                path: TreePath(unchecked: Array(path.utf8)), isDirectory: bytes < 0, bytes: max(bytes, 0))
        }
    }

    private func layers(_ entries: [LayerPlan.Entry], limit: Int = 4) -> [String: [String]] {
        Dictionary(
            uniqueKeysWithValues: LayerPlan(entries, limit: limit).layers.map { layer in
                (layer.directory?.description ?? "", layer.entries.map { entries[$0].path.description })
            })
    }

    @Test func `gives dependencies and what is large a layer of its own`() {
        let entries = self.entries([
            ("app", -1), ("app/main", 5), ("app/node_modules", -1), ("app/node_modules/x", 1 << 20), ("data", -1),
            ("data/large", 20 << 20), ("server", 1 << 30), ("vendor", -1), ("vendor/small", 10),
        ])
        #expect(
            self.layers(entries) == [
                "app/node_modules": ["app", "app/node_modules", "app/node_modules/x"],
                "data": ["data", "data/large"],
                "": ["app", "app/main", "server", "vendor", "vendor/small"],
            ])
    }

    @Test func `gives the largest what there are layers for, and none inside of another`() {
        let names = ["a", "b", "c"].flatMap { name -> [(String, Int64)] in
            let bytes: Int64 = name == "b" ? 9 << 20 : 1 << 20
            return [
                (name, -1), ("\(name)/vendor", -1), ("\(name)/vendor/node_modules", -1),
                ("\(name)/vendor/node_modules/x", bytes),
            ]
        }
        let layers = self.layers(self.entries(names), limit: 2)
        #expect(layers.keys.sorted() == ["", "a/vendor", "b/vendor"])
        #expect(self.layers(self.entries(names), limit: 0).keys.sorted() == [""])
        #expect(self.layers([]) == ["": []])
    }
}
