//! What the parser asks of the outside: included files and environment variables. Opens nothing itself.

/// What the parser may ask of the outside.
pub trait Source {
    /// The text of `path`, named in the file `from`; and the name under which its own includes are resolved and its
    /// errors reported. [`include_path`] is where the peer looks.
    ///
    /// # Errors
    /// A text that says why it cannot be read.
    fn include(&mut self, from: &str, path: &str) -> Result<(String, String), String>;

    /// An environment variable.
    fn env(&self, name: &str) -> Option<String>;
}

/// A source without files and environment.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSource;

impl Source for NoSource {
    fn include(&mut self, from: &str, path: &str) -> Result<(String, String), String> {
        Err(format!(
            "open {}: no such file or directory",
            include_path(from, path)
        ))
    }

    fn env(&self, _name: &str) -> Option<String> {
        None
    }
}

/// Where `path` is looked for when the file `from` includes it: always below the folder of `from`, even if it begins
/// with a slash, and with `.` and `..` resolved, as the peer does.
///
/// ```
/// use natterjack_conf::include_path;
/// assert_eq!(include_path("/etc/nats/server.conf", "./users.conf"), "/etc/nats/users.conf");
/// assert_eq!(include_path("server.conf", "../users.conf"), "../users.conf");
/// assert_eq!(include_path("conf/server.conf", "/users.conf"), "conf/users.conf");
/// ```
#[must_use]
pub fn include_path(from: &str, path: &str) -> String {
    let folder = from.rfind('/').map_or("", |slash| &from[..slash]);
    let rooted = from.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".into(),
        (false, false) => parts.join("/"),
    }
}
