//! What the log says at the start. Lines that others read keep the peer's form.

use std::path::Path;

use natterjack_config::options::Cipher;
use natterjack_config::size;
use natterjack_jsapi::versioning::{API_LEVEL, PEER_VERSION};
use natterjack_subject::names::name_hash;

use crate::jetstream::JetStream;
use crate::server::Server;

/// The first lines.
pub(crate) fn server(server: &Server) {
    tracing::info!("Starting nats-server");
    tracing::info!("  Version:  {PEER_VERSION}");
    tracing::info!("  Natterjack: {}", env!("CARGO_PKG_VERSION"));
    tracing::info!("  Git:      [{}]", server.info().git_commit);
    tracing::info!("  Name:     {}", server.name);
    if server.options.jetstream.enabled {
        tracing::info!("  Node:     {}", name_hash(&server.name, 8));
    }
    tracing::info!("  ID:       {}", server.id);
    if let Some(file) = &server.options.config_file {
        tracing::info!(
            "Using configuration file: {file} ({})",
            server.options.config_digest
        );
    }
    if !server.options.default_domains.is_empty() {
        tracing::warn!(
            "The option `default_js_domain` is a temporary backwards compatibility measure and will be removed"
        );
    }
}

/// A number with its thousands apart.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// What JetStream has.
pub(crate) fn jetstream(jetstream: &JetStream) {
    let options = &jetstream.server.options.jetstream;
    tracing::info!("---------------- JETSTREAM ----------------");
    if options.strict {
        tracing::info!("  Strict:          true");
    }
    tracing::info!("  Max Memory:      {}", size(jetstream.memory_max()));
    tracing::info!("  Max Storage:     {}", size(jetstream.store_max()));
    tracing::info!("  Store Directory: \"{}\"", jetstream.folder.display());
    if !options.domain.is_empty() {
        tracing::info!("  Domain:          {}", options.domain);
    }
    if options.key.is_some() {
        let cipher = match options.cipher {
            Cipher::ChaCha => "ChaCha20-Poly1305",
            Cipher::Aes => "AES-GCM",
        };
        tracing::info!("  Encryption:      {cipher}");
    }
    tracing::info!("  API Level:       {API_LEVEL}");
    tracing::info!("-------------------------------------------");
    warn_of_foreign_data(&jetstream.folder);
}

/// Data of another server in the same folder is left alone, which nobody should find out by missing it.
fn warn_of_foreign_data(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.path().join("streams").is_dir() && entry.file_name() != "streams" {
            tracing::warn!(
                "{} holds streams in the format of nats-server, which are not read: move them over with a backup and restore",
                entry.path().display()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn thousands_are_apart() {
        assert_eq!((count(7).as_str(), count(1_234_567).as_str()), ("7", "1,234,567"));
    }

    #[test]
    fn sizes_are_in_words() {}
}
