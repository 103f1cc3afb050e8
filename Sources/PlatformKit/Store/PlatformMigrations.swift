internal import GRDB

/// The schema, as the steps that lead to it. A step that has been released never changes.
enum PlatformMigrations {
    static var all: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 applications, releases, deployments") { database in
            try database.execute(
                sql: """
                    CREATE TABLE application (
                        id TEXT PRIMARY KEY,
                        name TEXT NOT NULL UNIQUE,
                        createdAt REAL NOT NULL,
                        maintenance INTEGER NOT NULL,
                        liveRelease INTEGER,
                        lastRelease INTEGER NOT NULL,
                        lastDeployment INTEGER NOT NULL,
                        lastOneOff INTEGER NOT NULL,
                        formation TEXT NOT NULL,
                        sealedConfig BLOB NOT NULL
                    ) STRICT;
                    CREATE TABLE release (
                        applicationID TEXT NOT NULL REFERENCES application(id) ON DELETE CASCADE,
                        version INTEGER NOT NULL,
                        slug TEXT NOT NULL,
                        "commit" TEXT,
                        author TEXT NOT NULL,
                        description TEXT NOT NULL,
                        createdAt REAL NOT NULL,
                        processTypes TEXT NOT NULL,
                        releaseCommand TEXT,
                        readiness TEXT NOT NULL,
                        sealedConfig BLOB NOT NULL,
                        PRIMARY KEY (applicationID, version)
                    ) STRICT;
                    CREATE TABLE deployment (
                        applicationID TEXT NOT NULL REFERENCES application(id) ON DELETE CASCADE,
                        number INTEGER NOT NULL,
                        state TEXT NOT NULL,
                        description TEXT NOT NULL,
                        author TEXT NOT NULL,
                        "commit" TEXT,
                        release INTEGER,
                        cause TEXT,
                        createdAt REAL NOT NULL,
                        finishedAt REAL,
                        PRIMARY KEY (applicationID, number)
                    ) STRICT;
                    CREATE TABLE domain (
                        host TEXT PRIMARY KEY,
                        applicationID TEXT NOT NULL REFERENCES application(id) ON DELETE CASCADE
                    ) STRICT;
                    CREATE TABLE token (
                        digest TEXT PRIMARY KEY,
                        name TEXT NOT NULL,
                        role TEXT NOT NULL,
                        createdAt REAL NOT NULL
                    ) STRICT;
                    CREATE TABLE audit (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        at REAL NOT NULL,
                        actor TEXT NOT NULL,
                        action TEXT NOT NULL,
                        application TEXT,
                        detail TEXT NOT NULL
                    ) STRICT;
                    """)
        }
        migrator.registerMigration("2 certificates, https") { database in
            try database.execute(
                sql: """
                    CREATE TABLE certificate (
                        id TEXT PRIMARY KEY,
                        applicationID TEXT REFERENCES application(id) ON DELETE CASCADE,
                        hosts TEXT NOT NULL,
                        chain TEXT NOT NULL,
                        sealedKey BLOB NOT NULL,
                        createdAt REAL NOT NULL,
                        author TEXT NOT NULL
                    ) STRICT;
                    ALTER TABLE application ADD COLUMN automaticCertificates INTEGER NOT NULL DEFAULT 0;
                    ALTER TABLE application ADD COLUMN enforcesHTTPS INTEGER NOT NULL DEFAULT 0;
                    ALTER TABLE application ADD COLUMN hstsSeconds INTEGER;
                    """)
        }
        migrator.registerMigration("3 sizes") { database in
            try database.execute(sql: "ALTER TABLE application ADD COLUMN sizes TEXT NOT NULL DEFAULT '{}'")
        }
        migrator.registerMigration("4 users") { database in
            try database.execute(
                sql: """
                    ALTER TABLE application ADD COLUMN user INTEGER;
                    CREATE UNIQUE INDEX applicationUser ON application (user);
                    """)
        }
        migrator.registerMigration("5 pins") { database in
            try database.execute(
                sql: """
                    CREATE TABLE pin (
                        applicationID TEXT NOT NULL,
                        version INTEGER NOT NULL,
                        PRIMARY KEY (applicationID, version),
                        FOREIGN KEY (applicationID, version) REFERENCES release ON DELETE CASCADE
                    ) STRICT;
                    """)
        }
        return migrator
    }
}
