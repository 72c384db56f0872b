//! The lists of error codes and of advisories are complete and true: each entry has a file that shows it, or a reason why a
//! server alone never says it. Starts a server only for the refusal that needs a conversation.

use natterjack_tests::{Outcome, Server, api, run};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The codes the API knows, from the comments of their definitions: `/// 10002: …`.
fn known() -> Outcome<BTreeSet<String>> {
    let source = std::fs::read_to_string(root().join("crates/jsapi/src/errors.rs"))?;
    let codes = source.lines().filter_map(|line| {
        let (code, _) = line.strip_prefix("/// ")?.split_once(": ")?;
        (code.len() == 5 && code.bytes().all(|b| b.is_ascii_digit())).then(|| code.to_owned())
    });
    Ok(codes.collect())
}

/// What a list names. Each entry has a file that contains what `mention` makes of it, or a reason.
fn listed(list: &str, mention: impl Fn(&str) -> String) -> Outcome<BTreeSet<String>> {
    let text = std::fs::read_to_string(root().join(list))?;
    let mut listed = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (entry, rest) = line.split_once(' ').ok_or(line)?;
        assert!(listed.insert(entry.to_owned()), "{entry} is listed twice");
        if let Some(file) = rest.strip_prefix("in ") {
            let text = std::fs::read_to_string(root().join(file))?;
            assert!(text.contains(&mention(entry)), "{file} does not mention {entry}");
        } else {
            let reason = rest.strip_prefix("never: ").ok_or(line)?;
            assert!(reason.len() > 10, "{entry} needs a reason");
        }
    }
    Ok(listed)
}

#[test]
fn every_code_is_shown_or_explained() -> Outcome {
    let listed = listed("tests/error-codes.txt", str::to_owned)?;
    let known = known()?;
    assert!(known.len() > 200, "only {} codes were read", known.len());
    assert_eq!(known, listed);
    Ok(())
}

#[test]
fn every_advisory_is_shown_or_explained() -> Outcome {
    let short = |kind: &str| kind.rsplit('.').next().unwrap_or(kind).to_owned();
    let listed = listed("tests/advisory-types.txt", short)?;
    // Those of the schemas that clients check advisories with.
    assert_eq!(listed.len(), 23);
    Ok(())
}

#[test]
fn an_archive_that_is_none_is_refused() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let client = server.client().await?;
        let request = r#"{"config":{"name":"R","subjects":["r"]},"state":{"messages":0,"bytes":0,"first_seq":0,
            "first_ts":"0001-01-01T00:00:00Z","last_seq":0,"last_ts":"0001-01-01T00:00:00Z","consumer_count":0}}"#;
        let answer = api(&client, "STREAM.RESTORE.R", request).await?;
        let chunks = answer["deliver_subject"]
            .as_str()
            .ok_or("nowhere to send chunks")?
            .to_owned();
        let taken = client
            .request(chunks.clone(), "this is no archive".into())
            .await?;
        assert!(taken.payload.is_empty());
        let done = client.request(chunks, "".into()).await?;
        let done: Value = serde_json::from_slice(&done.payload)?;
        assert_eq!(done["error"]["err_code"], 10062, "{done}");
        let info = api(&client, "STREAM.INFO.R", "").await?;
        assert_eq!(info["error"]["err_code"], 10059);
        Ok(())
    })
}
