//! The configuration file as a whole: text to [`Options`], with everything that is wrong.

use std::collections::BTreeMap;

use natterjack_conf::Source;

use crate::options::Options;
use crate::sections::top;
use crate::walk::Findings;

/// A configuration that was read, and what to say about it.
#[derive(Debug)]
pub struct Loaded {
    /// The options.
    pub options: Options,
    /// What is deprecated; `-t` treats these as errors.
    pub warnings: Vec<String>,
}

/// Reads `text`, which came from `file`, over `options`.
///
/// # Errors
/// Everything that is wrong, one line each, as the peer prints it behind its name.
pub fn load(
    text: &str,
    file: &str,
    source: &mut dyn Source,
    mut options: Options,
) -> Result<Loaded, Vec<String>> {
    let mut findings = Findings::default();
    let tree = match natterjack_conf::parse(text, file, source) {
        Ok(tree) => tree,
        // A server starts with nothing but its defaults, and says so.
        Err(empty @ natterjack_conf::Error::Empty { .. }) => {
            findings.warnings.push(empty.to_string());
            BTreeMap::new()
        }
        Err(error) => return Err(vec![error.to_string()]),
    };
    options.config_file = Some(file.to_owned());
    options.config_digest = natterjack_conf::digest(&tree);
    top::read(&tree, &mut options, &mut findings);
    options.unsupported = findings.unsupported;
    if findings.errors.is_empty() {
        return Ok(Loaded {
            options,
            warnings: findings.warnings,
        });
    }
    findings.warnings.extend(findings.errors);
    Err(findings.warnings)
}
