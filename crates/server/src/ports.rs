//! The files a server leaves for others: its process id, and where it listens.

use std::path::{Path, PathBuf};

use crate::server::Server;

/// Writes the process id: digits only, as others read it without trimming.
///
/// # Errors
/// As the system says.
pub(crate) fn write_pid(path: &str) -> std::io::Result<()> {
    std::fs::write(path, std::process::id().to_string())
}

fn path(folder: &str) -> PathBuf {
    let program = std::env::args().next().unwrap_or_default();
    let program = Path::new(&program).file_name().map_or_else(
        || "natterjack-server".into(),
        |n| n.to_string_lossy().into_owned(),
    );
    Path::new(folder).join(format!("{program}_{}.ports", std::process::id()))
}

/// Removes what [`write_ports`] wrote.
pub(crate) fn remove_ports(folder: &str) {
    let _gone_already = std::fs::remove_file(path(folder));
}

/// Writes where the server listens to `<folder>/<program>_<pid>.ports`.
///
/// # Errors
/// As the system says.
pub(crate) fn write_ports(server: &Server, folder: &str) -> std::io::Result<()> {
    let path = path(folder);
    let mut ports = serde_json::Map::new();
    if let Some(address) = server.listening.get() {
        ports.insert("nats".into(), vec![format!("nats://{address}")].into());
    }
    if let Some(address) = server.monitoring.get() {
        ports.insert("monitoring".into(), vec![format!("http://{address}")].into());
    }
    // Whoever waits for the file must never see half of it.
    let half = path.with_extension("ports.new");
    std::fs::write(&half, serde_json::Value::Object(ports).to_string())?;
    std::fs::rename(&half, &path)?;
    Ok(())
}
