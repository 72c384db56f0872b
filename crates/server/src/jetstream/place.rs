//! Where JetStream keeps its data, and how much it may take.

use std::fs::File;
use std::path::{Path, PathBuf};

use natterjack_config::options::{Cipher as ConfigCipher, Options, Secret};
use natterjack_store::{Cipher, Encryption, Key};

use crate::server::Server;

/// Folder of JetStream under what is configured, or in the place for temporary files.
pub(super) fn folder(server: &Server) -> PathBuf {
    let live = server.live.load();
    let base = live.options.storage().map_or_else(
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
    let live = server.live.load();
    let configured = &live.options.jetstream;
    let memory = configured
        .max_memory_bytes
        .unwrap_or_else(|| rustix::system::sysinfo().totalram / 4 * 3);
    let disk = configured.max_store_bytes.unwrap_or_else(|| {
        rustix::fs::statvfs(folder).map_or(1 << 40, |s| s.f_bavail.saturating_mul(s.f_frsize) / 4 * 3)
    });
    (memory, disk)
}

/// One part in so many of the memory is for indexes when the configuration says nothing.
const BUDGET_SHARE: u64 = 16;

/// Bytes of memory that streams on disk share for what they keep beside their messages.
pub(super) fn memory_budget(server: &Server) -> usize {
    let configured = server.live.load().options.jetstream.memory_budget_bytes;
    let budget = configured.unwrap_or_else(|| {
        let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let machine = rustix::system::sysinfo().totalram;
        let limit = limit_files(&groups)
            .iter()
            .filter_map(|path| parse_limit(&std::fs::read_to_string(path).ok()?))
            .min();
        machine.min(limit.unwrap_or(machine)) / BUDGET_SHARE
    });
    usize::try_from(budget).unwrap_or(usize::MAX)
}

/// Files that say how much memory the control group of this process may take, and those above it: in version 2, and in
/// version 1.
fn limit_files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (root, name) = match fields.next() {
            Some("") => ("/sys/fs/cgroup", "memory.max"),
            Some("memory") => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => continue,
        };
        let group = fields.next().unwrap_or_default().trim_start_matches('/');
        let inner = Path::new(root).join(group);
        files.extend(
            inner
                .ancestors()
                .take_while(|path| path.starts_with(root))
                .map(|path| path.join(name)),
        );
    }
    files
}

/// A limit as the kernel writes it; `max` is none.
fn parse_limit(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_all_groups_above_count() {
        let names = |groups: &str| -> Vec<String> {
            let files = limit_files(groups);
            files.iter().map(|f| f.display().to_string()).collect()
        };
        assert_eq!(
            names("0::/a/b\n"),
            [
                "/sys/fs/cgroup/a/b/memory.max",
                "/sys/fs/cgroup/a/memory.max",
                "/sys/fs/cgroup/memory.max"
            ]
        );
        assert_eq!(
            names("5:cpu:/x\n4:memory:/\n"),
            ["/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        );
        assert_eq!((parse_limit("1024\n"), parse_limit("max\n")), (Some(1024), None));
    }
}
