/// How a built application is started: the other half of the contract between builder and runtime.
///
/// The runtime sets `HOME` to the directory where it materialised the slug, makes that the working directory, sets
/// `PORT` and the config variables, and executes ``arguments(for:)``. One bash then sources `$HOME/.profile.d/*.sh` in
/// byte order and `$HOME/.profile`, through which buildpacks extend `PATH` and the like, and is replaced by the command.
public enum LaunchCommand {
    /// The argument vector that starts `command` in a built application.
    ///
    /// Each shell replaces itself (`exec`), and bash does so too for a command that is one simple command: signals then
    /// reach the application itself. The script that sources runs without `set -e` and `set -u`: profile scripts
    /// call `return` and read variables that are not set.
    ///
    /// - Parameter command: Shell text, as in a `Procfile`.
    public static func arguments(for command: String) -> [String] {
        ["bash", "-c", Self.script, "slipway", command]
    }

    // The positional parameters hold the list of scripts while they are sourced; `for` has expanded it by then, so a
    // script that calls `set --` does no harm. LC_ALL=C makes the glob's order that of the bytes.
    private static let script = """
        slipway_command=$1
        slipway_locale=${LC_ALL+x$LC_ALL}
        LC_ALL=C
        set -- "$HOME"/.profile.d/*.sh
        if [ -n "$slipway_locale" ]; then LC_ALL=${slipway_locale#x}; else unset LC_ALL; fi
        for slipway_file do if [ -f "$slipway_file" ]; then . "$slipway_file"; fi; done
        if [ -f "$HOME/.profile" ]; then . "$HOME/.profile"; fi
        exec bash -c "$slipway_command"
        """
}
