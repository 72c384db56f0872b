//! The recorded answers of the peer, and what does not fit a transcript.

use std::collections::BTreeMap;

use natterjack_jsapi::account::Limits;
use natterjack_jsapi::json;
use natterjack_jsapi::stream::{StreamConfig, StreamRequest};
use natterjack_subject::collides;

use super::*;
use crate::allowance::Allowances;
use crate::environment::Environment;

#[derive(Default)]
struct Known(BTreeMap<String, StreamConfig>);

impl Streams for Known {
    fn config(&self, name: &str) -> Option<&StreamConfig> {
        self.0.get(name)
    }

    fn overlaps(&self, subjects: &[String], except: &str) -> bool {
        let others = self
            .0
            .values()
            .filter(|c| c.name != except)
            .flat_map(|c| &c.subjects);
        let mut pairs = others.flat_map(|o| subjects.iter().map(move |s| (o, s)));
        pairs.any(|(o, s)| collides(o.as_bytes(), s.as_bytes()))
    }

    fn all(&self) -> Vec<&StreamConfig> {
        self.0.values().collect()
    }
}

fn answer(known: &mut Known, environment: &Environment, line: &str) -> String {
    let mut words = line.splitn(3, ' ');
    let (verb, name) = (words.next().unwrap(), words.next().unwrap_or_default());
    if verb == "drop" {
        known.0.remove(name);
        return String::new();
    }
    let request: StreamRequest =
        json::from_request(words.next().unwrap().as_bytes(), "StreamConfigRequest", true).unwrap();
    let context = Context {
        environment,
        streams: known,
        pedantic: request.pedantic,
    };
    let outcome = match verb {
        "create" => check_create(name, &request, &context).map(|create| match create {
            Create::Existing => known.0[name].clone(),
            Create::New(config) => config,
        }),
        "update" => check_update(name, known.config(name), &request, &context),
        other => panic!("unknown command {other}"),
    };
    match outcome {
        Ok(config) => {
            let shown = String::from_utf8(json::to_vec(&config)).unwrap();
            known.0.insert(config.name.clone(), config);
            shown.replace("\\u003e", ">")
        }
        Err(error) => format!("{} {}", error.err_code, error.description),
    }
}

#[test]
fn as_the_peer_answers() {
    let environment = Environment::new("$G");
    let mut known = Known::default();
    crate::transcript::run("stream/config.txt", |line| answer(&mut known, &environment, line));
}

fn refusal(config: StreamConfig, environment: &Environment) -> String {
    let context = Context {
        environment,
        streams: &Alone,
        pedantic: false,
    };
    check(&config, &context).unwrap_err().description.into_owned()
}

#[test]
fn long_texts_are_refused() {
    let environment = Environment::new("$G");
    let named = StreamConfig {
        name: "T".into(),
        ..StreamConfig::default()
    };
    let description = "d".repeat(4097);
    assert_eq!(
        refusal(
            StreamConfig {
                description,
                ..named.clone()
            },
            &environment
        ),
        "stream description is too long, maximum allowed is 4096"
    );
    let metadata = BTreeMap::from([("k".to_owned(), "v".repeat(131_072))]);
    assert_eq!(
        refusal(StreamConfig { metadata, ..named }, &environment),
        "stream metadata exceeds maximum size of 131072 bytes"
    );
}

#[test]
fn limits_of_server_and_account_hold() {
    let mut environment = Environment::new("$G");
    environment.limits.duplicate_window_ns = 60_000_000_000;
    environment.allowances = Allowances::of_all(Limits {
        max_bytes_required: true,
        storage_max_stream_bytes: 100,
        ..Limits::unlimited()
    });
    let named = StreamConfig {
        name: "T".into(),
        ..StreamConfig::default()
    };
    assert_eq!(
        refusal(named.clone(), &environment),
        "account requires a stream config to have max bytes set"
    );
    assert_eq!(
        refusal(
            StreamConfig {
                max_bytes: 101,
                ..named.clone()
            },
            &environment
        ),
        "stream max bytes exceeds account limit max stream bytes"
    );
    let window = natterjack_jsapi::Nanos::from_secs(61);
    assert_eq!(
        refusal(
            StreamConfig {
                max_bytes: 100,
                duplicate_window: window,
                ..named.clone()
            },
            &environment
        ),
        "duplicates window can not be larger then server limit of 1m0s"
    );
    let context = Context {
        environment: &environment,
        streams: &Alone,
        pedantic: false,
    };
    let config = check(
        &StreamConfig {
            max_bytes: 100,
            ..named
        },
        &context,
    )
    .unwrap();
    assert_eq!(config.duplicate_window.0, 60_000_000_000);
}
