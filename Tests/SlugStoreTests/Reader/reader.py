#!/usr/bin/env python3
"""Reads slug repositories ("slipway-slugs 1") as SlugFormat.md describes them; shares no code with what writes them.

    reader.py REPOSITORY list                prints the identifiers, sorted
    reader.py REPOSITORY get ID DIRECTORY    makes the tree of a slug in a new directory
    reader.py REPOSITORY metadata ID         prints the metadata of a slug as JSON
    reader.py REPOSITORY verify              checks everything that is there

The repository is taken to be hostile: files are opened without following links, and sizes are checked before anything is
read or allocated. Whatever is not as documented is one line on standard error and exit status 1.
"""
import collections, ctypes, fcntl, functools, hashlib, json, os, re, shutil, stat, sys

KIB, MIB, HEX = 1 << 10, 1 << 20, "[0-9a-f]{64}"
FRAME, FRAME_STORED = 16 * MIB, 32 * MIB  # content of a frame, and what that may take in a pack
RECORD, INDEX, MANIFEST, LIST, LEVELS = 256 * MIB, 1 << 30, 256 * MIB, 64 * MIB, 8
PATH, TARGET = 4095, 64 * KIB
# How content is cut: at least, around, at most, upper bits that are 0 at a cut before the average, and from there on.
FILE_CUT, LIST_CUT = (16 * KIB, 64 * KIB, 256 * KIB, 18, 14), (128, 512, 2048, 11, 7)
DIRECTORY, REGULAR, EXECUTABLE, LINK = range(4)
KEYS = {"bytes": int, "createdAt": int, "files": int, "id": str, "levels": int, "manifest": list, "metadata": dict,
        "newBytesStored": int, "version": int}
Entry = collections.namedtuple("Entry", "path kind chunks target")  # a chunk is (digest in hexadecimal, length)

class Bad(Exception):
    """Something is not as the document says."""

def need(condition, where, what):
    if not condition:
        raise Bad(f"{where}: {what}")

def digest(data):
    return hashlib.sha256(data).hexdigest()

CRC = [0] * 256
for number in range(256):
    word = number
    for _ in range(8):
        word = word >> 1 ^ (0x82F63B78 if word & 1 else 0)
    CRC[number] = word

def crc32c(data):
    word = 0xFFFFFFFF
    for byte in data:
        word = word >> 8 ^ CRC[(word ^ byte) & 255]
    return word ^ 0xFFFFFFFF

class Cursor:
    """Takes documented values from bytes, and refuses those in another than their shortest form."""
    def __init__(self, data, where, at=0):
        self.data, self.where, self.at = data, where, at

    def take(self, count):
        need(count <= len(self.data) - self.at, self.where, f"ends too early, at byte {self.at}")
        self.at += count
        return self.data[self.at - count:self.at]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            need((byte or not shift) and value < 1 << 64, self.where, f"number of a wrong form before byte {self.at}")
            if byte < 128:
                return value
            shift += 7

    def counted(self):
        return self.take(self.varint())

    def text(self):
        try:
            return self.counted().decode()
        except UnicodeDecodeError:
            raise Bad(f"{self.where}: text that is not UTF-8 before byte {self.at}") from None

    def chunk(self, most=FILE_CUT[2]):
        length = self.varint()
        need(0 < length <= most, self.where, f"chunk of {length} bytes before byte {self.at}")
        return self.take(32).hex(), length

    def end(self):
        need(self.at == len(self.data), self.where, f"bytes left over from byte {self.at}")

@functools.lru_cache(None)
def gear():
    state, table, mask = 0x736C75672D763031, [], (1 << 64) - 1
    for _ in range(256):  # SplitMix64
        state = z = (state + 0x9E3779B97F4A7C15) & mask
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & mask
        table.append(z ^ z >> 31)
    return table

def cut(data, rule):
    """How long the first chunk of the data is."""
    least, average, most, before, after = rule
    fingerprint, table, mask = 0, gear(), (1 << 64) - 1
    for begin, end, bits in ((least, average, before), (average, most, after)):
        for position, byte in enumerate(data[begin:end], begin):
            fingerprint = (fingerprint << 1) + table[byte] & mask
            if not fingerprint >> 64 - bits:
                return position + 1
    return min(len(data), most)

def zstd(data, size, where):
    """The content of one zstd frame, which must be all of the data, and have a content of exactly this size."""
    library, content = ctypes.CDLL("libzstd.so.1"), ctypes.create_string_buffer(size)
    library.ZSTD_findFrameCompressedSize.restype = library.ZSTD_decompress.restype = ctypes.c_size_t
    length = library.ZSTD_findFrameCompressedSize(data, ctypes.c_size_t(len(data)))
    need(length == len(data), where, "not one zstd frame")
    length = library.ZSTD_decompress(content, ctypes.c_size_t(size), data, ctypes.c_size_t(len(data)))
    need(length == size, where, "zstd frame that cannot be decompressed, or to another size")
    return content.raw

def open_file(path, where):
    try:
        file = open(path, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK))
    except OSError as error:
        raise Bad(f"{where}: {error.strerror}") from None
    need(stat.S_ISREG(os.fstat(file.fileno()).st_mode), where, "not a file")
    return file

def unique(pairs):
    need(len(dict(pairs)) == len(pairs), "object", "key that is there twice")
    return dict(pairs)

class Manifest:
    """A canonical manifest. Its entries are parsed whenever they are walked: paths can take far more memory than their data."""
    def __init__(self, data, where):
        need(data[:14] == b"slipway-slug\0\1", where, "not a manifest of version 1")
        self.where, self.data, cursor = where, data, Cursor(data, where, 14)
        types, buildpacks, labels = self.pairs(cursor), [cursor.text() for _ in range(cursor.varint())], self.pairs(cursor)
        self.metadata = {"processTypes": types, "buildpacks": buildpacks, "labels": labels}
        self.start, self.files, self.bytes = cursor.at, 0, 0
        for entry in self.entries():
            self.files += entry.kind in (REGULAR, EXECUTABLE)
            self.bytes += sum(length for _, length in entry.chunks)

    def pairs(self, cursor):
        pairs = [(cursor.text(), cursor.text()) for _ in range(cursor.varint())]
        keys = [key.encode() for key, _ in pairs]
        need(all(a < b for a, b in zip(keys, keys[1:])), self.where, "keys are not ascending")
        return dict(pairs)

    def entries(self):
        cursor, before, parents = Cursor(self.data, self.where, self.start), b"", [b""]
        for _ in range(cursor.varint()):
            shared, rest = cursor.varint(), cursor.counted()
            need(shared <= len(before) and shared + len(rest) <= PATH, self.where, f"wrong path before byte {cursor.at}")
            path, kind, chunks, target = before[:shared] + rest, cursor.take(1)[0], [], None
            where, parent = f"{self.where}: {path!r}", path.rpartition(b"/")[0]
            need(not {b"", b".", b".."} & set(path.split(b"/")) and b"\0" not in path, where, "not a proper path")
            need(before.replace(b"/", b"\0") < path.replace(b"/", b"\0"), where, "out of order")
            need(shared == len(before) or rest[0] != before[shared], where, "has more in common with the one before")
            while len(parents) > 1 and parents[-1] != parent:
                parents.pop()
            need(parents[-1] == parent, where, "does not come after its directory")
            need(kind <= LINK, where, f"of the unknown kind {kind}")
            if kind == DIRECTORY:
                parents.append(path)
            elif kind == LINK:
                target = cursor.counted()
                need(0 < len(target) <= TARGET and b"\0" not in target, where, "target that no link can have")
            else:
                chunks = [cursor.chunk() for _ in range(cursor.varint())]
                need(len(chunks) < 2 or sum(size for _, size in chunks) > FILE_CUT[1] and
                     all(size > FILE_CUT[0] for _, size in chunks[:-1]), where, "is cut into chunks that are too small")
            yield Entry(path, kind, chunks, target)
            before = path
        cursor.end()

class Repository:
    def __init__(self, root):
        self.root, self.packs, self.places, self.damage, self.cuts = root, {}, {}, [], {}
        self.frame = functools.lru_cache(16)(self.read_frame)  # at most 32 MiB
        need(self.read("format", 64) == b"slipway-slugs 1\n", "format", "not a slug repository of version 1")
        if os.path.lexists(self.path("lock")):  # a backup has none
            self.lock = open_file(self.path("lock"), "lock")
            fcntl.flock(self.lock, fcntl.LOCK_SH)
        for name in self.names("packs", HEX + r"\.pack"):
            try:
                self.packs[name] = self.index(name)
            except Bad as error:  # its chunks count as missing
                self.damage.append(str(error))

    def path(self, name):
        return os.path.join(self.root, name)

    def read(self, name, most):
        with open_file(self.path(name), name) as file:
            data = file.read(most + 1)
        need(len(data) <= most, name, f"longer than {most} bytes")
        return data

    def names(self, directory, pattern):
        """The names in a directory of the repository, sorted, with that of the directory. All must be of this form."""
        need(stat.S_ISDIR(os.lstat(self.path(directory)).st_mode), directory, "not a directory")
        for name in (names := sorted(os.listdir(self.path(directory)))):
            need(re.fullmatch(pattern, name), f"{directory}/{name!r}", "does not belong there")
        return [f"{directory}/{name}" for name in names]

    def index(self, name):
        """The frames of a pack, each ((offset, compressed size, content size), chunks); notes where each chunk is."""
        with open_file(self.path(name), name) as file:
            size = os.fstat(file.fileno()).st_size
            need(size > 16 + 56 and file.read(16) == b"slipway-pack\0\0\0\2", name, "not a pack of version 2")
            file.seek(size - 56)
            footer = file.read(56)
            offset, length = (int.from_bytes(footer[i:i + 8], "little") for i in (0, 8))
            need(footer[48:] == b"packend\2", name, "wrong end of the pack")
            need(16 <= offset and length <= INDEX and offset + length == size - 56, name, "index is out of bounds")
            file.seek(offset)
            data = file.read(length)
        need(digest(data) == footer[16:48].hex() == name[6:-5], name, "index differs from its digest or from the name")
        cursor, frames, places, end = Cursor(data, f"{name}: index"), [], {}, 16
        for _ in range(cursor.varint()):
            at, stored, content = cursor.varint(), cursor.varint(), cursor.varint()
            frame = at, stored, content, int.from_bytes(cursor.take(4), "little")
            need(at == end and stored <= min(FRAME_STORED, offset - at), name, f"frame at {at} is out of bounds")
            chunks, end, start = [cursor.chunk() for _ in range(cursor.varint())], at + stored, 0
            for key, length in chunks:
                places[key] = name, frame, start, length
                start += length
            need(0 < start == content <= FRAME, name, f"frame at {at} has another size than its chunks, or is too long")
            frames.append((frame, chunks))
        cursor.end()
        need(end == offset, name, f"bytes that belong to nothing at {end}")
        self.places.update(places)
        return frames

    def read_frame(self, pack, frame):
        with open_file(self.path(pack), pack) as file:
            file.seek(frame[0])
            stored, where = file.read(frame[1]), f"{pack}: frame at {frame[0]}"
        need(crc32c(stored) == frame[3], where, "differs from its checksum")
        return zstd(stored, frame[2], where)

    def place(self, chunk, where):
        need(chunk[0] in self.places, where, " ".join([f"chunk {chunk[0]} is missing", *self.damage[:1]]))
        pack, frame, start, length = self.places[chunk[0]]
        need(length == chunk[1], where, f"chunk {chunk[0]} has {length} bytes in {pack}, not {chunk[1]}")
        return pack, frame, start

    def chunk(self, chunk, where):
        pack, frame, start = self.place(chunk, where)
        data = self.frame(pack, frame)[start:start + chunk[1]]
        need(digest(data) == chunk[0], where, f"chunk {chunk[0]} differs from its digest in {pack}: frame at {frame[0]}")
        return data

    def check_cuts(self, chunks, rule, where):
        """That content is cut where it should be. Whether a chunk is does not depend on others, only on whether it is the last."""
        for number, chunk in enumerate(chunks, 1):
            known = (chunk, rule, number == len(chunks))
            if known not in self.cuts:
                data = self.chunk(chunk, where)
                self.cuts[known] = cut(data if known[2] else data + b"\0", rule) == len(data)
            need(self.cuts[known], where, f"chunk {chunk[0]} is not cut where it should be")

    def record(self, name):
        """A record whose digest and form are right."""
        line, checksum, rest = (self.read(name, RECORD) + b"\n\n").split(b"\n", 2)
        need(rest == b"\n\n", name, "not two lines")
        need(checksum == digest(line).encode(), name, "differs from its digest")
        try:
            record = json.loads(line.decode("utf-8"), object_pairs_hook=unique)
        except (ValueError, RecursionError, Bad) as error:
            raise Bad(f"{name}: not proper JSON: {error}") from None
        need(isinstance(record, dict) and record.get("version") == 2, name, "not a record of version 2")
        need(record.keys() == KEYS.keys() and all(type(record[key]) is KEYS[key] for key in KEYS), name, "wrong keys or types")
        need(all(record[key] >= 0 for key in KEYS if KEYS[key] is int), name, "negative number")
        need(record["levels"] <= LEVELS, name, "too many levels of lists")
        need(record["id"] == "sha256:" + name[-64:], name, "record of another slug")
        for chunk in record["manifest"]:
            need(isinstance(chunk, dict) and chunk.keys() == {"id", "length"} and type(chunk["length"]) is int and
                 isinstance(chunk["id"], str) and re.fullmatch(HEX, chunk["id"]), name, "wrong chunk of the manifest")
        return record

    def manifest(self, identifier, cuts=False):
        """The manifest of a slug, whose digest is the identifier, and which the record agrees with."""
        need(re.fullmatch("sha256:" + HEX, identifier), repr(identifier), "not an identifier")
        name = "slugs/" + identifier[7:]
        record = self.record(name)
        chunks, most = [(chunk["id"], chunk["length"]) for chunk in record["manifest"]], LIST_CUT[2]
        need(len(chunks) <= 4, name, "more than 4 chunks of the topmost list")
        for level in range(record["levels"], -1, -1):
            where = f"{name}: " + (f"list {level}" if level else "manifest")
            need(all(0 < length <= most for _, length in chunks), where, "chunk of a wrong length")
            need(sum(length for _, length in chunks) <= (LIST if level else MANIFEST), where, "too long")
            data = b"".join(self.chunk(chunk, where) for chunk in chunks)
            if cuts:
                self.check_cuts(chunks, LIST_CUT, where)
            if level:
                cursor, chunks = Cursor(data, where), []
                while cursor.at < len(data):
                    chunks.append(cursor.chunk(most))
                need(len(chunks) > 4, where, "list of so few chunks that it should not be there")
        need("sha256:" + digest(data) == identifier, name, "manifest differs from the identifier")
        manifest = Manifest(data, f"{name}: manifest")
        for key in ("metadata", "files", "bytes"):
            need(record[key] == getattr(manifest, key), name, f"{key} of the record are not those of the manifest")
        return manifest

    def list(self):
        return [self.record(name)["id"] for name in self.names("slugs", HEX)]

    def get(self, identifier, directory):
        """Makes a tree, links last. The manifest can name nothing outside of it, and nothing below a link."""
        manifest, root = self.manifest(identifier), os.fsencode(directory)
        os.mkdir(root)
        try:
            disk = os.statvfs(root)
            need(manifest.bytes <= disk.f_bavail * disk.f_frsize, manifest.where, "more bytes than fit on this disk")
            for links in (False, True):
                for entry in manifest.entries():
                    path = os.path.join(root, entry.path)
                    if links and entry.kind == LINK:
                        os.symlink(entry.target, path)
                    elif not links and entry.kind == DIRECTORY:
                        os.mkdir(path)
                    elif not links and entry.kind != LINK:
                        with open(path, "xb") as file:
                            for chunk in entry.chunks:
                                file.write(self.chunk(chunk, f"{manifest.where}: {entry.path!r}"))
                            os.fchmod(file.fileno(), 0o755 if entry.kind == EXECUTABLE else 0o644)
        except BaseException:
            shutil.rmtree(root)
            raise

    def verify(self):
        """Checks all packs, all slugs and, where these directories exist, what else has a documented form."""
        need(not self.damage, "damaged", "; ".join(self.damage))
        for pack, frames in self.packs.items():
            for frame, chunks in frames:
                content, at = self.frame(pack, frame), 0
                for key, length in chunks:
                    where, at = f"{pack}: frame at {frame[0]}", at + length
                    need(digest(content[at - length:at]) == key, where, f"chunk {key} differs from its digest")
        slugs = self.list()
        for identifier in slugs:
            manifest = self.manifest(identifier, cuts=True)
            for entry in manifest.entries():
                for chunk in entry.chunks:
                    self.place(chunk, f"{manifest.where}: {entry.path!r}")
                if sum(length for _, length in entry.chunks) > FILE_CUT[1]:
                    self.check_cuts(entry.chunks, FILE_CUT, f"{manifest.where}: {entry.path!r}")
        others = {"removed": HEX, "signatures": rf"{HEX}\.{HEX}", "trees": rf"{HEX}(\.sound|\.aside-[0-9a-f-]+)?", "damaged": rf"{HEX}\.pack"}
        for directory in filter(lambda name: os.path.lexists(self.path(name)), others):
            for name in self.names(directory, others[directory]):
                if directory == "removed":
                    self.record(name)
                elif directory == "signatures":  # the standard library has no Ed25519
                    need(len(self.read(name, 64)) == 64, name, "not 64 bytes")
                elif directory == "trees":
                    need("sha256:" + name[6:70] in slugs, name, "tree of no slug")
                    if len(name) == 70:
                        self.check_tree(name)

    def check_tree(self, name):
        """That a materialised tree is that of its slug. Directories are looked at before what they hold."""
        root, count = os.fsencode(self.path(name)), 0
        need(stat.S_ISDIR(os.lstat(root).st_mode), name, "not a directory")
        modes = stat.S_IFDIR | 0o755, stat.S_IFREG | 0o644, stat.S_IFREG | 0o755, stat.S_IFLNK | 0o777
        for count, entry in enumerate(self.manifest("sha256:" + name[6:]).entries(), 1):
            path, where = os.path.join(root, entry.path), f"{name}: {entry.path!r}"
            need(os.path.lexists(path), where, "is missing")
            need(os.lstat(path).st_mode == modes[entry.kind], where, "another kind or mode than in the slug")
            need(entry.kind != LINK or os.readlink(path) == entry.target, where, "another target than in the slug")
            if entry.kind in (REGULAR, EXECUTABLE):
                with open_file(path, where) as file:
                    same = all(digest(file.read(length)) == key for key, length in entry.chunks) and not file.read(1)
                need(same, where, "another content than in the slug")
        need(count == sum(len(a) + len(b) for _, a, b in os.walk(root)), name, "holds more than the slug")

def main(arguments):
    try:
        counts = {"list": 2, "verify": 2, "metadata": 3, "get": 4}
        if counts.get("".join(arguments[1:2])) != len(arguments):
            raise Bad("usage: reader.py REPOSITORY (list | get ID DIRECTORY | metadata ID | verify)")
        repository, command = Repository(arguments[0]), arguments[1]
        if command == "list":
            print("".join(f"{identifier}\n" for identifier in repository.list()), end="")
        elif command == "metadata":
            print(json.dumps(repository.manifest(arguments[2]).metadata, sort_keys=True))
        else:
            getattr(repository, command)(*arguments[2:])
    except (Bad, OSError) as error:
        print("reader.py:", " ".join(str(error).splitlines()).encode("ascii", "backslashreplace").decode(), file=sys.stderr)
        return 1
    return 0

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
