//! Where JetStream keeps its data, and how much it may take.

use std::fs::File;
use std::path::{Path, PathBuf};

use natterjack_config::options::{Cipher as ConfigCipher, Options, Secret};
use natterjack_store::{Cipher, Encryption, Key};

use crate::server::Server;

/// Folder of JetStream under what is configured, or in the place for temporary files.
pub(super) fn folder(server: &Server) -> PathBuf {
    let base = server.options.storage().map_or_else(
        || std::env::temp_dir().join("nats"),
        |folder| Path::new(folder).to_owned(),
    );
    base.join("jetstream")
}

/// Takes the folder for this process alone.
pub(super) fn lock(folder: &Path) -> Result<File, String> {
    std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let path = folder.join("LOCK");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|e| format!("{}: {e}", path.display()))?;
    file.try_lock().map_err(|_| {
        format!(
            "storage directory {} is in use by another server",
            folder.display()
        )
    })?;
    Ok(file)
}

/// How data is encrypted.
pub(crate) fn encryption(options: &Options) -> Option<Encryption> {
    let js = &options.jetstream;
    let key = |secret: &Secret| Key::new(secret.expose());
    js.key.as_ref().map(|current| Encryption {
        key: key(current),
        previous: js.previous_key.as_ref().map(key),
        cipher: match js.cipher {
            ConfigCipher::ChaCha => Cipher::ChaCha20Poly1305,
            ConfigCipher::Aes => Cipher::Aes256Gcm,
        },
    })
}

/// Memory and disk for streams when the configuration says nothing: three quarters of what there is.
pub(super) fn resources(server: &Server, folder: &Path) -> (u64, u64) {
    let configured = &server.options.jetstream;
    let memory = configured
        .max_memory_bytes
        .unwrap_or_else(|| rustix::system::sysinfo().totalram / 4 * 3);
    let disk = configured.max_store_bytes.unwrap_or_else(|| {
        rustix::fs::statvfs(folder).map_or(1 << 40, |s| s.f_bavail.saturating_mul(s.f_frsize) / 4 * 3)
    });
    (memory, disk)
}
