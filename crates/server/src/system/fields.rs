//! Which fields the body of each request has, and Go's words for a value of another kind. Knows nothing of what they mean.

use natterjack_jsapi::json::{Json, is_name};

/// What a field holds.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Texts,
    Switch,
    /// A whole number, with the name of its type.
    Number(&'static str),
    /// A text, with the name of its type.
    Named(&'static str),
}
use Kind::{Named, Number, Switch, Text, Texts};

/// A field's name and kind.
type Field = (&'static str, Kind);

const INT: Kind = Number("int");
/// Which servers are meant: in every body.
const FILTER: &[Field] = &[
    ("server_name", Text),
    ("cluster", Text),
    ("host", Text),
    ("exact_match", Switch),
    ("tags", Texts),
    ("domain", Text),
];

/// Each page with the name of the Go type behind it, and its fields.
const PAGES: &[(&str, &str, &[Field])] = &[
    (
        "CONNZ",
        "ConnzEventOptions",
        &[
            ("sort", Named("server.SortOpt")),
            ("auth", Switch),
            ("subscriptions", Switch),
            ("subscriptions_detail", Switch),
            ("offset", INT),
            ("limit", INT),
            ("cid", Number("uint64")),
            ("mqtt_client", Text),
            ("state", Number("server.ConnState")),
            ("user", Text),
            ("acc", Text),
            ("filter_subject", Text),
        ],
    ),
    (
        "SUBSZ",
        "SubszEventOptions",
        &[
            ("offset", INT),
            ("limit", INT),
            ("subscriptions", Switch),
            ("account", Text),
            ("test", Text),
        ],
    ),
    (
        "JSZ",
        "JszEventOptions",
        &[
            ("account", Text),
            ("accounts", Switch),
            ("streams", Switch),
            ("consumer", Switch),
            ("direct_consumer", Switch),
            ("config", Switch),
            ("leader_only", Switch),
            ("offset", INT),
            ("limit", INT),
            ("raft", Switch),
            ("stream_leader_only", Switch),
        ],
    ),
    (
        "HEALTHZ",
        "HealthzEventOptions",
        &[
            ("js-enabled", Switch),
            ("js-enabled-only", Switch),
            ("js-server-only", Switch),
            ("js-meta-only", Switch),
            ("account", Text),
            ("stream", Text),
            ("consumer", Text),
            ("details", Switch),
        ],
    ),
    (
        "GATEWAYZ",
        "GatewayzEventOptions",
        &[
            ("name", Text),
            ("accounts", Switch),
            ("account_name", Text),
            ("subscriptions", Switch),
            ("subscriptions_detail", Switch),
        ],
    ),
    (
        "PROFILEZ",
        "ProfilezEventOptions",
        &[
            ("name", Text),
            ("debug", INT),
            ("duration", Number("time.Duration")),
        ],
    ),
    (
        "ROUTEZ",
        "RoutezEventOptions",
        &[("subscriptions", Switch), ("subscriptions_detail", Switch)],
    ),
    (
        "STATZ",
        "AccountStatzEventOptions",
        &[("accounts", Texts), ("include_unused", Switch)],
    ),
    (
        "LEAFZ",
        "LeafzEventOptions",
        &[("subscriptions", Switch), ("account", Text)],
    ),
    (
        "RAFTZ",
        "RaftzEventOptions",
        &[("account", Text), ("group", Text)],
    ),
    (
        "IPQUEUESZ",
        "IpqueueszEventOptions",
        &[("all", Switch), ("filter", Text)],
    ),
    ("ACCOUNTZ", "AccountzEventOptions", &[("account", Text)]),
    ("KICK", "KickClientReq", &[("cid", Number("uint64"))]),
    ("LDM", "KickClientReq", &[("cid", Number("uint64"))]),
    ("CONNS", "accNumConnsReq", &[("acc", Text)]),
    ("INFO", "AccInfoEventOptions", &[]),
    ("VARZ", "VarzEventOptions", &[]),
    ("STATSZ", "StatszEventOptions", &[]),
    ("EXPVARZ", "ExpvarzEventOptions", &[]),
];

/// Name of the Go type behind a page, and its fields.
fn fields(page: &str) -> Option<(&'static str, &'static [Field])> {
    let found = PAGES.iter().find(|(name, ..)| *name == page);
    found.map(|(_, of, fields)| (*of, *fields))
}

/// The field `name` of the body for `page`, as it is written there: Go takes letters of either case.
pub(super) fn canonical(page: &str, name: &str) -> Option<&'static str> {
    let (_, own) = fields(page)?;
    let all = own.iter().chain(FILTER);
    all.map(|(field, _)| *field).find(|field| is_name(name, field))
}

/// Checks the kinds of all fields.
///
/// # Errors
/// Go's words for the first that is of another kind.
pub(super) fn check(page: &str, body: &Json<'_>) -> Result<(), String> {
    let Some((name, own)) = fields(page) else {
        return Ok(());
    };
    let given = match body {
        Json::Null => return Ok(()),
        Json::Object(given, _) => given,
        _ => {
            let kind = body.kind();
            return Err(format!(
                "json: cannot unmarshal {kind} into Go value of type server.{name}"
            ));
        }
    };
    for (key, value) in given {
        let mut all = own.iter().chain(FILTER);
        if let Some((_, wanted)) = all.find(|(field, _)| is_name(key, field)) {
            fits(*wanted, value).map_err(|wrong| match wrong {
                Wrong::Value(got, kind) => {
                    format!("json: cannot unmarshal {got} into Go struct field {name}.{key} of type {kind}")
                }
                Wrong::Element(at, got) => {
                    format!("json: cannot unmarshal {got} into {name}.{key}.{at} of type string")
                }
            })?;
        }
    }
    Ok(())
}

/// What does not fit: the value, or one in a list.
enum Wrong {
    Value(String, &'static str),
    Element(usize, &'static str),
}

fn fits(wanted: Kind, value: &Json<'_>) -> Result<(), Wrong> {
    let wrong = |name| Err(Wrong::Value(value.kind().to_owned(), name));
    match (wanted, value) {
        (_, Json::Null) | (Text | Named(_), Json::Text { .. }) | (Switch, Json::Bool(_)) => Ok(()),
        (Number(name), Json::Number(written)) => {
            let whole = match name {
                "uint64" => written.parse::<u64>().is_ok(),
                _ => written.parse::<i64>().is_ok(),
            };
            if whole {
                return Ok(());
            }
            Err(Wrong::Value(format!("number {written}"), name))
        }
        (Texts, Json::List(items, _)) => {
            let odd = items
                .iter()
                .position(|item| !matches!(item, Json::Text { .. } | Json::Null));
            odd.map_or(Ok(()), |at| Err(Wrong::Element(at, items[at].kind())))
        }
        (Text, _) => wrong("string"),
        (Texts, _) => wrong("[]string"),
        (Switch, _) => wrong("bool"),
        (Number(name) | Named(name), _) => wrong(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use natterjack_jsapi::json::parse::parse;

    fn said(page: &str, body: &str) -> String {
        check(page, &parse(body.as_bytes()).unwrap())
            .err()
            .unwrap_or_default()
    }

    #[test]
    fn kinds_are_refused_in_the_words_of_go() {
        for (page, body, words) in [
            (
                "CONNZ",
                "[]",
                "array into Go value of type server.ConnzEventOptions",
            ),
            (
                "CONNZ",
                r#"{"limit":"x"}"#,
                "string into Go struct field ConnzEventOptions.limit of type int",
            ),
            (
                "CONNZ",
                r#"{"limit":1e2}"#,
                "number 1e2 into Go struct field ConnzEventOptions.limit of type int",
            ),
            (
                "CONNZ",
                r#"{"cid":-1}"#,
                "number -1 into Go struct field ConnzEventOptions.cid of type uint64",
            ),
            (
                "CONNZ",
                r#"{"AUTH":1}"#,
                "number into Go struct field ConnzEventOptions.AUTH of type bool",
            ),
            (
                "VARZ",
                r#"{"host":5}"#,
                "number into Go struct field VarzEventOptions.host of type string",
            ),
            (
                "VARZ",
                r#"{"tags":"a"}"#,
                "string into Go struct field VarzEventOptions.tags of type []string",
            ),
            (
                "VARZ",
                r#"{"tags":["a",5]}"#,
                "number into VarzEventOptions.tags.1 of type string",
            ),
        ] {
            assert_eq!(
                said(page, body),
                format!("json: cannot unmarshal {words}"),
                "{page} {body}"
            );
        }
    }

    #[test]
    fn what_fits_or_is_unknown_is_taken() {
        for body in [
            "null",
            "{}",
            r#"{"limit":-5,"state":7,"other":[],"auth":null,"tags":["a"]}"#,
        ] {
            assert_eq!(said("CONNZ", body), "");
        }
        assert_eq!(said("IDZ", "[]"), "");
        assert_eq!(canonical("CONNZ", "Limit"), Some("limit"));
    }
}
