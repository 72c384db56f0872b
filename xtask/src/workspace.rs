//! Where the workspace is and what packages it has. Never reads their sources.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The checkout this command runs in.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    /// The directory with the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
}

/// One package of the workspace.
#[derive(Debug)]
pub(crate) struct Package {
    /// Name as cargo knows it.
    pub(crate) name: String,
    /// Path below the root, with forward slashes.
    pub(crate) path: String,
    /// The parsed manifest.
    pub(crate) manifest: toml::Table,
}

impl Workspace {
    /// The workspace of the running command: the directory above xtask's manifest.
    pub(crate) fn find() -> Result<Self> {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo xtask`")?;
        let root = Path::new(&manifest)
            .parent()
            .context("xtask has no parent directory")?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// Where cargo builds.
    pub(crate) fn target(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.root.join("target"), PathBuf::from)
    }

    /// The server that `cargo build` makes.
    pub(crate) fn server(&self) -> PathBuf {
        self.target().join("debug/natterjack-server")
    }

    /// All packages, by path.
    pub(crate) fn packages(&self) -> Result<Vec<Package>> {
        let mut paths: Vec<String> = ["benches", "tests", "xtask"].map(String::from).to_vec();
        let crates = self.root.join("crates");
        for entry in std::fs::read_dir(&crates).with_context(|| crates.display().to_string())? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            paths.push(format!("crates/{name}"));
        }
        paths.sort();
        paths
            .into_iter()
            .filter(|path| self.root.join(path).join("Cargo.toml").exists())
            .map(|path| self.package(path))
            .collect()
    }

    fn package(&self, path: String) -> Result<Package> {
        let text = std::fs::read_to_string(self.root.join(&path).join("Cargo.toml"))?;
        let manifest: toml::Table = text.parse().with_context(|| format!("{path}/Cargo.toml"))?;
        let name = manifest
            .get("package")
            .and_then(|p| p.get("name"))
            .and_then(toml::Value::as_str)
            .with_context(|| format!("{path}/Cargo.toml has no package name"))?
            .to_owned();
        Ok(Package { name, path, manifest })
    }
}
