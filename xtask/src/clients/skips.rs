//! Which tests of a client's own package are left out, and why: the file `skip.toml` of a language.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::folder;
use crate::workspace::Workspace;

/// What is left out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Skips {
    skip: Vec<Skip>,
}

/// Tests of one file that are left out for one reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Skip {
    /// The stem of the file, or what its program is called.
    pub(super) file: String,
    /// With their modules; none means all of the file.
    #[serde(default)]
    pub(super) tests: Vec<String>,
    why: String,
}

impl Skip {
    pub(super) fn is_whole(&self, file: &str) -> bool {
        self.file == file && self.tests.is_empty()
    }
}

/// What is left out of the programs of a language.
pub(super) fn read(workspace: &Workspace, language: &str) -> Result<Vec<Skip>> {
    let path = folder(workspace, language).join("skip.toml");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let skips: Skips = toml::from_str(&text).with_context(|| path.display().to_string())?;
    for skip in &skips.skip {
        let (path, file) = (path.display(), &skip.file);
        ensure!(
            !skip.why.is_empty(),
            "{path}: no reason for leaving out tests of {file}"
        );
    }
    Ok(skips.skip)
}

/// The tests that are left out of a file in part.
pub(super) fn tests<'a>(skips: &'a [Skip], file: &str) -> impl Iterator<Item = &'a str> {
    let of_file = skips.iter().filter(move |skip| skip.file == file);
    of_file.flat_map(|skip| skip.tests.iter().map(String::as_str))
}

/// Everything that is left out exists, so that the list does not outlive a new version of the package. `keyword` stands
/// before the name of a test in its source, and `source` is the text of a file.
pub(super) fn check(skips: &[Skip], keyword: &str, source: impl Fn(&str) -> Result<String>) -> Result<()> {
    for skip in skips {
        let file = &skip.file;
        let text = source(file).with_context(|| format!("skip.toml names {file}"))?;
        for test in &skip.tests {
            let name = test.rsplit("::").next().unwrap_or(test);
            ensure!(
                text.contains(&format!("{keyword} {name}(")),
                "skip.toml: there is no {test} in {file}"
            );
        }
    }
    Ok(())
}
