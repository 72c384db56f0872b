//! Mirrors and sources: how they are told apart, and what is asked of their origins. Reaches nobody.

mod durable;
mod external;
mod upstream;

use natterjack_jsapi::stream::StreamSource;
use natterjack_subject::names::name_hash;

pub use durable::Copier;
pub(crate) use durable::consumer_start;
pub use external::{Arrived, Crossing, Request, removal};
pub use upstream::{Ask, Next, Page, Position, Start};
pub(crate) use upstream::{Upstream, parse_source_header};

/// Separates filters, and destinations, in index names.
const LIST_SEPARATOR: &str = "\x0c";

/// The name that tells the sources of a stream apart, as it stands in `Nats-Stream-Source` headers: the origin with a
/// hash of what reaches it, its filters and its destinations.
#[must_use]
pub fn index_name(source: &StreamSource) -> String {
    let (filters, destinations): (Vec<&str>, Vec<&str>) = if source.subject_transforms.is_empty() {
        (vec![or_all(&source.filter_subject)], vec![">"])
    } else {
        source
            .subject_transforms
            .iter()
            .map(|t| (or_all(&t.src), or_all(&t.dest)))
            .unzip()
    };
    format!(
        "{} {} {}",
        consumer_name(source),
        filters.join(LIST_SEPARATOR),
        destinations.join(LIST_SEPARATOR)
    )
}

/// Whether `api` is the prefix of this server's own API, as its domain is called.
#[must_use]
pub fn is_own_api(api: &str, domain: &str) -> bool {
    !domain.is_empty()
        && api
            .strip_prefix("$JS.")
            .and_then(|rest| rest.strip_suffix(".API"))
            == Some(domain)
}

fn or_all(subject: &str) -> &str {
    if subject.is_empty() { ">" } else { subject }
}

/// The first part of the index name: the origin, a hash of the API it is reached by, and of its durable consumer.
#[must_use]
pub fn consumer_name(source: &StreamSource) -> String {
    let mut name = source.name.clone();
    if let Some(external) = &source.external {
        name.push(':');
        name.push_str(&name_hash(&external.api, 8));
    }
    if let Some(consumer) = &source.consumer {
        name.push_str(":C=");
        name.push_str(&name_hash(&consumer.name, 8));
    }
    name
}
