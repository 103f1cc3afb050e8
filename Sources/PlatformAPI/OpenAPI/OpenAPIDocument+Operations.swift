internal import PlatformKit

extension OpenAPIDocument {
    /// Every operation of the API.
    static let operations: [Operation] = [
        Operation(
            method: "get", path: "/apps", summary: "List the applications.", role: .read,
            answer: .list("ApplicationInfo")),
        Operation(
            method: "post", path: "/apps", summary: "Create an application.", role: .admin, body: "ApplicationName",
            answer: .value("ApplicationInfo"), status: "201"),
        Operation(
            method: "get", path: "/apps/{app}", summary: "Show an application.", role: .read,
            answer: .value("ApplicationInfo")),
        Operation(
            method: "patch", path: "/apps/{app}", summary: "Give an application another name.", role: .deploy,
            body: "ApplicationName", answer: .value("ApplicationInfo")),
        Operation(
            method: "delete", path: "/apps/{app}", summary: "Destroy an application with all that belongs to it.",
            role: .admin, query: [("confirm", "The name of the application once more.")], answer: .nothing,
            status: "204"),
        Operation(
            method: "put", path: "/apps/{app}/maintenance", summary: "Switch the maintenance page on or off.",
            role: .deploy, body: "MaintenanceChange", answer: .value("ApplicationInfo")),
        Operation(
            method: "get", path: "/apps/{app}/config", summary: "The config variables with their values.",
            role: .deploy, answer: .value("Config")),
        Operation(
            method: "patch", path: "/apps/{app}/config",
            summary:
                "Set and remove config variables, and roll the change out. The result is null before the first release.",
            role: .deploy, body: "ConfigChange", answer: .events("ReleaseInfo")),
        Operation(
            method: "get", path: "/apps/{app}/deployments", summary: "List the deployments, newest first.", role: .read,
            answer: .list("DeploymentInfo")),
        Operation(
            method: "post", path: "/apps/{app}/deployments", summary: "Deploy an archive of source.", role: .deploy,
            query: [("description", "What it is, in words.")], body: "archive", answer: .events("DeploymentInfo")),
        Operation(
            method: "get", path: "/apps/{app}/deployments/{number}", summary: "Show a deployment.", role: .read,
            answer: .value("DeploymentInfo")),
        Operation(
            method: "get", path: "/apps/{app}/deployments/{number}/log", summary: "What a deployment printed.",
            role: .read, answer: .text),
        Operation(
            method: "post", path: "/apps/{app}/deployments/{number}/cancel", summary: "Cancel a deployment.",
            role: .deploy, answer: .value("DeploymentInfo")),
        Operation(
            method: "get", path: "/apps/{app}/releases", summary: "List the releases, newest first.", role: .read,
            answer: .list("ReleaseInfo")),
        Operation(
            method: "get", path: "/apps/{app}/releases/{version}", summary: "Show a release.", role: .read,
            answer: .value("ReleaseInfo")),
        Operation(
            method: "put", path: "/apps/{app}/releases/{version}/pin",
            summary: "Pin a release: its slug is kept, so that there is always a way back to it.", role: .deploy,
            answer: .value("ReleaseInfo")),
        Operation(
            method: "delete", path: "/apps/{app}/releases/{version}/pin", summary: "Let a pinned release go again.",
            role: .deploy, answer: .value("ReleaseInfo")),
        Operation(
            method: "get", path: "/apps/{app}/releases/{version}/diff",
            summary: "What a release changed in the files of the application.", role: .deploy,
            query: [
                ("from", "The release to compare with; the one before."),
                ("n", "How many entries, to 100,000; 1,000. The counts are of all."),
            ], answer: .value("SlugDifferenceInfo")),
        Operation(
            method: "get", path: "/apps/{app}/releases/{version}/archive",
            summary: "The files of a release as an archive.", role: .deploy,
            query: [("format", "tar, tar.gz or tar.zst; tar.zst.")], answer: .archive),
        Operation(
            method: "post", path: "/apps/{app}/rollback", summary: "Make a new release of an old one.", role: .deploy,
            body: "RollbackRequest", answer: .events("ReleaseInfo")),
        Operation(
            method: "get", path: "/apps/{app}/ps", summary: "List the instances.", role: .read,
            answer: .list("InstanceInfo")),
        Operation(
            method: "post", path: "/apps/{app}/ps/scale", summary: "Set how many instances are wanted.", role: .deploy,
            body: "ScaleRequest", answer: .eventsOfList("InstanceInfo")),
        Operation(
            method: "post", path: "/apps/{app}/ps/restart", summary: "Replace instances by fresh ones.", role: .deploy,
            body: "InstanceSelection", answer: .eventsOfList("InstanceInfo")),
        Operation(
            method: "post", path: "/apps/{app}/ps/stop",
            summary: "Stop one instance, which the formation brings back, or end a one-off.",
            role: .deploy, body: "InstanceSelection", answer: .eventsOfList("InstanceInfo")),
        Operation(
            method: "post", path: "/apps/{app}/run", summary: "Run a command with the live release.", role: .deploy,
            body: "OneOffRequest", answer: .events("OneOffResult")),
        Operation(
            method: "get", path: "/apps/{app}/run",
            summary:
                "A WebSocket: run a command with input and, if wanted, a terminal. The first message, a text, is a OneOffRequest; "
                + "then binary messages are input, texts are OneOffMessages. The host sends output as binary messages, and last a "
                + "text with an object of the member result, a OneOffResult, or problem, a Problem.",
            role: .deploy, answer: .nothing, status: "101"),
        Operation(
            method: "get", path: "/apps/{app}/runs", summary: "List the one-offs that run.", role: .deploy,
            answer: .list("OneOffInfo")),
        Operation(
            method: "get", path: "/apps/{app}/logs", summary: "The log of an application, oldest line first.",
            role: .read,
            query: [
                ("n", "How many of the last lines, to 10,000; 100."),
                ("source", "app, router, build, release or platform; may be given again."),
                ("ps", "A process type or an instance."), ("tail", "1 to go on with the lines to come."),
            ], answer: .lines("LogLineInfo")),
        Operation(
            method: "get", path: "/apps/{app}/metrics", summary: "The five signals of an application.", role: .read,
            query: [("since", "How far back, in seconds; 3600.")], answer: .value("MetricsInfo")),
        Operation(
            method: "get", path: "/apps/{app}/domains", summary: "The hosts that lead to an application.", role: .read,
            answer: .value("Domains")),
        Operation(
            method: "post", path: "/apps/{app}/domains", summary: "Let a host lead to an application.", role: .deploy,
            body: "DomainChange", answer: .value("Domains")),
        Operation(
            method: "delete", path: "/apps/{app}/domains/{host}", summary: "Let a host lead nowhere again.",
            role: .deploy, answer: .value("Domains")),
        Operation(
            method: "get", path: "/apps/{app}/certs",
            summary: "The certificates of an application: its own, those ordered for it, the platform's that serve it.",
            role: .read, answer: .list("CertificateInfo")),
        Operation(
            method: "post", path: "/apps/{app}/certs", summary: "Add a certificate for hosts of an application.",
            role: .deploy, body: "CertificateUpload", answer: .value("CertificateInfo"), status: "201"),
        Operation(
            method: "delete", path: "/apps/{app}/certs/{host}",
            summary: "Remove the added certificate that names a host, for all hosts that it names.",
            role: .deploy, answer: .value("CertificateInfo")),
        Operation(
            method: "get", path: "/certs", summary: "All certificates of the platform and its applications.",
            role: .read, answer: .list("CertificateInfo")),
        Operation(
            method: "post", path: "/certs", summary: "Add a certificate of the platform's own, such as a wildcard.",
            role: .admin, body: "CertificateUpload", answer: .value("CertificateInfo"), status: "201"),
        Operation(
            method: "delete", path: "/certs/{host}",
            summary: "Remove the platform's own certificate that names a host.",
            role: .admin, answer: .value("CertificateInfo")),
        Operation(
            method: "get", path: "/apps/{app}/https", summary: "How an application is reached over HTTPS.",
            role: .read, answer: .value("HTTPSInfo")),
        Operation(
            method: "patch", path: "/apps/{app}/https",
            summary: "Change how an application is reached over HTTPS; what is missing stays as it is.",
            role: .deploy, body: "HTTPSChange", answer: .value("HTTPSInfo")),
        Operation(
            method: "get", path: "/slugs", summary: "List the stored slugs, oldest first.", role: .read,
            answer: .list("SlugInfo")),
        Operation(
            method: "post", path: "/slugs/verify",
            summary: "Read and check what the slug store keeps. Damage is in the result.", role: .admin,
            body: "SlugCheckRequest", answer: .events("SlugCheckInfo")),
        Operation(
            method: "post", path: "/slugs/collect",
            summary: "Remove the slugs that no release has, and give back the space that no slug needs.",
            role: .admin, answer: .events("SlugGarbageInfo")),
        Operation(
            method: "get", path: "/audit", summary: "Who changed what, newest first.", role: .read,
            query: [("n", "How many entries, to 10,000; 100.")], answer: .list("AuditEntry")),
    ]
}
