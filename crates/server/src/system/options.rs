//! The body of a request to the server: options of a page under their JSON names, and which servers are meant.

use natterjack_jsapi::json::parse;
use serde_json::Value;

use super::fields;
use crate::monitor::connz;
use crate::monitor::query::Query;
use crate::server::Server;

/// Options that have another name in the query of a page.
const RENAMED: [(&str, &str); 6] = [
    ("subscriptions", "subs"),
    ("account", "acc"),
    ("consumer", "consumers"),
    ("direct_consumer", "direct-consumers"),
    ("leader_only", "leader-only"),
    ("filter_subject", connz::FILTER_SUBJECT),
];
/// States of connections, by their numbers.
const STATES: [&str; 3] = ["open", "closed", "any"];
/// What is neither, of which there is none.
const NO_STATE: &str = connz::NO_STATE;

/// A request's body.
#[derive(Debug, Default)]
pub(super) struct Options(Value);

impl Options {
    /// Reads `body` of a request for `page`, which may be empty.
    ///
    /// # Errors
    /// Go's words for what is wrong.
    pub(super) fn parse(page: &str, body: &[u8]) -> Result<Self, String> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        // Where the slip is stands in the answers of JetStream only, whose decoder has another word for the end.
        let words = |text: &str| match text.split(" at offset").next() {
            Some("unexpected EOF") => "unexpected end of JSON input".to_owned(),
            words => words.unwrap_or_default().to_owned(),
        };
        fields::check(page, &parse::parse(body).map_err(|e| words(&e.0))?)?;
        let given: Value = serde_json::from_slice(body).map_err(|e| e.to_string())?;
        let Value::Object(given) = given else {
            return Ok(Self::default());
        };
        let canonical = given.into_iter().map(|(name, value)| {
            let field = fields::canonical(page, &name).map(str::to_owned);
            (field.unwrap_or(name), value)
        });
        Ok(Self(Value::Object(canonical.collect())))
    }

    /// A text.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_default()
    }

    /// A switch.
    pub(super) fn switch(&self, name: &str) -> bool {
        self.0[name].as_bool().unwrap_or(false)
    }

    /// A number.
    pub(super) fn number(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap_or(0)
    }

    /// Texts.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let list = self.0[name].as_array().into_iter().flatten();
        list.filter_map(|v| v.as_str().map(str::to_owned)).collect()
    }

    /// Whether `server` is meant.
    pub(super) fn is_for(&self, server: &Server) -> bool {
        let options = &server.options;
        let fits = |name: &str, is: &str| {
            let wanted = self.text(name);
            match self.switch("exact_match") {
                _ if wanted.is_empty() => true,
                true => wanted == is,
                false => is.contains(wanted),
            }
        };
        let domain = self.text("domain");
        fits("server_name", &server.name)
            && fits("host", &options.host)
            && fits("cluster", "")
            && (domain.is_empty() || domain == options.jetstream.domain)
            && self.texts("tags").iter().all(|tag| options.tags.contains(tag))
    }

    /// As the query of a page; `own` is the account it is about, whatever the body says.
    pub(super) fn query(&self, page: &str, own: Option<&str>) -> Query {
        let mut pairs = Vec::new();
        if let Some(own) = own {
            pairs.push(("acc".to_owned(), own.to_owned()));
        }
        for (name, value) in self.0.as_object().into_iter().flatten() {
            let shown = match value {
                Value::String(text) => text.clone(),
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                _ => continue,
            };
            // Health is asked for with the names it has in the query.
            let renamed = RENAMED.iter().find(|(from, _)| from == name && page != "HEALTHZ");
            match (page, name.as_str()) {
                ("CONNZ", "state") => {
                    let state = value.as_u64().and_then(|n| STATES.get(usize::try_from(n).ok()?));
                    pairs.push(("state".to_owned(), (*state.unwrap_or(&NO_STATE)).to_owned()));
                }
                (_, "subscriptions_detail") if *value == Value::Bool(true) => {
                    pairs.insert(0, ("subs".to_owned(), "detail".to_owned()));
                }
                _ => pairs.push((renamed.map_or(name.as_str(), |r| r.1).to_owned(), shown)),
            }
        }
        Query::of(pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_become_queries() {
        let body = br#"{"subscriptions":true,"acc":"A","state":1,"Limit":5}"#;
        let options = Options::parse("CONNZ", body).unwrap();
        let query = options.query("CONNZ", None);
        assert_eq!(query.text("acc"), Some("A"));
        assert_eq!(query.text("state"), Some("closed"));
        assert_eq!(query.number("limit", 1).unwrap(), 5);
        assert!(query.switch("subs").unwrap());
        let options =
            Options::parse("CONNZ", br#"{"subscriptions_detail":true,"subscriptions":true}"#).unwrap();
        let query = options.query("CONNZ", Some("B"));
        assert_eq!(
            (query.text("subs"), query.text("acc")),
            (Some("detail"), Some("B"))
        );
    }

    #[test]
    fn bad_bodies_have_the_words_of_go() {
        for (body, words) in [
            (
                "{bad",
                "invalid character 'b' looking for beginning of object key string",
            ),
            (" ", "unexpected end of JSON input"),
            (
                "[]",
                "json: cannot unmarshal array into Go value of type server.VarzEventOptions",
            ),
        ] {
            assert_eq!(Options::parse("VARZ", body.as_bytes()).unwrap_err(), words);
        }
    }
}
