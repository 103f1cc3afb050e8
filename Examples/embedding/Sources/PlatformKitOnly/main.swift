import PlatformKit

let store = try SQLitePlatformStore()
let names = try await store.read { try $0.applications().map(\.name) }
print("\(names.count) applications")
